#include "spec/laws.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "spec/toml_file.hpp"

namespace postern::spec {
namespace {

// `AUTH=LOGIN PLAIN` is advertised.AUTH_LOGIN.
std::string keyword_of(const Capability& capability) {
  std::string word = capability.text.substr(0, capability.text.find(' '));
  std::ranges::replace(word, '=', '_');
  return word;
}

template <typename Rows>
std::vector<std::string> names_of(const Rows& rows) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const auto& row : rows) names.push_back(row.name);
  return names;
}

std::vector<std::string> codes_of(const Model& model) {
  std::set<std::string> codes;
  for (const ReplyText& reply : model.replies) codes.insert(std::to_string(reply.code));
  return {codes.begin(), codes.end()};
}

// The conjuncts of `a and (b or c) and not d`; none when an `or` stands outside parentheses.
std::vector<std::string> conjuncts_of(const std::string& text) {
  std::vector<std::string> result(1);
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    depth += text[at] == '(' ? 1 : text[at] == ')' ? -1 : 0;
    if (depth == 0 && text.compare(at, 4, " or ") == 0) return {};
    if (depth == 0 && text.compare(at, 5, " and ") == 0) {
      result.emplace_back();
      at += 4;
    } else {
      result.back() += text[at];
    }
  }
  return result;
}

class Loader {
 public:
  Loader(const Model& model, TomlFile file) : model_(model), file_(std::move(file)) {
    laws_.words = vocabulary_of(model);
  }

  Laws load() {
    file_.each("name", {"name", "is", "meaning"}, 3, [&](const toml::table& row, unsigned line) {
      file_.refuse_twins(laws_.names, text_of(row, "name"), line);
      file_.refuse_twins(laws_.words.variables, text_of(row, "name"), line);
      const std::string is = text_of(row, "is");
      laws_.names.push_back({text_of(row, "name"), is, condition(is, laws_.words.variables, line)});
    });
    load_into(laws_.invariants, "invariant", model_.variables);
    load_into(laws_.laws, "law", laws_.words.variables);
    file_.each("possibility", {"name", "sentence", "source", "some", "when"}, 5,
               [&](const toml::table& row, unsigned line) {
                 const std::string when = text_of(row, "when"), some = text_of(row, "some");
                 laws_.possibilities.push_back({text_of(row, "name"), text_of(row, "sentence"), text_of(row, "source"),
                                                when, some, condition(when, model_.variables, line),
                                                condition(some, laws_.words.variables, line), line});
               });
    return std::move(laws_);
  }

 private:
  Expression condition(const std::string& text, const std::vector<Variable>& variables, unsigned line) {
    const Lookup lookup = [this](std::string_view name) -> const Expression* {
      const auto found = std::ranges::find(laws_.names, name, &LawName::name);
      return found == laws_.names.end() ? nullptr : &found->condition;
    };
    auto parsed = parse_expression(text, variables, lookup);
    if (parsed) return *parsed;
    file_.problem(line, parsed.error());
    return {};
  }

  Clause clause(const std::string& text, const std::vector<Variable>& variables, unsigned line) {
    Clause result{.text = text, .conjuncts = {}};
    for (const std::string& part : conjuncts_of(text))
      result.conjuncts.push_back({part, condition(part, variables, line)});
    if (result.conjuncts.empty())
      file_.problem(line, "an `or` outside parentheses in \"" + text + "\": make two clauses");
    return result;
  }

  void load_into(std::vector<Law>& laws, std::string_view key, const std::vector<Variable>& variables) {
    file_.each(key, {"name", "sentence", "source", "never", "by", "only"}, 4,
               [&](const toml::table& row, unsigned line) {
                 file_.refuse_twins(laws, text_of(row, "name"), line);
                 Law law{text_of(row, "name"), text_of(row, "sentence"), text_of(row, "source"), {}, {}, line};
                 for (const std::string& text : texts_of(row, "never"))
                   law.never.push_back(clause(text, variables, line));
                 if (const std::string only = text_of(row, "only"); !only.empty()) {
                   const Conjunct scope{only, condition(only, variables, line), true};
                   for (Clause& clause : law.never) clause.conjuncts.insert(clause.conjuncts.begin(), scope);
                 }
                 if (law.never.empty()) file_.problem(line, law.name + " forbids nothing");
                 for (const std::string& name : texts_of(row, "by")) add_need(law, name, line);
                 std::ranges::sort(law.by);
                 laws.push_back(std::move(law));
               });
  }

  void add_need(Law& law, const std::string& name, unsigned line) {
    const std::size_t index = file_.find(laws_.invariants, name, line, "invariant");
    if (index >= laws_.invariants.size()) return;
    std::vector<std::size_t> needs = laws_.invariants[index].by;
    needs.push_back(index);
    for (const std::size_t need : needs) {
      if (std::ranges::find(law.by, need) == law.by.end()) law.by.push_back(need);
    }
  }

  const Model& model_;
  TomlFile file_;
  Laws laws_;
};

}  // namespace

Vocabulary vocabulary_of(const Model& model) {
  Vocabulary words{.variables = model.variables};
  const auto add = [&](std::string name, std::vector<std::string> values, bool is_boolean) {
    words.variables.push_back({std::move(name), std::move(values), is_boolean, 0});
    return words.variables.size() - 1;
  };
  words.after = words.variables.size();
  for (const State& state : model.states) {
    const Variable variable = model.variables[state.variable];
    add("after." + variable.name, variable.values, false);
  }
  words.changed = words.variables.size();
  for (const State& state : model.states) add("changed." + model.variables[state.variable].name, {"0", "1"}, true);
  words.event = add("event", names_of(model.events), false);
  words.reply = add("reply", names_of(model.replies), false);
  words.code = add("code", codes_of(model), false);
  words.effect = add("effect", names_of(model.effects), false);
  words.mistake = add("mistake", {"0", "1"}, true);
  words.auth_attempt = add("auth_attempt", {"0", "1"}, true);
  words.forgives = add("forgives", {"0", "1"}, true);
  words.lists_capabilities = add("lists_capabilities", {"0", "1"}, true);
  words.advertised = words.variables.size();
  for (const Capability& capability : model.capabilities) add("advertised." + keyword_of(capability), {"0", "1"}, true);
  words.theorem = words.variables.size();
  // The others gate rules: a law that spoke in their words would bend with them.
  for (const Derived& derived : model.derived) add(derived.is_theorem ? derived.name : "", {"0", "1"}, true);
  return words;
}

Assignment describe(const Vocabulary& words, const Decision& decision) {
  const Model& model = decision.model;
  const RuleRow& rule = model.rules[decision.rule];
  const Assignment after = apply(rule, decision.before);
  Assignment all = decision.before;
  all.resize(words.variables.size());
  for (std::size_t i = 0; i < model.states.size(); ++i) {
    const std::size_t variable = model.states[i].variable;
    all[words.after + i] = after[variable];
    all[words.changed + i] = after[variable] != decision.before[variable];
  }
  const auto& codes = words.variables[words.code].values;
  const auto code = std::ranges::find(codes, std::to_string(model.replies[rule.reply].code)) - codes.begin();
  all[words.event] = static_cast<std::uint8_t>(decision.event);
  all[words.reply] = static_cast<std::uint8_t>(rule.reply);
  all[words.code] = static_cast<std::uint8_t>(code);
  all[words.effect] = static_cast<std::uint8_t>(rule.effect);
  all[words.mistake] = model.replies[rule.reply].is_mistake;
  all[words.auth_attempt] = model.events[decision.event].is_auth_attempt;
  all[words.forgives] = model.events[decision.event].forgives_mistakes;
  all[words.lists_capabilities] = model.replies[rule.reply].has_capability_lines;
  for (std::size_t i = 0; i < model.capabilities.size(); ++i)
    all[words.advertised + i] = holds(model.capabilities[i].condition, decision.before);
  for (std::size_t i = 0; i < model.derived.size(); ++i)
    all[words.theorem + i] = holds(model.derived[i].condition, decision.before);
  return all;
}

Laws load_laws(const std::filesystem::path& folder, const Model& model, Problems& problems) {
  return Loader(model, {folder, "laws.toml", problems}).load();
}

Laws parse_laws(std::string_view text, const Model& model, Problems& problems) {
  return Loader(model, {text, "laws.toml", problems}).load();
}

}  // namespace postern::spec
