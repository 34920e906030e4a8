#include "audit/advice.hpp"

#include <algorithm>

#include "audit/reason.hpp"

namespace postern::audit {
namespace {

namespace bit = spec::bit;
using Bits = std::vector<std::uint64_t>;

class Adviser {
 public:
  Adviser(const Policy& policy, const Comparison& comparison, const Explanation& explanation, Clients clients)
      : policy_(policy),
        comparison_(comparison),
        explanation_(explanation),
        clients_(clients),
        guards_(explanation.configuration.settings_and_facts),
        port_(explanation.configuration.port) {}

  void count(const std::vector<Advice>& advice, AdviceCounts& counts) {
    for (const Advice& each : advice) ++counts[static_cast<std::size_t>(each.grade)];
  }

  std::vector<Advice> advise() {
    if (!explanation_.is_live()) {
      tell_refusal();
    } else {
      tell_passwords();
      tell_relaying();
      tell_local_only();
      tell_strangers_on_port_25();
      tell_port();
      tell_missing_certificate();
      for (const spec::Setting& setting : policy_.model().settings) tell_if_idle(setting);
    }
    std::ranges::stable_sort(advice_, {}, &Advice::grade);
    return std::move(advice_);
  }

 private:
  void tell(Grade grade, std::string id, std::string text, std::string source) {
    advice_.push_back({grade, std::move(id), std::move(text), std::move(source)});
  }

  void tell_refusal() {
    const auto reason = reason_of_refusal(policy_, explanation_.configuration);
    std::string text = reason ? reason->sentence : "nothing can be accepted";
    if (reason && !reason->fixes.empty()) {
      text += ". To fix it, one of:";
      for (const std::string& fix : reason->fixes) text += (&fix == &reason->fixes.front() ? " " : ", or ") + fix;
    }
    const bool is_dead = explanation_.verdict == Verdict::dead;
    tell(Grade::refusal, is_dead ? "dead" : "refused", std::move(text),
         policy_.rule(explanation_.start.row->rule).source);
  }

  void tell_passwords() {
    if (!explanation_.password_in_clear) return;
    tell(Grade::danger, "password_in_clear",
         "passwords can cross the network in clear: AUTH is advertised and obeyed before the channel is encrypted. "
         "Do that only where something else secures the path (a VPN, one machine)",
         "seed: ALLOW_INSECURE_AUTH; RFC 4954 4, 9");
    if (guards_.has(bit::FORCE_TLS) && !explanation_.mail_in_clear)
      tell(Grade::danger, "force_tls_does_not_stop_auth",
           "FORCE_TLS=1 does not stop AUTH in clear: it delays MAIL only. Set ALLOW_INSECURE_AUTH=0",
           "seed: FORCE_TLS (\"not accept ANY incoming mail\"), ALLOW_INSECURE_AUTH");
  }

  void tell_relaying() {
    if (!explanation_.relays_for_strangers) return;
    const std::string source = "qmail-smtpd(8): RELAYCLIENT; RFC 5321 7.1";
    switch (clients_) {
      case Clients::everybody:
        return tell(Grade::danger, "open_relay",
                    "an open relay: RELAYCLIENT is set for every client, and each may send to any domain without AUTH. "
                    "Set it for your own networks only",
                    source);
      case Clients::unknown:
        return tell(Grade::warning, "relayclient",
                    "a client with RELAYCLIENT may send to any domain without AUTH: right for your own networks; where "
                    "every client has it this is an open relay",
                    source);
      case Clients::chosen:
        return tell(Grade::note, "relayclient", "these clients may send to any domain without AUTH (RELAYCLIENT)",
                    source);
    }
  }

  // A user who sends outside gets 550, and mail clients show it to their users.
  void tell_local_only() {
    if (!guards_.has(bit::local_only)) return;
    const bool can_authenticate = std::ranges::any_of(
        explanation_.situations, [](const Situation& each) { return each.authentication == "done"; });
    if (!can_authenticate && !guards_.has(bit::relay_client)) return;
    tell(
        Grade::note, "relays_no_mail",
        std::string(can_authenticate ? "users who have authenticated" : "clients with RELAYCLIENT") +
            " may send to our own domains only; other recipients are answered 550: a Maildir or a mail cluster carries "
            "no mail to other domains. Name a queue program that does (QMAILQUEUE), or set POSTERN_RELAY=1 where "
            "something sends on what is stored there",
        "deviation D25; RFC 5321 3.6.2");
  }

  // What a server that the world's MX records name must do is take mail for its own domains from anybody in clear.
  void tell_strangers_on_port_25() {
    if (port_ != 25) return;
    const Situation* clear = explanation_.situation("clear", "none");
    if (clear == nullptr) {
      tell(Grade::warning, "tls_first_on_port_25",
           "SSL=1 on port 25: other servers speak SMTP in clear there and will not get through; 465 is the port for it",
           "seed: table, row SSL; RFC 8314 3.3");
      return;
    }
    const Gate& ours = clear->gate("RCPT ours");
    if (ours.is_open) return;
    if (ours.decision.row->rule == spec::Rule::mail_starttls_first)
      tell(Grade::warning, "force_tls_on_port_25",
           "FORCE_TLS=1 on port 25: a server that an MX record names must not require STARTTLS to deliver mail to its "
           "own domains; 587 is the port for it",
           "RFC 3207 4");
    const Situation* tls = explanation_.situation("starttls", "none");
    const bool asks_for_auth = guards_.has(bit::REQUIRE_AUTH) && (tls == nullptr || !tls->gate("RCPT ours").is_open);
    if (asks_for_auth)
      tell(Grade::warning, "require_auth_on_port_25",
           "REQUIRE_AUTH=1 on port 25: other servers have mail for your domains and no password here, and are refused",
           "seed: red text; RFC 3207 4 (by analogy); RFC 6409 4.3");
  }

  void tell_port() {
    const bool is_implicit = explanation_.situation("clear", "none") == nullptr;
    if (port_ == 465 && !is_implicit)
      tell(Grade::warning, "clear_on_port_465",
           "port 465 without SSL=1: clients begin with a TLS handshake there and will not understand", "RFC 8314 3.3");
    if (port_ == 587 && is_implicit)
      tell(Grade::warning, "tls_first_on_port_587",
           "SSL=1 on port 587: clients begin in clear there and say STARTTLS; 465 is the port for it", "RFC 8314 3.3");
    const bool is_submission = port_ == 465 || port_ == 587;
    if (is_submission && explanation_.mail_in_clear)
      tell(Grade::warning, "submission_in_clear",
           "mail is taken in clear on a port for users: set FORCE_TLS=1 (587) or SSL=1 (465)", "RFC 8314 3.3, 4.1");
    if (is_submission && !guards_.has(bit::REQUIRE_AUTH))
      tell(Grade::note, "submission_without_auth",
           "a port for users that takes mail for your domains without AUTH: REQUIRE_AUTH=1 is usual there",
           "RFC 6409 4.3");
  }

  void tell_missing_certificate() {
    if (guards_.has(bit::certificate)) return;
    spec::Guards with = guards_;
    with.set(bit::certificate, true);
    if (!comparison_.words.alike(guards_, with))
      tell(Grade::warning, "no_certificate", "STARTTLS is off: there is no usable certificate", "seed: DENY_TLS");
  }

  // A setting that is 1 and could as well be 0.
  void tell_if_idle(const spec::Setting& setting) {
    const std::uint64_t bits = policy_.bit_of(setting.name);
    if (!guards_.has(bits)) return;
    const bool misleads = setting.name == "FORCE_TLS" || setting.name == "AUTH";
    const std::string name = policy_.written(bits, guards_);
    if (comparison_.words.alike(guards_, {guards_.bits ^ bits}))
      return tell(misleads ? Grade::warning : Grade::note, "idle_" + lower(setting.name),
                  name + " has no effect" + because(bits, comparison_.words), setting.source);
    if (comparison_.codes.alike(guards_, {guards_.bits ^ bits}))
      tell(Grade::note, "redundant_" + lower(setting.name),
           name + " changes only the words of a refusal" + because(bits, comparison_.codes), setting.source);
  }

  // The fewest other settings and facts that make it so.
  [[nodiscard]] std::string because(std::uint64_t bits, const Behaviours& behaviours) const {
    const Claim is_idle = [&](spec::Guards guards) { return behaviours.alike(guards, {guards.bits ^ bits}); };
    std::string text;
    for (const std::uint64_t cause : smallest_cause(policy_, guards_, all_fixed() & ~bits, is_idle).value_or(Bits{}))
      text += (text.empty() ? ", because of " : " and ") + policy_.written(cause, guards_);
    return text;
  }

  [[nodiscard]] std::uint64_t all_fixed() const {
    std::uint64_t all = 0;
    for (const spec::Variable* variable : policy_.fixed()) all |= spec::bits_of(*variable);
    return all;
  }

  static std::string lower(std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
  }

  const Policy& policy_;
  const Comparison& comparison_;
  const Explanation& explanation_;
  Clients clients_;
  spec::Guards guards_;
  unsigned port_;
  std::vector<Advice> advice_;
};

}  // namespace

std::string_view name_of(Grade grade) {
  switch (grade) {
    case Grade::refusal: return "refusal";
    case Grade::danger: return "danger";
    case Grade::warning: return "warning";
    case Grade::note: return "note";
  }
  return {};
}

void count(const std::vector<Advice>& advice, AdviceCounts& counts) {
  for (const Advice& each : advice) ++counts[static_cast<std::size_t>(each.grade)];
}

std::vector<Advice> advise(const Policy& policy, const Comparison& comparison, const Explanation& explanation,
                           Clients clients) {
  return Adviser(policy, comparison, explanation, clients).advise();
}

}  // namespace postern::audit
