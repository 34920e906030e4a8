// The configuration of `postern serve`: from a file, or from a few options.
// in      made by cli/serve_file.hpp, which knows TOML and says what is wrong with place and remedy
// out     plain values
// source  docs/operating.md; spec/options.toml and spec/limits.hpp for the defaults
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/network.hpp"
#include "config/file_watch.hpp"
#include "limits/client_table.hpp"
#include "limits/guess_table.hpp"
#include "spec/limits.hpp"
#include "spec/options.hpp"
#include "tls/certificate.hpp"

namespace postern::config {

// One address on which clients arrive.
struct ListenerSettings {
  std::string place;  // where it was written, for sentences: `postern.toml line 7`
  base::Endpoint at;
  std::string socket_name;             // of a socket that systemd holds (LISTEN_FDNAMES); empty: bind it
  std::vector<std::string> variables;  // NAME=VALUE: SSL, FORCE_TLS, POSTERN_MAILDIR, ... as postern-smtpd reads them
  std::vector<std::string> variable_places;         // where each was written, as `place`; none: nobody knows
  std::vector<tls::CertificateFiles> certificates;  // besides TLS_SERVER_CERT, chosen by name (SNI)
  std::vector<std::string> check_program;           // hostname checkprogram subprogram...
  std::string tcprules;                             // path of a cdb; empty: none
  std::vector<base::Network> proxies;               // networks that may, and must, say PROXY
};

enum class LogFormat : std::uint8_t { text, json };

struct Configuration {
  std::string file;                            // it was read from; empty: from options
  std::optional<FileWatch::State> file_state;  // of that file before it was read
  std::string home = spec::default_of::home;
  bool home_must_exist = true;
  std::string user;    // user:group:group, as privileges.hpp has it; empty: the user who starts it
  std::string chroot;  // all paths are in it, the home too; empty: none
  unsigned loops = 0;  // 0: as many as there are processors
  unsigned checkers = spec::default_of::checkers;      // threads that judge passwords and recipients
  unsigned hand_overs = spec::default_of::hand_overs;  // messages handed over at once, for each way out
  limits::ClientLimits clients;
  limits::GuessLimits guesses;
  // Counted, but not refused for their number or rate: by default programs of this machine.
  std::vector<base::Network> exempt_from_limits = base::loopback_networks();
  std::uint32_t min_data_octets_per_second = spec::min_data_octets_per_second;
  unsigned data_rate_seconds = spec::data_rate_seconds;
  unsigned shutdown_seconds = spec::max_shutdown_seconds;
  std::string dns;  // resolvers, as dns::parse_servers() reads them; empty: those of the system
  bool looks_up_names = spec::default_of::client_names;
  std::string greylist_file;         // whom the greylist knows; empty: in memory alone
  std::vector<std::string> domains;  // ours, instead of control/rcpthosts; empty: the file
  bool gives_tickets = spec::default_of::tickets;
  bool only_tls_1_3 = false;
  std::string tls_groups;
  LogFormat log = LogFormat::text;
  bool is_sandboxed = spec::default_of::sandbox;
  std::optional<base::Endpoint> metrics;  // `127.0.0.1:9925`; none: no page
  std::string shadow;  // a file like this one, by which sessions are judged without effect; empty: none
  std::vector<ListenerSettings> listeners;
};

}  // namespace postern::config
