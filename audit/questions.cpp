#include "audit/questions.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "audit/circumstances.hpp"
#include "audit/rule_witness.hpp"
#include "audit/text.hpp"
#include "spec/limits.hpp"

namespace postern::audit {
namespace {

using spec::Effect;

class Auditor {
 public:
  explicit Auditor(const Policy& policy) : policy_(policy) {
    for (const spec::Guards guards : policy.configurations()) {
      for (const Decision& decision : policy.walk(guards)) decisions_.push_back(decision);
    }
  }

  [[nodiscard]] std::vector<AuditorsAnswer> answers() const {
    return {password_in_clear(), mail_in_clear(),    strangers(),       relaying(),       relay_client(),
            mistakes(),          auth_attempts(),    refused_outside(), nobody_answers(), accepted_outside(),
            acceptance(),        what_tls_forgets(), no_greeting(),     closing()};
  }

 private:
  using Picks = std::function<bool(const Decision&)>;

  [[nodiscard]] Circumstances where(const Picks& picks) const {
    Circumstances found(policy_);
    for (const Decision& decision : decisions_)
      if (picks(decision)) found.add(decision.before);
    return found;
  }
  [[nodiscard]] std::string event_name(spec::Event event) const {
    return policy_.model().events[static_cast<std::size_t>(event)].name;
  }
  [[nodiscard]] std::string count_of(const Circumstances& found) const {
    return std::to_string(found.configurations()) + " of " + std::to_string(policy_.configurations().size()) +
           " configurations";
  }
  [[nodiscard]] std::string yes_where(const Circumstances& found) const {
    if (found.is_empty()) return "No, in no configuration.";
    const std::string text = found.text({"waiting", "greeting", "transaction", "errors_spent", "auth_attempts_spent"});
    return "In " + count_of(found) + (text.empty() ? "." : ", only with " + text + ".");
  }
  [[nodiscard]] std::string witness(std::string_view rule, const Circumstances& found) const {
    return found.is_empty() ? std::string() : witness_of(policy_, rule, found.plainest());
  }
  // `421 too many errors (#4.7.0)`
  [[nodiscard]] std::string reply_of(const Decision& decision) const {
    const spec::ReplyText& reply = policy_.model().replies[static_cast<std::size_t>(decision.row->reply)];
    return reply.code == 0 ? "no reply" : std::to_string(reply.code) + " " + reply.text;
  }

  [[nodiscard]] AuditorsAnswer password_in_clear() const {
    const auto found = where([](const Decision& d) {
      return d.before.has(spec::bit::channel_clear) && (d.code() == 334 || d.row->effect == Effect::check_credentials);
    });
    return {
        "May a password cross in clear?",
        yes_where(found),
        {"no_auth_on_cleartext_unless_allowed", "no_auth_without_backend", "auth_is_listed_only_where_it_may_be_used"},
        witness("auth.plain_check", found)};
  }

  [[nodiscard]] AuditorsAnswer mail_in_clear() const {
    const auto found = where(
        [](const Decision& d) { return d.before.has(spec::bit::channel_clear) && d.row->effect == Effect::hand_over; });
    return {"May a message be taken that crossed in clear?",
            yes_where(found),
            {"no_mail_before_tls_when_forced", "tls_implied_means_encrypted_mail"},
            witness("data_end.complete", found)};
  }

  [[nodiscard]] AuditorsAnswer strangers() const {
    const auto found = where([](const Decision& d) {
      return d.before.has(spec::bit::authentication_none) && d.row->effect == Effect::hand_over;
    });
    return {"May a client that has not authenticated hand over mail?",
            yes_where(found),
            {"no_mail_before_auth_when_required"},
            witness("data_end.complete", found)};
  }

  [[nodiscard]] AuditorsAnswer relaying() const {
    const auto takes = [](const Decision& d) {
      return d.event == spec::Event::recipient_foreign && d.row->effect == Effect::add_recipient;
    };
    const auto known =
        where([&](const Decision& d) { return takes(d) && d.before.has(spec::bit::authentication_done); });
    const auto others =
        where([&](const Decision& d) { return takes(d) && d.before.has(spec::bit::authentication_none); });
    const std::vector<std::string> but = {"waiting", "greeting", "transaction", "authentication"};
    return {"Who may send mail to other domains?",
            "After AUTH: only with " + known.text(but) + ". Without it: only with " + others.text(but) + ".",
            {"relaying_only_by_relayclient_or_auth", "no_foreign_mail_where_it_would_end"},
            witness("recipient.relayed", others)};
  }

  // `a -> b` for each decision that the bit changes, while the state stays as it is.
  [[nodiscard]] std::map<std::pair<std::string, std::string>, std::set<std::string>> changed_by(
      std::uint64_t bit) const {
    std::map<std::pair<std::string, std::string>, std::set<std::string>> changes;
    for (const Decision& without : decisions_) {
      if (without.before.has(bit)) continue;
      const Decision with = policy_.decide({without.before.bits | bit}, without.event);
      if (with.row->rule == without.row->rule) continue;
      changes[{std::string(without.rule()), std::string(with.rule())}].insert(event_name(without.event));
    }
    return changes;
  }

  [[nodiscard]] AuditorsAnswer relay_client() const {
    std::vector<std::string> parts;
    for (const auto& [rules, events] : changed_by(spec::bit::relay_client))
      parts.push_back(rules.second + " decides where " + rules.first + " would");
    return {
        "What does RELAYCLIENT let a client by-pass?",
        (parts.empty() ? "Nothing" : joined(parts, "; ")) + ". No other decision changes, in any state of any session.",
        {"relaying_only_by_relayclient_or_auth", "no_foreign_mail_where_it_would_end"},
        witness("recipient.relayed", where([](const Decision& d) {
                  return d.row->effect == Effect::add_recipient && d.event == spec::Event::recipient_foreign &&
                         d.before.has(spec::bit::authentication_none);
                }))};
  }

  // What a counted fact changes, when it is the only thing that differs.
  [[nodiscard]] std::string spent(std::uint64_t bit, std::string_view rule, const std::string& number) const {
    std::set<std::string> events, other_rules;
    std::string reply;
    for (const auto& [rules, at] : changed_by(bit)) {
      if (rules.second == rule)
        events.insert(at.begin(), at.end());
      else
        other_rules.insert(rules.second);
    }
    for (const Decision& decision : decisions_)
      if (decision.rule() == rule) reply = reply_of(decision);
    std::string text = "After " + number + " the next one of " + std::to_string(events.size()) +
                       " events is answered `" + reply +
                       "` and the session is closed: " + joined({events.begin(), events.end()}, ", ") + ".";
    if (!other_rules.empty()) text += " Also: " + joined({other_rules.begin(), other_rules.end()}, ", ") + ".";
    return text + " Every other event is decided as before.";
  }

  [[nodiscard]] AuditorsAnswer mistakes() const {
    return {"What does a client see that makes one mistake after another?",
            spent(spec::bit::errors_spent, "command.too_many_errors", std::to_string(spec::max_errors) + " mistakes"),
            {"a_mistake_is_permanent_an_outage_is_not", "nobody_is_sent_away_without_cause"},
            {}};
  }
  [[nodiscard]] AuditorsAnswer auth_attempts() const {
    return {"What does a client see that tries one password after another?",
            "A wrong one is answered after " + std::to_string(spec::auth_failure_delay_seconds) + " seconds. " +
                spent(spec::bit::auth_attempts_spent, "auth.too_many_attempts",
                      std::to_string(spec::max_auth_attempts) + " AUTH commands of one session"),
            {"guessing_is_slow_and_ends"},
            witness_of(policy_, "credentials.rejected")};
  }

  // `recipient: ours (250), foreign (250 or 550 or 553)`: events that answer a question, and the replies they lead to.
  [[nodiscard]] std::string outside(const std::function<bool(const Decision&)>& picks) const {
    std::vector<std::string> parts;
    for (const spec::QuestionText& question : policy_.model().questions) {
      std::map<std::string, std::set<std::string>> codes;
      for (const Decision& d : decisions_) {
        const spec::EventRow& event = policy_.model().events[static_cast<std::size_t>(d.event)];
        if (policy_.model().answers(event, question) && picks(d)) codes[event.name].insert(std::to_string(d.code()));
      }
      std::vector<std::string> events;
      for (const auto& [event, said] : codes)
        events.push_back(event + " (" + joined({said.begin(), said.end()}, " or ") + ")");
      if (!events.empty()) parts.push_back(question.name + ": " + joined(events, ", "));
    }
    return joined(parts, "; ");
  }

  [[nodiscard]] AuditorsAnswer refused_outside() const {
    return {"Which answer from outside the policy can refuse something?",
            outside([](const Decision& d) { return d.code() >= 400; }) + ".",
            {"recipients_are_judged_by_the_look_up", "only_the_hand_over_accepts_a_message",
             "only_the_backend_authenticates"},
            witness_of(policy_, "hand_over.refused")};
  }
  [[nodiscard]] AuditorsAnswer accepted_outside() const {
    return {"Which answer from outside the policy can accept something?",
            outside([](const Decision& d) { return d.code() >= 200 && d.code() < 300; }) +
                ". Each counts only while the session waits for it, and once.",
            {"recipients_are_judged_by_the_look_up", "only_the_hand_over_accepts_a_message",
             "only_the_backend_authenticates"},
            witness_of(policy_, "recipient.ours")};
  }
  [[nodiscard]] AuditorsAnswer nobody_answers() const {
    std::vector<std::string> parts;
    for (const spec::QuestionText& question : policy_.model().questions) {
      std::set<std::string> codes;
      for (const Decision& d : decisions_)
        if (static_cast<std::size_t>(d.event) == question.nobody) codes.insert(std::to_string(d.code()));
      parts.push_back(question.name + ": " + policy_.model().events[question.nobody].name + " (" +
                      joined({codes.begin(), codes.end()}, " or ") + ")" +
                      (question.seconds == 0 ? ", however long the answer takes"
                                             : ", at once or after " + std::to_string(question.seconds) + " seconds"));
    }
    return {"What happens when nobody answers a question?",
            joined(parts, "; ") + ".",
            {"a_mistake_is_permanent_an_outage_is_not"},
            witness_of(policy_, "recipient.unknowable")};
  }

  [[nodiscard]] AuditorsAnswer acceptance() const {
    std::set<std::string> events;
    for (const Decision& d : decisions_) {
      if (d.before.has(spec::bit::waiting_hand_over) && d.code() >= 200 && d.code() < 300)
        events.insert(event_name(d.event));
      if (d.before.has(spec::bit::waiting_mail_data) && d.code() >= 200 && d.code() < 300)
        events.insert(event_name(d.event));
    }
    return {"What acknowledges a message?",
            "250 after mail data follows " + joined({events.begin(), events.end()}, ", ") + " and nothing else.",
            {"only_the_hand_over_accepts_a_message", "spoiled_mail_data_is_never_kept"},
            witness_of(policy_, "hand_over.accepted")};
  }

  [[nodiscard]] AuditorsAnswer what_tls_forgets() const {
    Circumstances after(policy_);
    for (const Decision& d : decisions_)
      if (d.event == spec::Event::handshake_done) after.add(d.after);
    std::vector<std::string> settings;
    for (const spec::Variable* variable : policy_.fixed()) settings.push_back(variable->name);
    settings.insert(settings.end(), {"errors_spent", "auth_attempts_spent"});
    return {"What of a session in clear outlives STARTTLS?",
            "Nothing but the counts of mistakes and AUTH commands: after the handshake " + after.text(settings) + ".",
            {"starttls_forgets_everything", "no_way_back_to_cleartext"},
            witness_of(policy_, "handshake.done")};
  }

  [[nodiscard]] AuditorsAnswer no_greeting() const {
    std::map<std::string, std::size_t> rules;
    for (const spec::Guards guards : policy_.configurations())
      ++rules[std::string(policy_.decide(spec::start(guards), spec::Event::connect_ready).rule())];
    std::vector<std::string> parts;
    for (const auto& [rule, count] : rules)
      if (rule != "connect.greet") parts.push_back(rule + " in " + std::to_string(count));
    return {"With which settings is nobody greeted?",
            "Of " + std::to_string(policy_.configurations().size()) + " configurations: " + joined(parts, ", ") + ".",
            {"nobody_is_greeted_in_vain", "a_refused_start_tells_the_first_reason"},
            witness_of(policy_, "connect.dead")};
  }

  [[nodiscard]] AuditorsAnswer closing() const {
    std::map<std::string, std::set<std::string>> by_code;
    for (const Decision& d : decisions_)
      if (d.row->effect == Effect::close)
        by_code[d.code() == 0 ? "without a word" : std::to_string(d.code())].insert(std::string(d.rule()));
    for (const auto& rule : policy_.model().rules) {
      if (policy_.model().effects[rule.effect].name != "close") continue;
      const unsigned code = policy_.model().replies[rule.reply].code;
      by_code[code == 0 ? "without a word" : std::to_string(code)].insert(rule.id);
    }
    std::vector<std::string> parts;
    for (const auto& [code, rules] : by_code) parts.push_back(code + ": " + joined({rules.begin(), rules.end()}, ", "));
    return {"When does the server close a session?",
            joined(parts, "; ") + ".",
            {"nobody_is_sent_away_without_cause", "a_close_is_the_end"},
            witness_of(policy_, "quit")};
  }

  const Policy& policy_;
  std::vector<Decision> decisions_;
};

}  // namespace

std::vector<AuditorsAnswer> answer_auditor(const Policy& policy) { return Auditor(policy).answers(); }

}  // namespace postern::audit
