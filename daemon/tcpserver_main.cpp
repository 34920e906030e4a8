// postern-smtpd [hostname checkprogram subprogram...]: one client in clear on descriptors 0 and 1, under tcpserver.
// There is no TLS library in this program: STARTTLS, and SSL=1 without TLS before us, continue in postern-smtpd-tls.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "config/settings_env.hpp"
#include "config/tcpserver_env.hpp"
#include "daemon/plain_transport.hpp"
#include "daemon/serve.hpp"
#include "observe/journal.hpp"
#include "tls/sibling.hpp"
#include "tls/upstream.hpp"

namespace {

using namespace postern;
using namespace postern::base;
using namespace postern::config;
using namespace postern::daemon;
using namespace postern::observe;
using namespace postern::tls;

class SiblingStarter final : public TlsStarter {
 public:
  SiblingStarter(const TlsSibling& sibling, const Journal& journal) : sibling_(sibling), journal_(journal) {}

  void start_tls(engine::Counters counters) override { become_sibling(TlsStart::starttls, counters); }

  void become_sibling(TlsStart start, engine::Counters counters) {
    const int error = sibling_.exec(start, to_word(counters));
    journal_.trouble(std::string("cannot run postern-smtpd-tls beside postern-smtpd: ") + std::strerror(error));
  }

 private:
  const TlsSibling& sibling_;
  const Journal& journal_;
};

// A transport whose TLS is done by the program before us, as the Received line names it.
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

constexpr const char* about =
    "postern-smtpd [HOST CHECKPROGRAM SUBPROGRAM...]\n"
    "\n"
    "Serves one SMTP client on descriptors 0 and 1, under tcpserver or sslserver, instead of qmail-smtpd; the log "
    "is on 2.\n"
    "Its settings are variables and control files:\n"
    "\n"
    "  tcpserver -D -H -R -x tcp.smtp.cdb -c 200 -u UID -g GID 0 25 postern-smtpd\n"
    "  postern check      what it would refuse, and what is dangerous in these settings\n"
    "\n"
    "Exit code: 0 after QUIT, 111 when memory ran out, 1 otherwise.\n";

// No host name begins with a hyphen, so this is never one.
int answer(std::string_view option) {
  if (option == "--help" || option == "-h") return std::fputs(about, stdout) < 0 ? 1 : 0;
  if (option == "--version" || option == "-V")
    return std::printf("postern-smtpd %s, policy %s\n", POSTERN_VERSION, std::string(spec::policy_hash()).c_str()) < 0;
  return std::fprintf(stderr, "postern-smtpd: %s is not an option; --help and --version are\n", option.data()), 100;
}

const char* from_environment(const char* name) { return std::getenv(name); }

// can_say   whether the client could get a reply where this ends by std::bad_alloc
int serve_client(std::span<char* const> arguments, bool& can_say) {
  Environment environment(environ);
  const std::string client(read_peer(environment).remote_ip);
  const Journal journal(client);
  const TlsSibling sibling(remember_own_path(), arguments);
  SiblingStarter tls(sibling, journal);
  enter_home(environment, journal);
  const Start start = judge_start(arguments, environment, "the environment", Lists::here, &sibling);
  const bool is_implicit = start.settings_and_facts.has(spec::bit::SSL);
  UpstreamTls upstream = is_implicit ? find_upstream_tls(from_environment) : UpstreamTls{};
  if (upstream.state == Upstream::offers) {
    if (const auto started = start_upstream_tls(from_environment); !started) {
      journal.trouble(started.error());
      return 1;
    }
    upstream.state = Upstream::secured;
    can_say = true;
  }
  if (is_implicit && upstream.state == Upstream::silent) {  // deviation D9
    if (const std::string lack = lack_of_memory_for_tls(); !lack.empty()) journal.trouble(lack);
    tls.become_sibling(TlsStart::implicit, {});
    journal.start(start);  // that program is not there
    return 1;
  }
  can_say = true;
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

// Of the client, without Environment, which allocates.
std::string_view remote_ip() {
  for (const char* const name : {"TCPREMOTEIP", "TCP6REMOTEIP", "SSLREMOTEIP"})
    if (const char* const value = from_environment(name); value != nullptr && *value != '\0') return value;
  return "unknown";
}

bool is_implicit_tls() {
  const char* const value = from_environment("SSL");
  return value != nullptr && is_tls_first(value);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && argv[1][0] == '-') return answer(argv[1]);
  bool can_say = !is_implicit_tls();
  try {
    return serve_client(std::span<char* const>(argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0)), can_say);
  } catch (const std::bad_alloc&) {
    PlainTransport plain(0, 1, std::chrono::seconds(spec::max_handshake_seconds));
    say_exhausted(Journal(remote_ip()), can_say ? &plain : nullptr);
    return exit_exhausted;
  }
}
