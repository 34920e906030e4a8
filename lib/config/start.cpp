#include "config/start.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/program_file.hpp"
#include "config/cdb_file.hpp"
#include "config/control.hpp"
#include "config/dns_settings.hpp"
#include "config/foreign_settings.hpp"
#include "config/lmtp_address.hpp"
#include "config/maildir_limits.hpp"
#include "config/policy_services.hpp"
#include "config/service_address.hpp"
#include "config/settings_env.hpp"
#include "spec/limits.hpp"
#include "tls/certificate.hpp"
#include "tls/ciphers.hpp"
#include "tls/sibling.hpp"

namespace postern::config {
namespace {

using spec::Event;
using spec::Option;
namespace bit = spec::bit;

void wrong(Start& start, Event event, std::string sentence) {
  start.event = std::min(start.event, event);
  start.problems.push_back(std::move(sentence));
}

void take(Start& start, const std::vector<ForeignFinding>& findings) {
  for (const ForeignFinding& finding : findings) {
    if (finding.start == spec::ForeignStart::refuse) wrong(start, Event::connect_bad_value, finding.sentence);
    if (finding.start == spec::ForeignStart::warn) start.warnings.push_back(finding.sentence);
  }
}

bool is_settings_id(std::string_view id) {
  return id.size() <= 255 && std::ranges::all_of(id, [](char c) { return c > ' ' && c <= '~'; });
}

// Finds what is wrong. Of all that is, the event is the one that stands first in spec/events.toml: the least of the enum.
class Judge {
 public:
  Judge(std::span<char* const> arguments, const base::Environment& environment, std::string_view origin, Lists lists,
        const tls::TlsSibling* sibling)
      : arguments_(arguments), environment_(environment), origin_(origin), lists_(lists), sibling_(sibling) {}

  Start judge() {
    judge_values();
    judge_valid_recipients();
    for (std::string& problem : judge_dns_settings(start_, environment_, values_, origin_))
      wrong(Event::connect_bad_value, std::move(problem));
    judge_greylist();
    if (lists_ == Lists::here) judge_lists(start_);
    judge_controls();
    judge_backend();
    judge_settings();
    judge_check_program();
    judge_recipient_program();
    judge_userdb();
    judge_policy_services();
    judge_filters();
    judge_certificate_file();
    judge_hand_over();
    judge_relaying();
    judge_unknown_recipients();
    return std::move(start_);
  }

 private:
  void wrong(Event event, std::string sentence) { config::wrong(start_, event, std::move(sentence)); }

  void judge_values() {
    values_ = read_variables(environment_, origin_);
    for (const SettingProblem& problem : values_.problems()) wrong(Event::connect_bad_value, describe(problem));
    take(start_, find_foreign_variables(environment_, origin_));
    if (environment_.value_of("RELAYCLIENT").size() > spec::max_host_octets)
      wrong(Event::connect_bad_value,
            "RELAYCLIENT in " + std::string(origin_) + " is longer than 255 octets: shorten it");
    start_.greet_delay_seconds = static_cast<unsigned>(values_.number(Option::GREETDELAY).value_or(0));
    start_.has_delivered_to = is_set(Option::POSTERN_DELIVERED_TO);
    start_.hides_user = is_set(Option::POSTERN_HIDE_USER);
    start_.logs_decisions = is_set(Option::POSTERN_LOG_DECISIONS);
    start_.strict_addresses = is_set(Option::STRICT_ADDRESSES);
    start_.rejects_relay_requests = is_set(Option::RELAYREJ);
    start_.drops_early_talkers = is_set(Option::DROP_PRE_GREET);
    if (const auto descriptor = values_.number(Option::ERROR_FD))
      start_.error_descriptor = static_cast<int>(*descriptor);
  }

  [[nodiscard]] bool is_set(Option option) const { return values_.flag(option).value_or(false); }

  // What is there and cannot be read may pass: then recipients are deferred.
  void judge_valid_recipients() {
    start_.max_unknown_recipients = values_.number(Option::VALIDRCPTTO_LIMIT).value_or(spec::max_unknown_recipients);
    start_.valid_recipients = environment_.value_of("VALIDRCPTTO_CDB");
    auto problem = find_problem_of_valid_recipients(start_.valid_recipients, CdbLook::header);
    if (!problem) return;
    if (problem->kind == ListProblem::Kind::missing)
      return wrong(Event::connect_bad_value, std::move(problem->sentence));
    start_.warnings.push_back(std::move(problem->sentence));
  }

  void judge_greylist() {
    start_.greylist_seconds = static_cast<unsigned>(values_.number(Option::GREYLIST).value_or(0));
    if (start_.greylist_seconds != 0 && lists_ == Lists::here)
      wrong(Event::connect_bad_value, greylist_needs_serve(origin_));
  }

  // A malformed control file is a bad value, one that cannot be read is no control at all.
  template <typename Value>
  std::optional<Value> value_of(ControlResult<Value> result) {
    if (result) return *result;
    const bool is_malformed = result.error().kind == ControlProblem::Kind::malformed;
    wrong(is_malformed ? Event::connect_bad_value : Event::connect_no_controls, describe(result.error()));
    return std::nullopt;
  }

  void judge_controls() {
    start_.host = find_host();
    if (start_.host.empty()) {
      wrong(Event::connect_no_controls,
            "no host name to greet with: write it into control/me (or control/smtpgreeting, or SMTPGREETING)");
    } else if (start_.host.size() > spec::max_host_octets) {
      wrong(Event::connect_bad_value,
            "the greeting is longer than 255 octets: shorten SMTPGREETING or control/smtpgreeting");
    }
    std::optional<std::uint64_t> databytes = values_.number(Option::DATABYTES);
    if (!databytes) databytes = value_of(read_number("databytes", &start_.warnings));
    start_.has_databytes = databytes.has_value();
    start_.databytes = databytes.value_or(0);
    std::optional<std::uint64_t> recipients = values_.number(Option::MAXRCPT);
    if (environment_.value_of("MAXRCPT").empty()) recipients = value_of(read_number("maxrcpt", &start_.warnings));
    start_.max_recipients =
        std::min<std::uint64_t>(least_recipients(recipients).value_or(spec::max_recipients), spec::max_recipients);
    start_.tls_ciphers = environment_.value_of("TLSCIPHERS");
    if (start_.tls_ciphers.empty())
      start_.tls_ciphers = value_of(read_line("tlsserverciphers", &start_.warnings)).value_or(std::string());
    start_.timeout_seconds = timeout_seconds(value_of(read_number("timeoutsmtpd", &start_.warnings)));
  }

  std::string find_host() {
    if (const std::string_view greeting = environment_.value_of("SMTPGREETING"); !greeting.empty())
      return std::string(greeting);
    std::string host = value_of(read_line("smtpgreeting", &start_.warnings)).value_or(std::string());
    return host.empty() ? value_of(read_line("me", &start_.warnings)).value_or(std::string()) : host;
  }

  void judge_backend() {
    if (environment_.has("AUTH_CDB")) {
      start_.auth_cdb = environment_.value_of("AUTH_CDB");
      start_.backend = BackendKind::auth_cdb;
      if (inspect_cdb(start_.auth_cdb.c_str(), CdbLook::header) != CdbCondition::usable)
        wrong(Event::connect_no_auth_cdb,
              "AUTH_CDB=\"" + start_.auth_cdb + "\" is not a readable cdb file: make it, or unset AUTH_CDB");
    } else if (has_check_program(arguments_)) {
      start_.backend = BackendKind::check_program;
    }
  }

  void judge_settings() {
    spec::Guards& guards = start_.settings_and_facts;
    guards.set(bit::backend, start_.backend != BackendKind::none);
    const GivenSettings given = given_settings(values_);
    guards.bits |= given.values;
    guards = spec::with_defaults(guards, given.bits);
    guards.set(bit::relay_client, environment_.has("RELAYCLIENT"));
  }

  // Looked at only where a client could have it run.
  void judge_check_program() {
    if (start_.backend != BackendKind::check_program || !start_.settings_and_facts.has(bit::AUTH)) return;
    const std::string name = arguments_[1];
    const std::string path = base::find_program(name, environment_);
    const std::string objection = path.empty() ? "is in no folder of PATH" : base::objection_to_program(path);
    if (!objection.empty())
      wrong(Event::connect_bad_value, "the check program " + name + " cannot be run: it " + objection +
                                          (objection.contains(": ") ? "" : ": name a program, or set AUTH=0"));
  }

  // Recipients are deferred until it can be run, and the server goes on.
  void judge_recipient_program() {
    start_.recipient_program = environment_.value_of("RCPTCHECK");
    std::string problem = find_problem_of_recipient_program(start_.recipient_program, origin_);
    if (!problem.empty()) start_.warnings.push_back(std::move(problem));
  }

  // Each recipient finds out whether anything listens there.
  void judge_userdb() {
    const std::string_view address = environment_.value_of("POSTERN_USERDB");
    if (address.empty()) return;
    auto parsed = parse_service_address(address, example_userdb_port);
    if (!parsed)
      return wrong(Event::connect_bad_value, "POSTERN_USERDB=\"" + std::string(address) + "\" in " +
                                                 std::string(origin_) + ": " + parsed.error());
    start_.userdb = std::move(*parsed);
  }

  // The same.
  void judge_policy_services() {
    start_.takes_unjudged = is_set(Option::POSTERN_POLICY_FAILURE);
    auto services = parse_policy_services(environment_.value_of("POSTERN_POLICY_SERVICE"));
    if (!services)
      return wrong(Event::connect_bad_value,
                   "POSTERN_POLICY_SERVICE in " + std::string(origin_) + ": " + services.error());
    start_.policy_services = std::move(*services);
  }

  // Each message finds out whether anything listens there.
  void judge_filters() {
    start_.takes_unfiltered = is_set(Option::POSTERN_FILTER_FAILURE);
    start_.filter_max_octets = values_.number(Option::POSTERN_FILTER_MAX_OCTETS).value_or(spec::default_filter_octets);
    start_.rspamd_settings = environment_.value_of("POSTERN_RSPAMD_SETTINGS");
    if (!is_settings_id(start_.rspamd_settings))
      wrong(Event::connect_bad_value,
            "POSTERN_RSPAMD_SETTINGS in " + std::string(origin_) +
                " is one word of at most 255 printable octets: write an id of the module settings");
    auto filters = parse_filters(environment_.value_of("POSTERN_FILTERS"));
    if (!filters)
      return wrong(Event::connect_bad_value, "POSTERN_FILTERS in " + std::string(origin_) + ": " + filters.error());
    start_.filters = std::move(*filters);
  }

  // Looked at only where STARTTLS could use it (seed: DENY_TLS; deviation D12).
  void judge_certificate_file() {
    const tls::CertificatePlace place =
        tls::certificate_place(environment_.value_of("TLS_SERVER_CERT"), environment_.value_of("TLS_SERVER_KEY"));
    start_.certificate_path = place.files.certificate;
    start_.key_path = place.files.key;
    if (start_.settings_and_facts.has(bit::SSL | bit::DENY_TLS)) return;
    const tls::CertificateJudgement judgement = tls::judge_certificate(place);
    if (judgement.state == tls::CertificateState::broken) wrong(Event::connect_broken_certificate, judgement.reason);
    if (judgement.state == tls::CertificateState::absent)
      start_.warnings.push_back("STARTTLS is off: there is no " + start_.certificate_path);
    if (judgement.state == tls::CertificateState::usable && sibling_can_serve(judgement))
      start_.settings_and_facts.set(bit::certificate, true);
  }

  // A broken installation is a broken certificate. Too little memory is the operator's wish, as long as FORCE_TLS says
  // nothing else.
  bool sibling_can_serve(const tls::CertificateJudgement& judgement) {
    if (sibling_ == nullptr) return true;
    std::string problem = sibling_->absence();
    const std::string lack = problem.empty() ? tls::lack_of_memory_for_tls() : std::string();
    if (!lack.empty()) {
      start_.warnings.push_back("STARTTLS is off: " + lack);
      return false;
    }
    const std::string& ciphers = start_.tls_ciphers;
    const bool is_certain =
        judgement.is_certain && (ciphers.empty() || tls::surely_selects(ciphers, judgement.key_kind));
    if (problem.empty() && !is_certain) problem = sibling_->objection(environment_);
    if (problem.empty()) return true;
    wrong(Event::connect_broken_certificate, std::move(problem));
    return false;
  }

  // The first that is named: QMAILQUEUE, POSTERN_LMTP, POSTERN_MAILDIR; without any, the queue program of the home.
  // POSTERN_DISCARD=1 is before them all: a measurement must not fill a queue by mistake.
  void judge_hand_over() {
    if (is_set(Option::POSTERN_DISCARD)) {
      start_.hand_over = HandOverKind::discard;
      start_.warnings.push_back("POSTERN_DISCARD=1: all mail is accepted and thrown away");
      return;
    }
    const std::string_view queue = environment_.value_of("QMAILQUEUE");
    const std::string_view cluster = environment_.value_of("POSTERN_LMTP");
    const std::string_view root = environment_.value_of("POSTERN_MAILDIR");
    if (queue.empty() && !cluster.empty()) return judge_cluster(cluster);
    if (queue.empty() && !root.empty()) return judge_maildir(root);
    start_.hand_over_path = queue.empty() ? "bin/qmail-queue" : queue;
    start_.hand_over = HandOverKind::queue_program;
    const std::string objection = base::objection_to_program(start_.hand_over_path);
    if (objection.contains(": "))
      no_hand_over("cannot run " + start_.hand_over_path + ": it " + objection);
    else if (!objection.empty())
      no_hand_over("cannot run " + start_.hand_over_path +
                   ": set QMAILQUEUE to a queue program, POSTERN_LMTP to an address, or POSTERN_MAILDIR to a folder");
  }

  // Each message finds out whether anything listens there: a mail cluster that is down for now does not refuse the start.
  void judge_cluster(std::string_view address) {
    start_.hand_over_path = address;
    start_.hand_over = HandOverKind::lmtp;
    if (const auto parsed = parse_lmtp_address(address); !parsed)
      no_hand_over("POSTERN_LMTP=\"" + start_.hand_over_path + "\" in " + std::string(origin_) + ": " + parsed.error());
  }

  void judge_maildir(std::string_view root) {
    start_.hand_over_path = root;
    start_.hand_over = HandOverKind::maildir;
    if (!is_usable_maildir_root(start_.hand_over_path))
      no_hand_over("POSTERN_MAILDIR=\"" + start_.hand_over_path +
                   "\" is not a folder that this user can write in: make it");
  }

  // deviation D25
  void judge_relaying() {
    const bool ends_here = delivers_itself(start_.hand_over);
    const bool relays = values_.flag(Option::POSTERN_RELAY).value_or(!ends_here);
    start_.settings_and_facts.set(bit::local_only, !relays);
    if (relays && ends_here)
      start_.warnings.push_back(
          "POSTERN_RELAY=1: mail to other domains is accepted too, and goes where mail to ours goes; something there "
          "must send it on");
  }

  void judge_unknown_recipients() {
    if (!is_set(Option::POSTERN_UNKNOWN_RECIPIENTS)) return;
    start_.refuses_without_mailbox = start_.hand_over == HandOverKind::maildir;
    start_.asks_mail_cluster = start_.hand_over == HandOverKind::lmtp;
    if (!delivers_itself(start_.hand_over) && start_.hand_over != HandOverKind::none)
      start_.warnings.push_back(
          "POSTERN_UNKNOWN_RECIPIENTS=refuse: mail goes neither into a Maildir nor to a mail cluster here, so no "
          "recipient "
          "is refused by it; set POSTERN_MAILDIR or POSTERN_LMTP alone, or name the recipients in VALIDRCPTTO_CDB");
  }

  void no_hand_over(std::string sentence) {
    start_.hand_over = HandOverKind::none;
    wrong(Event::connect_no_hand_over, std::move(sentence));
  }

  std::span<char* const> arguments_;
  const base::Environment& environment_;
  std::string_view origin_;
  Lists lists_;
  const tls::TlsSibling* sibling_;
  VariableValues values_;
  Start start_;
};

}  // namespace

std::string own_domain(const Start& start) {
  if (const auto me = read_line("me"); me) {
    if (const std::optional<std::string>& name = *me; name && !name->empty()) return *name;
  }
  return std::string(host_name(start));
}

std::string greylist_needs_serve(std::string_view origin) {
  return "GREYLIST in " + std::string(origin) +
         ": postern-smtpd is one process for each client, and cannot know those before: unset it, and run jgreylist "
         "before postern-smtpd, or name postgrey in POSTERN_POLICY_SERVICE; or let postern serve listen";
}

Start judge_start(std::span<char* const> arguments, const base::Environment& environment, std::string_view origin,
                  Lists lists, const tls::TlsSibling* sibling) {
  return Judge(arguments, environment, origin, lists, sibling).judge();
}

void judge_lists(Start& start, Domains domains) {
  const auto judge = [&](std::string_view name, EntryKind kind) {
    const auto text = read_list(name);
    if (!text || !*text) return;  // what cannot be read is reported, and asked again, at each recipient
    const auto judged = judge_list(name, **text, kind, &start.warnings);
    if (!judged) wrong(start, Event::connect_bad_value, describe(judged.error()));
  };
  if (domains == Domains::in_file) judge("rcpthosts", EntryKind::domains);
  judge("badmailfrom", EntryKind::addresses);
  judge("badrcptto", EntryKind::addresses);
  take(start, find_foreign_files());
  const auto literal = read_line("localiphost", &start.warnings);
  if (!literal && literal.error().kind == ControlProblem::Kind::malformed)
    wrong(start, Event::connect_bad_value, describe(literal.error()));
}

SizeAndRecipients read_limits(const Start& start, const base::Environment& environment) {
  const auto recipients = least_recipients(read_number(environment, Option::MAXRCPT));
  return {.databytes = read_number(environment, Option::DATABYTES).value_or(start.databytes),
          .max_recipients = std::min<std::size_t>(recipients.value_or(start.max_recipients), spec::max_recipients)};
}

}  // namespace postern::config
