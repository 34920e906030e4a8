#include "spec/model.hpp"

#include <algorithm>
#include <map>

#include "spec/toml_file.hpp"

namespace postern::spec {
namespace {

class Loader {
 public:
  Loader(const std::filesystem::path& folder, Problems& problems)
      : settings_(folder, "settings.toml", problems),
        events_(folder, "events.toml", problems),
        policy_(folder, "policy.toml", problems),
        replies_(folder, "replies.toml", problems) {}
  Loader(const SpecTexts& texts, Problems& problems)
      : settings_(texts.settings, "settings.toml", problems),
        events_(texts.events, "events.toml", problems),
        policy_(texts.policy, "policy.toml", problems),
        replies_(texts.replies, "replies.toml", problems) {}

  Model load() {
    load_settings_and_facts();
    check_defaults();
    load_states();
    load_derived();
    load_cipher_lists();
    load_cells();
    if (model_.waiting_variable() == model_.variables.size()) {
      settings_.problem(1, "there must be a state \"waiting\"");
      return model_;
    }
    load_events();
    load_replies();
    load_capabilities();
    load_rules();
    return std::move(model_);
  }

 private:
  Expression condition(TomlFile& file, const std::string& text, unsigned line) {
    const Lookup lookup = [this](std::string_view name) -> const Expression* {
      const auto found = std::ranges::find(model_.derived, name, &Derived::name);
      return found == model_.derived.end() ? nullptr : &found->condition;
    };
    auto parsed = parse_expression(text, model_.variables, lookup);
    if (parsed) return *parsed;
    file.problem(line, parsed.error());
    return {};
  }

  void add_variable(std::string name, std::vector<std::string> values, bool is_boolean, unsigned line) {
    settings_.refuse_twins(model_.variables, name, line);
    const unsigned first_bit = next_bit_;
    next_bit_ += is_boolean ? 1U : static_cast<unsigned>(values.size());
    if (next_bit_ > 64) settings_.problem(line, "more than 64 bits of settings, facts and states");
    model_.variables.push_back({std::move(name), std::move(values), is_boolean, first_bit});
  }

  void load_settings_and_facts() {
    settings_.each("setting", {"name", "default", "meaning", "source", "unreadable"}, 4,
                   [&](const toml::table& row, unsigned line) {
                     const std::string unreadable =
                         row.contains("unreadable") ? text_of(row, "unreadable") : std::string("0");
                     if (unreadable != "0" && unreadable != "1")
                       settings_.problem(line, "unreadable is neither 0 nor 1");
                     model_.settings.push_back({text_of(row, "name"), text_of(row, "default"), text_of(row, "meaning"),
                                                text_of(row, "source"), line, unreadable == "1"});
                     add_variable(text_of(row, "name"), {"0", "1"}, true, line);
                   });
    settings_.each("fact", {"name", "meaning", "source", "counted"}, 3, [&](const toml::table& row, unsigned line) {
      model_.facts.push_back(
          {text_of(row, "name"), text_of(row, "meaning"), text_of(row, "source"), row["counted"].value_or(false)});
      add_variable(text_of(row, "name"), {"0", "1"}, true, line);
    });
  }

  // 0, 1, or a fact: then the setting is as that fact is.
  void check_defaults() {
    for (const Setting& setting : model_.settings) {
      if (setting.default_value == "0" || setting.default_value == "1") continue;
      const auto fact = std::ranges::find(model_.facts, setting.default_value, &Fact::name);
      if (fact == model_.facts.end() || fact->is_counted)
        settings_.problem(setting.line,
                          "the default of " + setting.name + " is neither 0 nor 1 nor a fact of the start");
    }
  }

  void load_states() {
    settings_.each("state", {"name", "values", "start", "meaning", "source"}, 5,
                   [&](const toml::table& row, unsigned line) {
                     add_variable(text_of(row, "name"), texts_of(row, "values"), false, line);
                     State state{model_.variables.size() - 1, text_of(row, "meaning"), text_of(row, "source"), {}};
                     if (const toml::array* starts = row["start"].as_array()) {
                       for (const toml::node& start : *starts) add_start(state, *start.as_table(), line);
                     }
                     model_.states.push_back(std::move(state));
                   });
  }

  void add_start(State& state, const toml::table& start, unsigned line) {
    const auto value = value_index(settings_, state.variable, text_of(start, "value"), line);
    state.start.push_back({value, condition(settings_, text_of(start, "if"), line)});
  }

  std::size_t value_index(TomlFile& file, std::size_t variable, const std::string& value, unsigned line) {
    const auto& values = model_.variables[variable].values;
    const auto found = std::ranges::find(values, value);
    if (found == values.end()) {
      file.problem(line, "unknown value \"" + value + "\" of " + model_.variables[variable].name);
      return 0;
    }
    return static_cast<std::size_t>(found - values.begin());
  }

  void load_derived() {
    settings_.each("derived", {"name", "is", "meaning", "source", "theorem"}, 4,
                   [&](const toml::table& row, unsigned line) {
                     Derived derived{text_of(row, "name"),           text_of(row, "is"),
                                     text_of(row, "meaning"),        text_of(row, "source"),
                                     row["theorem"].value_or(false), {}};
                     settings_.refuse_twins(model_.derived, derived.name, line);
                     settings_.refuse_twins(model_.variables, derived.name, line);
                     derived.condition = condition(settings_, derived.text, line);
                     model_.derived.push_back(std::move(derived));
                   });
  }

  void load_cipher_lists() {
    if (!settings_.has("cipher_list")) return;
    settings_.each(
        "cipher_list", {"ciphers", "meaning", "source", "if"}, 3, [&](const toml::table& row, unsigned line) {
          if (!model_.cipher_lists.empty() && model_.cipher_lists.back().condition_text.empty())
            settings_.problem(line, "a [[cipher_list]] after one that always decides");
          model_.cipher_lists.push_back({text_of(row, "ciphers"), text_of(row, "if"), text_of(row, "meaning"),
                                         text_of(row, "source"), condition(settings_, text_of(row, "if"), line)});
        });
    if (!model_.cipher_lists.back().condition_text.empty())
      settings_.problem(1, "the last [[cipher_list]] must decide for all settings: let it have no if");
  }

  void load_cells() {
    settings_.each(
        "cell", {"encryption", "auth", "settings", "marks", "source"}, 5, [&](const toml::table& row, unsigned line) {
          Cell cell{
              text_of(row, "encryption"), text_of(row, "auth"), text_of(row, "source"), {}, texts_of(row, "marks")};
          if (const toml::table* values = row["settings"].as_table()) {
            for (const auto& [name, value] : *values) {
              cell.settings.emplace_back(std::string(name.str()), value.value_or(std::int64_t{-1}));
              if (name.str() != "PORT") settings_.find(model_.settings, name.str(), line, "setting");
            }
          }
          model_.cells.push_back(std::move(cell));
        });
  }

  void load_events() {
    events_.each("event", {"name", "while", "meaning", "source", "auth_attempt", "forgives"}, 4,
                 [&](const toml::table& row, unsigned line) {
                   events_.refuse_twins(model_.events, text_of(row, "name"), line);
                   EventRow event{.name = text_of(row, "name"),
                                  .meaning = text_of(row, "meaning"),
                                  .source = text_of(row, "source"),
                                  .waiting = {},
                                  .is_auth_attempt = row["auth_attempt"].value_or(false),
                                  .forgives_mistakes = row["forgives"].value_or(false),
                                  .line = line};
                   for (const std::string& value : texts_of(row, "while"))
                     event.waiting.push_back(value_index(events_, model_.waiting_variable(), value, line));
                   model_.events.push_back(std::move(event));
                 });
    events_.each("effect", {"name", "meaning"}, 2, [&](const toml::table& row, unsigned line) {
      events_.refuse_twins(model_.effects, text_of(row, "name"), line);
      model_.effects.push_back({text_of(row, "name"), text_of(row, "meaning"), line});
    });
    load_questions();
  }

  void load_questions() {
    if (!events_.has("question")) return;
    events_.each("question", {"name", "effect", "waits", "nobody", "seconds", "meaning", "source"}, 7,
                 [&](const toml::table& row, unsigned line) {
                   events_.refuse_twins(model_.questions, text_of(row, "name"), line);
                   model_.questions.push_back(
                       {.name = text_of(row, "name"),
                        .meaning = text_of(row, "meaning"),
                        .source = text_of(row, "source"),
                        .effect = events_.find(model_.effects, text_of(row, "effect"), line, "effect"),
                        .waits = value_index(events_, model_.waiting_variable(), text_of(row, "waits"), line),
                        .nobody = events_.find(model_.events, text_of(row, "nobody"), line, "event"),
                        .seconds = row["seconds"].value_or(0U),
                        .line = line});
                 });
  }

  void load_replies() {
    replies_.each("reply", {"name", "code", "text", "source", "enhanced", "meaning", "lines", "mistake"}, 4,
                  [&](const toml::table& row, unsigned line) {
                    replies_.refuse_twins(model_.replies, text_of(row, "name"), line);
                    model_.replies.push_back({text_of(row, "name"), text_of(row, "enhanced"), text_of(row, "text"),
                                              text_of(row, "meaning"), text_of(row, "source"), row["code"].value_or(0U),
                                              row.contains("lines"), row["mistake"].value_or(false), line});
                  });
    replies_.each("hand_over_text", {"name", "text", "source", "permanent"}, 3,
                  [&](const toml::table& row, unsigned line) {
                    replies_.refuse_twins(model_.hand_over_texts, text_of(row, "name"), line);
                    model_.hand_over_texts.push_back({text_of(row, "name"), text_of(row, "text"),
                                                      text_of(row, "source"), row["permanent"].value_or(false), line});
                  });
    replies_.each(
        "queue_exit", {"first", "text", "source", "last", "permanent"}, 3, [&](const toml::table& row, unsigned line) {
          QueueExit exit{row["first"].value_or(0U), 0, false, text_of(row, "text"), text_of(row, "source"), line};
          exit.last = row["last"].value_or(exit.first);
          exit.is_permanent = row["permanent"].value_or(exit.first >= 11 && exit.last <= 40);
          model_.queue_exits.push_back(std::move(exit));
        });
  }

  void load_capabilities() {
    policy_.each("capability", {"text", "source", "if", "meaning"}, 2, [&](const toml::table& row, unsigned line) {
      model_.capabilities.push_back({text_of(row, "text"), text_of(row, "if"), text_of(row, "source"),
                                     condition(policy_, text_of(row, "if"), line)});
    });
  }

  // `mail.*` stands for every event whose name begins with `mail.`.
  void add_events(RuleRow& rule, const std::string& pattern, unsigned line) {
    const bool is_family = pattern.ends_with(".*");
    const std::string_view family = std::string_view(pattern).substr(0, pattern.size() - (is_family ? 1 : 0));
    const std::size_t before = rule.events.size();
    for (std::size_t i = 0; i < model_.events.size(); ++i) {
      const std::string& name = model_.events[i].name;
      if (is_family ? name.starts_with(family) : name == family) rule.events.push_back(i);
    }
    if (rule.events.size() == before) policy_.problem(line, "unknown event \"" + pattern + "\"");
  }

  void load_rules() {
    policy_.each("rule", {"id", "on", "step", "source", "if", "reply", "effect", "then", "reason"}, 4,
                 [&](const toml::table& row, unsigned line) {
                   RuleRow rule{.id = text_of(row, "id"),
                                .condition_text = text_of(row, "if"),
                                .reason = text_of(row, "reason"),
                                .source = text_of(row, "source"),
                                .events = {},
                                .step = row["step"].value_or(0U),
                                .condition = condition(policy_, text_of(row, "if"), line),
                                .then = {},
                                .line = line};
                   if (std::ranges::find(model_.rules, rule.id, &RuleRow::id) != model_.rules.end())
                     policy_.problem(line, "a second rule \"" + rule.id + "\"");
                   for (const std::string& pattern : texts_of(row, "on")) add_events(rule, pattern, line);
                   rule.reply = policy_.find(model_.replies, row["reply"].value_or("none"), line, "reply");
                   rule.effect = policy_.find(model_.effects, row["effect"].value_or("none"), line, "effect");
                   if (const toml::table* then = row["then"].as_table()) add_changes(rule, *then, line);
                   model_.rules.push_back(std::move(rule));
                 });
  }

  void add_changes(RuleRow& rule, const toml::table& then, unsigned line) {
    for (const auto& [name, value] : then) {
      const std::size_t variable = model_.variable_of(name.str());
      if (variable == model_.variables.size() || model_.variables[variable].is_boolean) {
        policy_.problem(line, "unknown state \"" + std::string(name.str()) + "\"");
      } else {
        rule.then.push_back({variable, value_index(policy_, variable, value.value_or(std::string()), line)});
      }
    }
  }

  TomlFile settings_, events_, policy_, replies_;
  Model model_;
  unsigned next_bit_ = 0;
};

}  // namespace

std::size_t Model::variable_of(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::find(variables, name, &Variable::name) - variables.begin());
}

bool Model::answers(const EventRow& event, const QuestionText& question) const {
  return event.waiting.size() == 1 && event.waiting.front() == question.waits;
}

std::size_t Model::waiting_variable() const { return variable_of("waiting"); }

Model parse_model(const SpecTexts& texts, Problems& problems) { return Loader(texts, problems).load(); }
Model load_model(const std::filesystem::path& folder, Problems& problems) { return Loader(folder, problems).load(); }

std::optional<std::size_t> interpret(const Model& model, std::size_t event, const Assignment& assignment) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < model.rules.size(); ++i) {
    const RuleRow& rule = model.rules[i];
    if (best && model.rules[*best].step <= rule.step) continue;
    if (std::ranges::find(rule.events, event) == rule.events.end()) continue;
    if (holds(rule.condition, assignment)) best = i;
  }
  return best;
}

Assignment apply(const RuleRow& rule, Assignment assignment) {
  for (const Change& change : rule.then) assignment[change.variable] = static_cast<std::uint8_t>(change.value);
  return assignment;
}

Assignment start_of(const Model& model, Assignment assignment) {
  for (const State& state : model.states) {
    const auto first =
        std::ranges::find_if(state.start, [&](const StartValue& start) { return holds(start.condition, assignment); });
    assignment[state.variable] = static_cast<std::uint8_t>(first == state.start.end() ? 0 : first->value);
  }
  return assignment;
}

}  // namespace postern::spec
