#include "cli/detected_facts.hpp"

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "ask/auth_records.hpp"
#include "ask/rcpthosts.hpp"
#include "ask/valid_records.hpp"
#include "config/cdb_file.hpp"
#include "config/control.hpp"
#include "config/foreign_settings.hpp"
#include "config/lmtp_address.hpp"
#include "config/maildir_limits.hpp"
#include "config/start.hpp"
#include "tls/certificate.hpp"
#include "tls/context.hpp"

namespace postern::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* default_home = "/var/qmail";

// The control files are read in the current folder.
class InFolder {
 public:
  explicit InFolder(const fs::path& folder) : before_(fs::current_path()) { fs::current_path(folder); }
  ~InFolder() { fs::current_path(before_, ignored_); }
  InFolder(const InFolder&) = delete;
  InFolder& operator=(const InFolder&) = delete;

 private:
  fs::path before_;
  std::error_code ignored_;
};

class Looker {
 public:
  Looker(const audit::Policy& policy, const Variables& variables, const audit::SaidFacts& said)
      : policy_(policy), variables_(variables), said_(said) {
    const std::string home = variables.value_of("POSTERN_HOME");
    home_ = home.empty() ? default_home : home;
    has_home_ = said.home_is_here || fs::is_directory(home_ / "control");
  }

  DetectedFacts look() {
    look_for_backend();
    look_for_certificate();
    look_for_rcpthosts();
    look_for_cluster();
    look_for_maildir();
    look_for_foreign_settings();
    if (has_home_ && said_.home_is_here) look_for_valid_recipients();
    if (has_home_ && !said_.home_is_here) look_at_start();
    found_.facts.relay_client = said_.relay_client.value_or(variables_.has("RELAYCLIENT"));
    found_.facts.local_only = said_.local_only.value_or(is_local_only());
    return std::move(found_);
  }

 private:
  void refuse(spec::Event event, std::string id, std::string text) {
    if (found_.event == spec::Event::connect_ready) found_.event = event;
    const spec::RuleRow& rule = policy_.rule(policy_.decide(spec::start({}), event).row->rule);
    found_.advice.push_back({audit::Grade::refusal, std::move(id), std::move(text), rule.source});
  }

  void look_for_backend() {
    if (said_.backend) {
      found_.facts.backend = said_.backend;
      found_.backend_from = "given by --backend";
      return;
    }
    const std::string file = variables_.value_of("AUTH_CDB");
    if (!variables_.has("AUTH_CDB")) {
      const bool is_assumed = variables_.value_of("AUTH") == "1";
      found_.facts.backend = is_assumed;
      found_.backend_from = is_assumed
                                ? "assumed with AUTH=1: a check program on the command line cannot be seen from here"
                                : "no AUTH_CDB; a check program cannot be seen from here, use --backend yes";
      return;
    }
    found_.facts.backend = true;
    found_.backend_from = "AUTH_CDB=" + file;
    const fs::path path = home_ / file;
    const bool can_be_seen = has_home_ || fs::path(file).is_absolute();
    if (can_be_seen && config::inspect_cdb(path.c_str(), config::CdbLook::whole) != config::CdbCondition::usable)
      refuse(spec::Event::connect_no_auth_cdb, "no_auth_cdb",
             "AUTH_CDB=\"" + file + "\" is not a readable cdb file: make it, or unset AUTH_CDB");
  }

  void look_for_certificate() {
    if (said_.certificate) {
      found_.facts.certificate = said_.certificate;
      found_.certificate_from = "given by --certificate";
      return;
    }
    tls::CertificatePlace place = place_of_certificate();
    if (!has_home_ && !fs::path(place.files.certificate).is_absolute()) {
      found_.facts.certificate = true;
      found_.certificate_from = "assumed: there is no " + (home_ / "control").string() + " here";
      return;
    }
    place.files.certificate = (home_ / place.files.certificate).string();
    if (!place.files.key.empty()) place.files.key = (home_ / place.files.key).string();
    const tls::CertificateJudgement judgement = tls::judge_certificate(place);
    found_.facts.certificate = judgement.state == tls::CertificateState::usable;
    const bool is_absent = judgement.state == tls::CertificateState::absent;
    found_.certificate_from = (is_absent ? "there is no " : "") + place.files.certificate;
    // Looked at only where STARTTLS could use it, as postern-smtpd does.
    const bool is_implicit = variables_.value_of("SSL") == "1";
    const std::string objection =
        judgement.state == tls::CertificateState::usable ? objection_of_openssl(place.files) : judgement.reason;
    if (objection.empty() || (!is_implicit && variables_.value_of("DENY_TLS") == "1")) return;
    if (!is_implicit) return refuse(spec::Event::connect_broken_certificate, "broken_certificate", objection);
    found_.advice.push_back({audit::Grade::warning, "broken_certificate",
                             objection + ". With SSL=1 nobody is served, unless a program before postern-smtpd "
                                         "encrypts and sets PROTO=SSL",
                             "deviations D9, D12"});
  }

  [[nodiscard]] tls::CertificatePlace place_of_certificate() const {
    return tls::certificate_place(variables_.value_of("TLS_SERVER_CERT"), variables_.value_of("TLS_SERVER_KEY"));
  }

  // What will serve is asked, down to a handshake in memory.
  [[nodiscard]] std::string objection_of_openssl(const tls::CertificateFiles& files) const {
    std::string ciphers = variables_.value_of("TLSCIPHERS");
    if (ciphers.empty() && has_home_) {
      const InFolder home(home_);
      if (auto line = config::read_line("tlsserverciphers"); line && *line) ciphers = **std::move(line);
    }
    const auto context = tls::TlsContext::load({.certificate_path = files.certificate,
                                                .ciphers = ciphers,
                                                .now_seconds = std::time(nullptr),
                                                .key_path = files.key});
    if (!context) return context.error();
    const auto tried = context->try_handshake();
    return tried ? "" : tried.error();
  }

  void look_for_rcpthosts() {
    if (!has_home_) return;
    const InFolder home(home_);
    ask::RcptHosts hosts;
    hosts.read();
    if (const std::string why(hosts.why_none_is_ours()); !why.empty())
      found_.advice.push_back({audit::Grade::warning, "no_rcpthosts",
                               why + " (the original takes mail for every domain without it, an open relay)",
                               "deviation D12"});
  }

  // Serve says the rest itself.
  void look_for_valid_recipients() {
    const InFolder home(home_);
    auto problem =
        config::find_problem_of_valid_recipients(variables_.value_of("VALIDRCPTTO_CDB"), config::CdbLook::header);
    if (problem && problem->kind == config::ListProblem::Kind::missing)
      refuse(spec::Event::connect_bad_value, "no_list_of_recipients", std::move(problem->sentence));
  }

  // The only way to hand over that can be judged from anywhere: its address is wrong here and there alike.
  void look_for_cluster() {
    const std::string address = variables_.value_of("POSTERN_LMTP");
    const bool goes_elsewhere =
        !variables_.value_of("QMAILQUEUE").empty() || variables_.value_of("POSTERN_DISCARD") == "1";
    if (address.empty() || goes_elsewhere) return;
    if (const auto parsed = config::parse_lmtp_address(address); !parsed)
      refuse(spec::Event::connect_no_hand_over, "no_hand_over", "POSTERN_LMTP=\"" + address + "\": " + parsed.error());
    else if (variables_.value_of("POSTERN_UNKNOWN_RECIPIENTS") == "refuse")
      found_.advice.push_back(
          {audit::Grade::note, "mail_cluster_asked",
           "POSTERN_UNKNOWN_RECIPIENTS=refuse: the mail cluster " + address +
               " is asked about each recipient of ours, by MAIL FROM:<>, RCPT and RSET: one that it "
               "refuses gets 550, and 451 while it cannot be asked",
           "docs/decisions/0021-ask-the-mail-cluster.md"});
  }

  // A root that is not on this machine is not looked at.
  void look_for_maildir() {
    const std::string root = variables_.value_of("POSTERN_MAILDIR");
    const bool goes_elsewhere = !variables_.value_of("QMAILQUEUE").empty() ||
                                !variables_.value_of("POSTERN_LMTP").empty() ||
                                variables_.value_of("POSTERN_DISCARD") == "1";
    if (root.empty() || goes_elsewhere || said_.home_is_here) return;  // serve says it itself
    for (std::string& sentence : config::maildir_limits((home_ / root).string()))
      found_.advice.push_back(
          {audit::Grade::warning, "maildir_root", std::move(sentence), "link(2); open(2): O_TMPFILE"});
  }

  // As lib/config/start.cpp has it (deviation D25).
  [[nodiscard]] bool is_local_only() const {
    const std::string relays = variables_.value_of("POSTERN_RELAY");
    if (relays == "0" || relays == "1") return relays == "0";
    if (!variables_.value_of("QMAILQUEUE").empty() || variables_.value_of("POSTERN_DISCARD") == "1") return false;
    return !variables_.value_of("POSTERN_LMTP").empty() || !variables_.value_of("POSTERN_MAILDIR").empty();
  }

  // Everything else that postern-smtpd would refuse or warn of in this home, in its words.
  void look_at_start() {
    const InFolder home(home_);
    const std::vector<const char*> pointers = variables_.environment();
    const base::Environment environment(pointers.data());
    const config::Start start = config::judge_start({}, environment, variables_.origin);
    const std::string certificate = tls::judge_certificate(place_of_certificate()).reason;  // look_for_certificate()
    const bool is_of_certificate = start.event == spec::Event::connect_broken_certificate;
    for (const std::string& problem : start.problems)
      if (problem != certificate)
        refuse(is_of_certificate ? spec::Event::connect_bad_value : start.event, "start", problem);
    ask::RcptHosts ours;
    ours.read();
    for (std::vector<std::string> more : {ask::judge_more_rcpthosts(), ask::judge_auth_records(start.auth_cdb),
                                          ask::judge_valid_records(start.valid_recipients, ours)})
      for (std::string& warning : more)
        found_.advice.push_back({audit::Grade::warning, "records", std::move(warning), "docs/operating.md"});
    for (const std::string& warning : start.warnings)
      if (!warning.starts_with("STARTTLS is off"))  // advice.cpp says what that means for these settings
        found_.advice.push_back({audit::Grade::warning, "start", warning, "docs/operating.md"});
  }

  void look_for_foreign_settings() {
    const std::vector<const char*> pointers = variables_.environment();
    for (const auto& found : config::find_foreign_variables(base::Environment(pointers.data()), variables_.origin)) {
      if (found.start == spec::ForeignStart::refuse)
        refuse(spec::Event::connect_bad_value, "foreign_setting", found.sentence);
      else
        found_.advice.push_back({found.start == spec::ForeignStart::warn ? audit::Grade::warning : audit::Grade::note,
                                 "foreign_name", found.sentence, "spec/foreign.toml"});
    }
  }

  const audit::Policy& policy_;
  const Variables& variables_;
  audit::SaidFacts said_;
  fs::path home_;
  bool has_home_ = false;
  DetectedFacts found_;
};

}  // namespace

DetectedFacts detect_facts(const audit::Policy& policy, const Variables& variables, const audit::SaidFacts& said) {
  return Looker(policy, variables, said).look();
}

}  // namespace postern::cli
