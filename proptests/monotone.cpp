// Law: making a setting stricter never accepts a dialogue that was refused. True for FORCE_TLS, DENY_TLS, REQUIRE_AUTH,
// ALLOW_INSECURE_AUTH, AUTH and RELAYCLIENT, for every value of all other settings and facts.
// A dialogue is a list of whole commands, each with its outcome (an AUTH exchange, a STARTTLS with its handshake, a DATA
// with its message are one), given to the laxer and to the stricter service alike. It is accepted when nothing in it is
// refused. Every pair of states that the two can be in is visited, so no bound is put on the length. Counts of mistakes
// play no part: an accepted dialogue has none.
// SSL is left out: it is neither stricter nor laxer, but another service.
// source  seed: FORCE_TLS, REQUIRE_AUTH, ALLOW_INSECURE_AUTH, AUTH, DENY_TLS
#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "spec/model.hpp"
#include "spec/verify.hpp"

namespace {

using namespace postern::spec;

// A command and what follows it, in the order in which it may be asked for.
struct Macro {
  std::string text;
  std::vector<std::size_t> events;
};

class Service {
 public:
  explicit Service(const Model& model) : rows_(rows_of(model)) {
    for (const RuleRow& rule : model.rules) {
      Cube change;
      for (const Change& c : rule.then) {
        change.care |= bits_of(model.variables[c.variable]);
        change.want |= bit_of(model.variables[c.variable], c.value);
      }
      changes_.push_back(change);
      refuses_.push_back(model.replies[rule.reply].code >= 400 || rule.id == "handshake.failed");
    }
    for (const EventRow& event : model.events) {
      std::uint64_t bits = 0;
      for (const std::size_t value : event.waiting) bits |= bit_of(model.variables[model.waiting_variable()], value);
      while_.push_back(bits);
    }
  }

  [[nodiscard]] bool can_take(std::uint64_t word, std::size_t event) const { return (word & while_[event]) != 0; }

  // Whether nothing was refused on the way; `word` is the state after it.
  [[nodiscard]] bool accepts(std::uint64_t& word, const Macro& macro) const {
    bool is_accepted = true;
    for (const std::size_t event : macro.events) {
      if (!can_take(word, event)) continue;  // not asked for: the command was refused before
      const auto row =
          std::ranges::find_if(rows_[event], [&](const Row& r) { return (word & r.guard.care) == r.guard.want; });
      is_accepted = is_accepted && !refuses_[row->rule];
      word = (word & ~changes_[row->rule].care) | changes_[row->rule].want;
    }
    return is_accepted;
  }

 private:
  std::vector<std::vector<Row>> rows_;
  std::vector<Cube> changes_;
  std::vector<bool> refuses_;
  std::vector<std::uint64_t> while_;
};

std::vector<std::size_t> events_while(const Model& model, std::string_view waiting) {
  const Variable& variable = model.variables[model.waiting_variable()];
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < model.events.size(); ++i) {
    for (const std::size_t value : model.events[i].waiting) {
      if (variable.values[value] == waiting) result.push_back(i);
    }
  }
  return result;
}

std::size_t event_named(const Model& model, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::find(model.events, name, &EventRow::name) - model.events.begin());
}

// Every command with every outcome of what it may lead to.
std::vector<Macro> all_macros(const Model& model) {
  std::vector<Macro> macros;
  for (const std::size_t command : events_while(model, "command"))
    macros.push_back({model.events[command].name, {command}});
  const auto followed_by = [&](std::string_view family, std::string_view waiting) {
    std::vector<Macro> longer;
    for (const Macro& macro : macros) {
      if (!macro.text.starts_with(family)) {
        longer.push_back(macro);
        continue;
      }
      for (const std::size_t outcome : events_while(model, waiting)) {
        Macro next = macro;
        next.text += ", " + model.events[outcome].name;
        next.events.push_back(outcome);
        longer.push_back(next);
      }
    }
    macros = std::move(longer);
  };
  followed_by("rcpt", "recipient");
  followed_by("data.to_be_judged", "message");
  followed_by("data", "mail_data");
  followed_by("data", "hand_over");
  followed_by("starttls", "handshake");
  followed_by("auth.login", "username");
  followed_by("auth.login", "password");
  followed_by("auth.plain", "plain_response");
  followed_by("auth.", "credentials");
  return macros;
}

struct Verdict {
  std::size_t pairs = 0, states = 0;
  std::vector<std::string> counterexample;
};

using Pair = std::pair<std::uint64_t, std::uint64_t>;

// All pairs of states of one laxer and one stricter service along dialogues that the stricter one accepts.
void compare(const Service& service, const std::vector<Macro>& macros, Pair start, Verdict& verdict) {
  std::map<Pair, std::pair<Pair, const Macro*>> came_from{{start, {start, nullptr}}};
  std::deque<Pair> todo{start};
  while (!todo.empty()) {
    const Pair from = todo.front();
    todo.pop_front();
    ++verdict.states;
    for (const Macro& macro : macros) {
      Pair to = from;
      if (!service.accepts(to.second, macro)) continue;
      if (!service.accepts(to.first, macro) && verdict.counterexample.empty()) {
        verdict.counterexample = {macro.text};
        for (Pair at = from; came_from[at].second != nullptr; at = came_from[at].first)
          verdict.counterexample.insert(verdict.counterexample.begin(), came_from[at].second->text);
      }
      if (came_from.try_emplace(to, from, &macro).second) todo.push_back(to);
    }
  }
}

Verdict judge(const Model& model, std::string_view name, std::uint8_t strict_value) {
  const Service service(model);
  const std::vector<Macro> macros = all_macros(model);
  const Macro connect{"connect.ready", {event_named(model, "connect.ready")}};
  std::vector<std::size_t> others;
  const std::size_t setting = model.variable_of(name);
  for (std::size_t i = 0; i < model.settings.size() + model.facts.size(); ++i) {
    if (i == setting || (i >= model.settings.size() && model.facts[i - model.settings.size()].is_counted)) continue;
    others.push_back(i);
  }
  Verdict verdict;
  for (std::size_t bits = 0; bits < (std::size_t{1} << others.size()); ++bits) {
    Assignment lax(model.variables.size(), 0);
    for (std::size_t i = 0; i < others.size(); ++i) lax[others[i]] = (bits >> i) & 1;
    Assignment strict = lax;
    lax[setting] = static_cast<std::uint8_t>(1 - strict_value);
    strict[setting] = strict_value;
    Pair start{to_word(start_of(model, lax), model.variables), to_word(start_of(model, strict), model.variables)};
    ++verdict.pairs;
    if (!service.accepts(start.second, connect)) continue;
    if (!service.accepts(start.first, connect)) verdict.counterexample = {connect.text};
    compare(service, macros, start, verdict);
  }
  return verdict;
}

}  // namespace

int main(int argc, char** argv) {
  Problems problems;
  const Model model = load_model(argc > 1 ? argv[1] : "spec", problems);
  if (!problems.empty()) return 2;
  struct Case {
    const char* name;
    std::uint8_t strict_value;
  };
  constexpr Case cases[] = {{"FORCE_TLS", 1}, {"DENY_TLS", 1},     {"REQUIRE_AUTH", 1}, {"ALLOW_INSECURE_AUTH", 0},
                            {"AUTH", 0},      {"relay_client", 0}, {"local_only", 1}};
  bool is_law_kept = true;
  for (const Case& c : cases) {
    const Verdict verdict = judge(model, c.name, c.strict_value);
    is_law_kept = is_law_kept && verdict.counterexample.empty();
    std::printf("%s=%d accepts %s: %zu pairs of configurations, %zu pairs of states\n", c.name, c.strict_value,
                verdict.counterexample.empty() ? "nothing that was refused" : "what was refused", verdict.pairs,
                verdict.states);
    for (const std::string& line : verdict.counterexample) std::printf("    %s\n", line.c_str());
  }
  // The law can fail: turned round, some dialogue is accepted by the laxer service alone.
  const Verdict turned_round = judge(model, "REQUIRE_AUTH", 0);
  std::printf("REQUIRE_AUTH=0 accepts what was refused, as it must:\n");
  for (const std::string& line : turned_round.counterexample) std::printf("    %s\n", line.c_str());
  return is_law_kept && !turned_round.counterexample.empty() ? 0 : 1;
}
