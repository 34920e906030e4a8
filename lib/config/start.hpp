// The start of a connection, judged once: settings, facts, limits, and the event that opens the session.
// in      the command line, the variables, the control files (the current folder is the home)
// out     Start; `event` is connect_ready, or what is wrong, and `problems` says it in sentences with place and remedy
// errors  none besides: a bad start is an event with a row and a reply
// source  spec/events.toml: connect.*; semantics of the variables: spec/settings.toml; qmail-smtpd(8); deviations D9-D12
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.hpp"
#include "base/socket_address.hpp"
#include "config/cdb_file.hpp"
#include "config/dns_lists.hpp"
#include "config/filters.hpp"
#include "config/policy_services.hpp"
#include "spec/policy_row.hpp"

namespace postern::tls {
class TlsSibling;
}

namespace postern::config {

enum class HandOverKind : std::uint8_t { none, queue_program, maildir, lmtp, discard };
// Whether mail that is handed over ends there, and is not sent on to other domains.
[[nodiscard]] constexpr bool delivers_itself(HandOverKind kind) {
  return kind == HandOverKind::maildir || kind == HandOverKind::lmtp;
}
enum class BackendKind : std::uint8_t { none, check_program, auth_cdb };

struct Start {
  spec::Event event = spec::Event::connect_ready;
  std::vector<std::string> problems;
  std::vector<std::string> warnings;

  spec::Guards settings_and_facts;
  std::string host;
  std::uint64_t databytes = 0;
  bool has_databytes = false;  // DATABYTES or control/databytes says it; 0 there is no bound
  std::size_t max_recipients = 0;
  unsigned timeout_seconds = 0;
  unsigned greet_delay_seconds = 0;
  bool drops_early_talkers = false;
  bool strict_addresses = false;
  bool rejects_relay_requests = false;
  bool refuses_without_mailbox = false;       // POSTERN_UNKNOWN_RECIPIENTS=refuse, and mail goes into Maildirs
  bool asks_mail_cluster = false;             // the same, and mail goes to a mail cluster: is each recipient there?
  std::string valid_recipients;               // VALIDRCPTTO_CDB; empty: control/validrcptto.cdb, where there is one
  std::uint64_t max_unknown_recipients = 0;   // VALIDRCPTTO_LIMIT: of a session; 0: no limit
  std::string recipient_program;              // RCPTCHECK; empty: none is asked
  std::optional<base::SocketAddress> userdb;  // POSTERN_USERDB; none: it is not asked
  std::vector<DnsList> dns_lists;             // that are asked about a client; none where RBLSMTPD says what to do
  std::vector<DnsList> sender_lists;          // DNSBL_SENDER: that are asked about the domain of MAIL FROM
  std::vector<DnsList> helo_lists;            // DNSBL_HELO: about the name of HELO
  std::vector<DnsList> shared_domain_lists;   // those of both, where the two are one name
  std::uint64_t dnsbl_threshold = 0;
  bool dnsbl_at_connect = false;               // for the greeting, not for recipients
  unsigned greylist_seconds = 0;               // GREYLIST: before a triple may come again; 0: no greylist
  std::string dns_servers;                     // POSTERN_DNS: who is asked; empty: those of the system
  std::vector<PolicyService> policy_services;  // POSTERN_POLICY_SERVICE: in this order; none: nobody is asked
  bool takes_unjudged = false;                 // POSTERN_POLICY_FAILURE=accept: where one does not answer

  std::vector<FilterPlace> filters;     // POSTERN_FILTERS: in this order; none: no message is judged
  bool takes_unfiltered = false;        // POSTERN_FILTER_FAILURE=accept: where one fails
  std::uint64_t filter_max_octets = 0;  // POSTERN_FILTER_MAX_OCTETS; 0: no limit
  std::string rspamd_settings;          // POSTERN_RSPAMD_SETTINGS; empty: those that rspamd chooses

  HandOverKind hand_over = HandOverKind::none;
  std::string hand_over_path;           // of lmtp: the address
  bool has_delivered_to = false;        // of a Maildir: each recipient's file names it
  bool hides_user = false;              // Received does not say who authenticated
  bool logs_decisions = false;          // each of a session, and what was sent
  std::optional<int> error_descriptor;  // ERROR_FD: where a queue program writes its own text
  int program_errors = 2;               // of ours: what is a program's standard error
  BackendKind backend = BackendKind::none;
  std::string auth_cdb;
  std::string certificate_path;
  std::string key_path;     // TLS_SERVER_KEY; empty: in the certificate's file
  std::string tls_ciphers;  // TLSCIPHERS, or control/tlsserverciphers; empty: ours
};

// here        control/rcpthosts and the like are judged with the rest: postern-smtpd, one process for one client
// elsewhere   the caller does it once for many starts, judge_lists(): postern serve
enum class Lists : std::uint8_t { here, elsewhere };

// The original counts a check program only with a host name before it and a subprogram after it.
[[nodiscard]] inline bool has_check_program(std::span<char* const> arguments) { return arguments.size() >= 3; }

// arguments   of the command line, without the program's name: hostname checkprogram subprogram...
// origin      of the variables, for sentences: "the environment"
// sibling     the program that speaks TLS, when that is another one: asked whether it can
[[nodiscard]] Start judge_start(std::span<char* const> arguments, const base::Environment& environment,
                                std::string_view origin, Lists lists = Lists::here,
                                const tls::TlsSibling* sibling = nullptr);

// Why the start of a program that serves one client is refused where GREYLIST is set.
[[nodiscard]] std::string greylist_needs_serve(std::string_view origin);

struct ListProblem {
  enum class Kind : std::uint8_t {
    missing,  // named, and not there: refuses the start
    broken,   // recipients are deferred until somebody repairs it
    passing,  // the same, but it is trouble of the process or the machine, as a descriptor that is missing
  } kind;
  std::string sentence;
};
// Of the list of recipients that VALIDRCPTTO_CDB names, or of control/validrcptto.cdb where it names none.
[[nodiscard]] std::optional<ListProblem> find_problem_of_valid_recipients(const std::string& named, CdbLook look);
// Of control/morercpthosts.cdb, where it is asked: looked at whole.
[[nodiscard]] std::optional<ListProblem> find_problem_of_more_rcpthosts();
// Why RCPTCHECK cannot be run, which defers recipients; `origin` as below. Empty: it can, or there is none.
[[nodiscard]] std::string find_problem_of_recipient_program(const std::string& program, std::string_view origin);

// in_file     control/rcpthosts says which domains are ours
enum class Domains : std::uint8_t { in_file, given };
// Whether the lists say what they mean (control.hpp, judge_list): adds problems and warnings to `start`.
void judge_lists(Start& start, Domains domains = Domains::in_file);

// The first word of the greeting: our name where there must be no more than a name.
[[nodiscard]] inline std::string_view host_name(const Start& start) {
  return std::string_view(start.host).substr(0, start.host.find(' '));
}

// Whether any DNS list is asked, about a client or about a domain that it names.
[[nodiscard]] inline bool has_dns_lists(const Start& start) {
  return !start.dns_lists.empty() || !start.sender_lists.empty() || !start.helo_lists.empty();
}

// Whether policy services judge each message at DATA.
[[nodiscard]] inline bool asks_at_data(const Start& start) {
  return !start.policy_services.empty() && start.policy_services.back().stage == PolicyStage::data;
}

// Where mail to `<postmaster>` goes: control/me, or our name.
[[nodiscard]] std::string own_domain(const Start& start);

// RELAYREJ guards against relaying by third parties: a client that may relay anyway asks for nothing new.
[[nodiscard]] inline bool may_ask_to_relay(const Start& start, spec::Guards guards) {
  return !start.rejects_relay_requests || guards.has(spec::bit::relay_client | spec::bit::authentication_done);
}

struct SizeAndRecipients {
  std::uint64_t databytes;
  std::size_t max_recipients;
};
// DATABYTES and MAXRCPT as they stand in the environment now; an AUTH may have changed them. What is wrong keeps the
// value of the start.
[[nodiscard]] SizeAndRecipients read_limits(const Start& start, const base::Environment& environment);

}  // namespace postern::config
