// postern-smtpd-tls starttls|implicit|judge COUNTERS [hostname checkprogram subprogram...]: the sibling of postern-smtpd that
// holds the TLS library. Started by it, on the same descriptors, never by hand: it handshakes and serves on.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>
#include <string_view>

#include "config/tcpserver_env.hpp"
#include "daemon/serve.hpp"
#include "daemon/tls_transport.hpp"
#include "spec/limits.hpp"

namespace {

using namespace postern;
using namespace postern::base;
using namespace postern::config;
using namespace postern::daemon;
using namespace postern::observe;
using namespace postern::tls;

// Inside TLS the policy never starts it again (law: starttls_never_inside_tls).
class NoStarter final : public TlsStarter {
 public:
  explicit NoStarter(const Journal& journal) : journal_(journal) {}
  void start_tls(engine::Counters) override { journal_.trouble("STARTTLS inside TLS: refused"); }

 private:
  const Journal& journal_;
};

struct DetectedFacts {
  const Start& start;
  const Environment& environment;
  const Journal& journal;
};

std::expected<TlsContext, std::string> load_context(const Start& start) {
  return TlsContext::load({.certificate_path = start.certificate_path,
                           .ciphers = start.tls_ciphers,
                           .now_seconds = std::time(nullptr),
                           .key_path = start.key_path,
                           .guards = start.settings_and_facts});
}

// For postern-smtpd, before it offers STARTTLS: exit code 0, or a sentence on standard output.
int judge(const Start& start) {
  const auto context = load_context(start);
  const auto tried = context ? context->try_handshake() : std::unexpected(context.error());
  if (tried) return 0;
  std::fputs(tried.error().c_str(), stdout);
  return 1;
}

TlsTransport::Accepted accept(const DetectedFacts& around) {
  const auto context = load_context(around.start);
  if (!context) return std::unexpected(HandshakeFailure{.io = Io::closed, .reason = context.error()});
  if (!context->warning().empty()) around.journal.trouble(context->warning());
  const std::chrono::seconds timeout(around.start.timeout_seconds);
  const std::chrono::seconds handshake(std::min(around.start.timeout_seconds, spec::max_handshake_seconds));
  return TlsTransport::accept(*context, {.read = 0, .write = 1}, {.handshake = handshake, .session = timeout});
}

// mode   starttls, implicit or judge; counters: of the session that began in clear
int serve_client(std::string_view mode, std::string_view counters, std::span<char* const> arguments) {
  Environment environment(environ);
  const std::string client(read_peer(environment).remote_ip);
  const Journal journal(client);
  enter_home(environment, journal);
  const Start start = judge_start(arguments, environment, "the environment");
  if (mode == "judge") return judge(start);
  const auto transport = accept({.start = start, .environment = environment, .journal = journal});
  if (!transport) {
    if (mode == "implicit" && !start.problems.empty()) journal.start(start);  // the client did not wait to hear it
    journal.trouble(transport.error().reason);
    return 1;
  }
  journal.tls((*transport)->tls_version(), (*transport)->tls_cipher());
  NoStarter tls(journal);
  const int code = serve({.start = start,
                          .arguments = arguments,
                          .environment = environment,
                          .journal = journal,
                          .transport = **transport,
                          .tls = tls,
                          .opening = mode == "starttls" ? Opening::after_starttls : Opening::greeting,
                          .counters = counters_of(counters)});
  (*transport)->finish();
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 2 ? argv[1] : "";
  if (mode != "starttls" && mode != "implicit" && mode != "judge") {
    std::fputs("postern-smtpd-tls is started by postern-smtpd; run that\n", stderr);
    return 100;
  }
  try {
    return serve_client(mode, argv[2], std::span<char* const>(argv + 3, static_cast<std::size_t>(argc - 3)));
  } catch (const std::bad_alloc&) {  // in a handshake, in which no reply can be sent; serve() catches its own
    const char* const client = std::getenv("TCPREMOTEIP");
    say_exhausted(Journal(client == nullptr ? "unknown" : client), nullptr);
    return exit_exhausted;
  }
}
