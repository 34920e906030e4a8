#include "audit/explanation.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>

namespace postern::audit {
namespace {

using spec::Event;
namespace bit = spec::bit;

// A gate is what becomes of a few events in a row; the first that is refused closes it.
struct GatePath {
  std::string_view name;
  std::vector<Event> events;
};

const std::vector<GatePath>& gate_paths() {
  static const std::vector<GatePath> paths = {
      {"STARTTLS", {Event::starttls}},
      {"AUTH", {Event::auth_plain}},
      {"MAIL", {Event::mail_valid}},
      {"RCPT ours", {Event::mail_valid, Event::rcpt_valid, Event::recipient_ours}},
      {"RCPT other", {Event::mail_valid, Event::rcpt_valid, Event::recipient_foreign}},
  };
  return paths;
}

Gate try_gate(const Policy& policy, spec::Guards state, const GatePath& path) {
  Gate gate{.name = std::string(path.name), .is_open = true, .decision = {}};
  for (const Event event : path.events) {
    gate.decision = policy.decide(state, event);
    if (gate.decision.is_refusal()) {
      gate.is_open = false;
      return gate;
    }
    state = gate.decision.after;
  }
  return gate;
}

struct Place {
  std::uint64_t channel, authentication;
  std::string_view name, channel_name, authentication_name;
};

constexpr std::array places = {
    Place{bit::channel_clear, bit::authentication_none, "in clear", "clear", "none"},
    Place{bit::channel_clear, bit::authentication_done, "in clear, authenticated", "clear", "done"},
    Place{bit::channel_starttls, bit::authentication_none, "after STARTTLS", "starttls", "none"},
    Place{bit::channel_starttls, bit::authentication_done, "after STARTTLS, authenticated", "starttls", "done"},
    Place{bit::channel_implicit, bit::authentication_none, "in TLS from the start", "implicit", "none"},
    Place{bit::channel_implicit, bit::authentication_done, "in TLS from the start, authenticated", "implicit", "done"},
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

Situation describe(const Policy& policy, const Place& place, spec::Guards greeted) {
  Situation situation{.name = std::string(place.name),
                      .channel = std::string(place.channel_name),
                      .authentication = std::string(place.authentication_name),
                      .ehlo = lines_of(Policy::reply_text(policy.decide(greeted, Event::ehlo))),
                      .gates = {}};
  for (const GatePath& path : gate_paths()) situation.gates.push_back(try_gate(policy, greeted, path));
  return situation;
}

// After an EHLO was answered, before any transaction.
void add_situations(const Policy& policy, const std::vector<Decision>& decisions, Explanation& explanation) {
  for (const Place& place : places) {
    const auto found = std::ranges::find_if(decisions, [&](const Decision& d) {
      return d.event == Event::ehlo && !d.is_refusal() && d.after.has(place.channel) &&
             d.after.has(place.authentication);
    });
    if (found != decisions.end()) explanation.situations.push_back(describe(policy, place, found->after));
  }
}

void judge(Explanation& explanation, const Decision& d) {
  const bool is_clear = d.before.has(bit::channel_clear);
  const bool wants_password =
      d.row->effect == spec::Effect::check_credentials || spec::reply_row(d.row->reply).code == 334;
  explanation.password_in_clear |= is_clear && wants_password;
  explanation.mail_in_clear |= is_clear && d.row->effect == spec::Effect::hand_over;
  const bool is_stranger_taken = d.row->effect == spec::Effect::add_recipient && d.before.has(bit::authentication_none);
  explanation.mail_from_strangers |= is_stranger_taken && is_clear && d.event == Event::recipient_ours;
  explanation.relays_for_strangers |= is_stranger_taken && d.event == Event::recipient_foreign;
}

std::string listed(const std::vector<std::string>& parts, const char* last) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == parts.size() ? std::string(" ") + last + " " : ", ") + parts[i];
  return text;
}

std::string phrase_of(std::string_view gate) {
  if (gate == "MAIL") return "begin a mail";
  if (gate == "RCPT ours") return "send to our domains";
  if (gate == "RCPT other") return "send to any other domain";
  return std::string(gate);
}

std::string sentence_of(const Situation& situation) {
  std::vector<std::string> granted, refused;
  for (const Gate& gate : situation.gates) {
    if (gate.is_open)
      granted.push_back(gate.name == "MAIL" ? "MAIL" : phrase_of(gate.name));
    else
      refused.push_back(phrase_of(gate.name) + " (" + Policy::reply_text(gate.decision) + ")");
  }
  std::string name = situation.name;
  name.front() = 'I' - 'i' + name.front();
  std::string text = name + ": ";
  text += granted.empty() ? "nothing is granted" : "a client may " + listed(granted, "and");
  if (!refused.empty()) text += "; it may not " + listed(refused, "nor");
  return text + ".";
}

}  // namespace

const Gate& Situation::gate(std::string_view gate_name) const {
  const auto found = std::ranges::find(gates, gate_name, &Gate::name);
  if (found == gates.end()) throw std::logic_error("no gate " + std::string(gate_name));
  return *found;
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::refused: return "refused";
    case Verdict::dead: return "dead";
    case Verdict::live: return "live";
  }
  return {};
}

const Situation* Explanation::situation(std::string_view channel, std::string_view authentication) const {
  for (const Situation& s : situations) {
    if (s.channel == channel && s.authentication == authentication) return &s;
  }
  return nullptr;
}

Explanation explain(const Policy& policy, const Configuration& configuration) {
  const std::vector<Decision> decisions = policy.walk(configuration.settings_and_facts);
  Explanation explanation{.configuration = configuration, .start = decisions.front(), .situations = {}, .rules = {}};
  if (explanation.start.is_refusal())
    explanation.verdict = explanation.start.row->rule == spec::Rule::connect_dead ? Verdict::dead : Verdict::refused;
  std::set<spec::Rule> rules;
  bool hands_over = false;
  for (const Decision& decision : decisions) {
    rules.insert(decision.row->rule);
    judge(explanation, decision);
    hands_over |= decision.row->effect == spec::Effect::hand_over;
  }
  // Law: no live configuration in which mail can never be accepted. Should it ever break, it shows here.
  if (explanation.is_live() && !hands_over) explanation.verdict = Verdict::dead;
  explanation.rules.assign(rules.begin(), rules.end());
  add_situations(policy, decisions, explanation);
  return explanation;
}

std::string password_sentence(const Policy& policy, const Explanation& explanation) {
  if (explanation.password_in_clear) {
    const bool is_mail_held = !explanation.mail_in_clear;
    return std::string("YES: AUTH is offered and obeyed before the channel is encrypted (ALLOW_INSECURE_AUTH=1)") +
           (is_mail_held ? "; mail waits for TLS, passwords do not" : "");
  }
  if (!explanation.is_live()) return "NO: the start is refused, nobody is served";
  const Situation* clear = explanation.situation("clear", "none");
  if (clear == nullptr) return "NO: the channel is encrypted before the first octet";
  static_cast<void>(policy);
  return "NO: AUTH in clear is answered " + Policy::reply_text(clear->gate("AUTH").decision);
}

std::vector<std::string> prose_of(const Policy& policy, const Explanation& explanation) {
  std::vector<std::string> prose;
  const std::string reply = Policy::reply_text(explanation.start);
  if (!explanation.is_live()) {
    const std::string& reason = policy.rule(explanation.start.row->rule).reason;
    prose.push_back("Every client gets " + reply + ", and the session ends" +
                    (reason.empty() ? "." : ": " + reason + "."));
    return prose;
  }
  prose.push_back("Clients are greeted with " + reply + ".");
  for (const Situation& situation : explanation.situations) prose.push_back(sentence_of(situation));
  return prose;
}

}  // namespace postern::audit
