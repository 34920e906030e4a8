// postern-smtpd [hostname checkprogram subprogram...]: one client in clear on descriptors 0 and 1, under tcpserver.
// There is no TLS library in this program: STARTTLS, and SSL=1 without TLS before us, continue in postern-smtpd-tls.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include "daemon/journal.hpp"
#include "daemon/plain_transport.hpp"
#include "daemon/serve.hpp"
#include "daemon/tcpserver_env.hpp"
#include "daemon/tls_sibling.hpp"
#include "daemon/upstream_tls.hpp"

namespace {

using namespace postern;
using namespace postern::daemon;

class SiblingStarter final : public TlsStarter {
 public:
  SiblingStarter(std::string own_path, std::span<char* const> arguments, const Journal& journal)
      : own_path_(std::move(own_path)), arguments_(arguments), journal_(journal) {}

  void start_tls(engine::Counters counters) override { become_sibling(TlsStart::starttls, counters); }

  void become_sibling(TlsStart start, engine::Counters counters) {
    const int error = exec_tls_sibling(own_path_, start, to_word(counters), arguments_);
    journal_.trouble(std::string("cannot run postern-smtpd-tls beside postern-smtpd: ") + std::strerror(error));
  }

 private:
  std::string own_path_;
  std::span<char* const> arguments_;
  const Journal& journal_;
};

// A transport whose TLS is done by the program before us, as the Received line tells it.
class UpstreamTransport final : public Transport {
 public:
  UpstreamTransport(Transport& inner, UpstreamTls tls) : inner_(inner), version_(tls.version), cipher_(tls.cipher) {}
  [[nodiscard]] ReadResult read(std::span<char> into) override { return inner_.read(into); }
  [[nodiscard]] Io write(std::string_view octets) override { return inner_.write(octets); }
  [[nodiscard]] bool has_left(std::string_view held) override { return inner_.has_left(held); }
  [[nodiscard]] std::string_view tls_version() const override { return version_; }
  [[nodiscard]] std::string_view tls_cipher() const override { return cipher_; }

 private:
  Transport& inner_;
  std::string version_, cipher_;
};

const char* from_environment(const char* name) { return std::getenv(name); }

}  // namespace

int main(int argc, char** argv) {
  const std::span<char* const> arguments(argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0));
  Environment environment(environ);
  const std::string client(read_peer(environment).remote_ip);
  const Journal journal(client);
  SiblingStarter tls(remember_own_path(), arguments, journal);
  enter_home(environment, journal);
  const Start start = judge_start(arguments, environment, "the environment");
  const bool is_implicit = start.settings_and_facts.has(spec::bit::SSL);
  UpstreamTls upstream = is_implicit ? find_upstream_tls(from_environment) : UpstreamTls{};
  if (upstream.state == Upstream::offers) {
    if (const auto started = start_upstream_tls(from_environment); !started) {
      journal.trouble(started.error());
      return 1;
    }
    upstream.state = Upstream::secured;
  }
  if (is_implicit && upstream.state == Upstream::silent) {  // deviation D9
    tls.become_sibling(TlsStart::implicit, {});
    return 1;
  }
  PlainTransport plain(0, 1, std::chrono::seconds(start.timeout_seconds));
  UpstreamTransport secured(plain, upstream);
  Transport& transport = is_implicit ? static_cast<Transport&>(secured) : plain;
  return serve({.start = start,
                .arguments = arguments,
                .environment = environment,
                .journal = journal,
                .transport = transport,
                .tls = tls});
}
