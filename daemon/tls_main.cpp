// postern-smtpd-tls starttls|implicit COUNTERS [hostname checkprogram subprogram...]: the sibling of postern-smtpd that
// holds the TLS library. Started by it, on the same descriptors, never by hand: it handshakes and serves on.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string_view>

#include "daemon/journal.hpp"
#include "daemon/log.hpp"
#include "daemon/serve.hpp"
#include "daemon/tcpserver_env.hpp"
#include "daemon/tls_transport.hpp"
#include "spec/limits.hpp"

namespace {

using namespace postern;
using namespace postern::daemon;

// Inside TLS the policy never starts it again (law: starttls_never_inside_tls).
class NoStarter final : public TlsStarter {
 public:
  void start_tls(engine::Counters) override { log_trouble("STARTTLS inside TLS: refused"); }
};

// A TLSCIPHERS that selects nothing stops no mail: our own ciphers serve, and the log says so.
std::expected<TlsContext, std::string> load_context(const Start& start) {
  TlsSettings settings{.certificate_path = std::string(start.certificate_path),
                       .ciphers = std::string(variable("TLSCIPHERS")),
                       .now_seconds = std::time(nullptr)};
  auto context = TlsContext::load(settings);
  if (context || settings.ciphers.empty()) return context;
  log_trouble(context.error());
  settings.ciphers.clear();
  return TlsContext::load(settings);
}

TlsTransport::Accepted accept(const Start& start) {
  const auto context = load_context(start);
  if (!context) return std::unexpected(HandshakeFailure{.io = Io::closed, .reason = context.error()});
  if (!context->warning().empty()) log_trouble(context->warning());
  const std::chrono::seconds timeout(start.timeout_seconds);
  const std::chrono::seconds handshake(std::min(start.timeout_seconds, spec::max_handshake_seconds));
  return TlsTransport::accept(*context, {.read = 0, .write = 1}, {.handshake = handshake, .session = timeout});
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 2 ? argv[1] : "";
  if (mode != "starttls" && mode != "implicit") {
    std::fputs("postern-smtpd-tls is started by postern-smtpd; run that\n", stderr);
    return 100;
  }
  const std::span<char* const> arguments(argv + 3, static_cast<std::size_t>(argc - 3));
  enter_home();
  const Start start = judge_start(arguments);
  const auto transport = accept(start);
  if (!transport) {
    log_trouble(transport.error().reason);
    return 1;
  }
  LogLine("tls")
      .client("client", read_peer().remote_ip)
      .field("version", (*transport)->tls_version())
      .field("cipher", (*transport)->tls_cipher())
      .write();
  NoStarter tls;
  const int code = serve({.start = start,
                          .arguments = arguments,
                          .transport = **transport,
                          .tls = tls,
                          .opening = mode == "starttls" ? Opening::after_starttls : Opening::greeting,
                          .counters = counters_of(argv[2])});
  (*transport)->finish();
  return code;
}
