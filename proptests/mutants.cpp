#include "proptests/mutants.hpp"

#include <algorithm>
#include <cctype>
#include <set>

namespace postern::proptests {
namespace {

using spec::Change;
using spec::Expression;
using spec::Model;
using spec::RuleRow;

Expression parse(const std::string& text, const std::vector<spec::Variable>& names) {
  return *spec::parse_expression(text, names, [](std::string_view) { return nullptr; });
}

Expression with_derived(const Expression& e, const Model& model) {
  if (e.kind == Expression::Kind::atom && e.variable >= model.variables.size())
    return model.derived[e.variable - model.variables.size()].condition;
  Expression result = e;
  for (Expression& part : result.parts) part = with_derived(part, model);
  return result;
}

Expression never() {
  Expression result{.kind = Expression::Kind::negation};
  result.parts.emplace_back();
  return result;
}

class List {
 public:
  explicit List(const Spec& parts) : parts_(parts), model_(parts.model) {}

  std::vector<Mutant> make() {
    for (std::size_t rule = 0; rule < model_.rules.size(); ++rule) {
      drop(rule);
      change_guard(rule);
      swap_steps(rule);
      change_targets(rule);
      change_reply(rule);
      change_effect(rule);
    }
    change_codes();
    change_counts();
    change_while();
    change_texts();
    change_exits();
    change_defaults();
    change_names();
    change_capabilities();
    change_start();
    return std::move(mutants_);
  }

 private:
  void add(std::string kind, std::string name, std::function<void(Spec&)> change, std::vector<std::size_t> rules = {}) {
    mutants_.push_back({std::move(kind), std::move(name), std::move(change), std::move(rules)});
  }
  [[nodiscard]] std::vector<std::size_t> rules_with(std::size_t reply) const {
    std::vector<std::size_t> rules;
    for (std::size_t rule = 0; rule < model_.rules.size(); ++rule) {
      if (model_.rules[rule].reply == reply) rules.push_back(rule);
    }
    return rules;
  }
  [[nodiscard]] std::string id(std::size_t rule) const { return "rule " + model_.rules[rule].id; }

  void drop(std::size_t rule) {
    add("drop a rule", id(rule) + ": drop it", [rule](Spec& s) {
      s.model.rules.erase(s.model.rules.begin() + static_cast<std::ptrdiff_t>(rule));
      s.rules.erase(s.rules.begin() + static_cast<std::ptrdiff_t>(rule));
    });
    const auto& events = model_.rules[rule].events;
    for (std::size_t i = 0; events.size() > 1 && i < events.size(); ++i) {
      add("drop an event", id(rule) + ": not on " + model_.events[events[i]].name, [rule, i](Spec& s) {
        auto& on = s.model.rules[rule].events;
        on.erase(on.begin() + static_cast<std::ptrdiff_t>(i));
      });
    }
  }

  void change_guard(std::size_t rule) {
    for (ChangedExpression& guard : mutants_of(parts_.rules[rule], parts_.names)) {
      add("change a guard", id(rule) + ": " + guard.how,
          [rule, e = std::move(guard.expression)](Spec& s) { s.rules[rule] = e; });
    }
    if (parts_.rules[rule].kind != Expression::Kind::always)
      add("change a guard", id(rule) + ": no guard", [rule](Spec& s) { s.rules[rule] = Expression{}; });
  }

  void swap_steps(std::size_t rule) {
    for (std::size_t other = rule + 1; other < model_.rules.size(); ++other) {
      const auto& events = model_.rules[other].events;
      const bool have_one_event = std::ranges::any_of(model_.rules[rule].events, [&](std::size_t event) {
        return std::ranges::find(events, event) != events.end();
      });
      if (!have_one_event || model_.rules[rule].step == model_.rules[other].step) continue;
      add("swap two rules", id(rule) + ": swap its step with " + model_.rules[other].id,
          [rule, other](Spec& s) { std::swap(s.model.rules[rule].step, s.model.rules[other].step); });
    }
  }

  void change_targets(std::size_t rule) {
    const auto& then = model_.rules[rule].then;
    for (std::size_t i = 0; i < then.size(); ++i) {
      add("drop a target", id(rule) + ": " + model_.variables[then[i].variable].name + " stays", [rule, i](Spec& s) {
        auto& changes = s.model.rules[rule].then;
        changes.erase(changes.begin() + static_cast<std::ptrdiff_t>(i));
      });
    }
    for (const spec::State& state : model_.states) {
      for (std::size_t value = 0; value < model_.variables[state.variable].values.size(); ++value)
        set_target(rule, {state.variable, value});
    }
  }

  void set_target(std::size_t rule, Change change) {
    const auto& then = model_.rules[rule].then;
    const auto old = std::ranges::find(then, change.variable, &Change::variable);
    if (old != then.end() && old->value == change.value) return;
    const spec::Variable& variable = model_.variables[change.variable];
    add(old == then.end() ? "add a target" : "change a target",
        id(rule) + ": " + variable.name + " := " + variable.values[change.value], [rule, change](Spec& s) {
          auto& changes = s.model.rules[rule].then;
          std::erase_if(changes, [&](const Change& c) { return c.variable == change.variable; });
          changes.push_back(change);
        });
  }

  void change_reply(std::size_t rule) {
    for (std::size_t reply = 0; reply < model_.replies.size(); ++reply) {
      if (reply == model_.rules[rule].reply) continue;
      add("change a reply", id(rule) + ": reply " + model_.replies[reply].name,
          [rule, reply](Spec& s) { s.model.rules[rule].reply = reply; }, {rule});
    }
  }

  void change_effect(std::size_t rule) {
    for (std::size_t effect = 0; effect < model_.effects.size(); ++effect) {
      if (effect == model_.rules[rule].effect) continue;
      const bool is_none = model_.effects[effect].name == "none";
      add(is_none ? "drop an effect" : "change an effect", id(rule) + ": effect " + model_.effects[effect].name,
          [rule, effect](Spec& s) { s.model.rules[rule].effect = effect; }, {rule});
    }
  }

  void change_codes() {
    std::set<unsigned> codes;
    for (const spec::ReplyText& reply : model_.replies) codes.insert(reply.code);
    for (std::size_t reply = 0; reply < model_.replies.size(); ++reply) {
      for (const unsigned code : codes) {
        if (code == model_.replies[reply].code) continue;
        add(
            "change a code", "reply " + model_.replies[reply].name + ": " + std::to_string(code),
            [reply, code](Spec& s) { s.model.replies[reply].code = code; }, rules_with(reply));
      }
      add(
          "change a code", "reply " + model_.replies[reply].name + ": turn its capability lines",
          [reply](Spec& s) {
            s.model.replies[reply].has_capability_lines = !s.model.replies[reply].has_capability_lines;
          },
          rules_with(reply));
    }
  }

  void change_counts() {
    for (std::size_t reply = 0; reply < model_.replies.size(); ++reply) {
      add("change a count", "reply " + model_.replies[reply].name + ": turn whether it is a mistake",
          [reply](Spec& s) { s.model.replies[reply].is_mistake = !s.model.replies[reply].is_mistake; });
    }
    for (std::size_t event = 0; event < model_.events.size(); ++event) {
      const std::string name = "event " + model_.events[event].name;
      add("change a count", name + ": turn whether it is an AUTH attempt",
          [event](Spec& s) { s.model.events[event].is_auth_attempt = !s.model.events[event].is_auth_attempt; });
      add("change a count", name + ": turn whether it forgives mistakes",
          [event](Spec& s) { s.model.events[event].forgives_mistakes = !s.model.events[event].forgives_mistakes; });
    }
  }

  // When an event can happen: in one state less, or in one more.
  void change_while() {
    const spec::Variable& waiting = model_.variables[model_.waiting_variable()];
    for (std::size_t event = 0; event < model_.events.size(); ++event) {
      for (std::size_t value = 0; value < waiting.values.size(); ++value) {
        const auto& values = model_.events[event].waiting;
        const bool is_there = std::ranges::find(values, value) != values.end();
        add("change a while",
            "event " + model_.events[event].name + (is_there ? ": not while " : ": also while ") +
                waiting.values[value],
            [event, value, is_there](Spec& s) {
              auto& changed = s.model.events[event].waiting;
              if (is_there) std::erase(changed, value);
              if (!is_there) changed.push_back(value);
            });
      }
    }
  }

  // Said instead: nothing but the code, or what the next reply of this code says.
  void change_texts() {
    for (std::size_t reply = 0; reply < model_.replies.size(); ++reply) {
      const spec::ReplyText& row = model_.replies[reply];
      if (row.code == 0) continue;
      std::vector<std::string> texts{row.text.empty() ? "OK" : ""};
      for (std::size_t i = 1; i < model_.replies.size() && texts.size() < 2; ++i) {
        const spec::ReplyText& other = model_.replies[(reply + i) % model_.replies.size()];
        if (other.code / 100 == row.code / 100 && other.text != row.text) texts.push_back(other.text);
      }
      for (const std::string& text : texts)
        add(
            "change a text", "reply " + row.name + ": says \"" + text + "\"",
            [reply, text](Spec& s) { s.model.replies[reply].text = text; }, rules_with(reply));
    }
    for (std::size_t i = 0; i < model_.capabilities.size(); ++i)
      add("change a text", "capability " + model_.capabilities[i].text + ": in small letters", [i](Spec& s) {
        for (char& c : s.model.capabilities[i].text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      });
  }

  // What the exits of a queue program mean.
  void change_exits() {
    for (std::size_t i = 0; i < model_.queue_exits.size(); ++i) {
      const spec::QueueExit& row = model_.queue_exits[i];
      const std::string name = "exits " + std::to_string(row.first) + " to " + std::to_string(row.last) + ": ";
      const std::string next = model_.queue_exits[(i + 1) % model_.queue_exits.size()].text;
      const auto change = [&](const std::string& how, auto what) {
        add("change an exit", name + how, [i, what](Spec& s) { what(s.model.queue_exits[i]); });
      };
      if (next != row.text) change("say \"" + next + "\"", [next](spec::QueueExit& exit) { exit.text = next; });
      change("turn whether they are permanent", [](spec::QueueExit& exit) { exit.is_permanent = !exit.is_permanent; });
      change("one more at the end", [](spec::QueueExit& exit) { exit.last += 1; });
      change("one less at the end", [](spec::QueueExit& exit) { exit.last -= 1; });
      if (row.first > 0) change("one more at the beginning", [](spec::QueueExit& exit) { exit.first -= 1; });
      change("one less at the beginning", [](spec::QueueExit& exit) { exit.first += 1; });
      add("change an exit", name + "drop the row",
          [i](Spec& s) { s.model.queue_exits.erase(s.model.queue_exits.begin() + static_cast<std::ptrdiff_t>(i)); });
      if (i > 0)
        add("change an exit", name + "the row before it comes later",
            [i](Spec& s) { std::swap(s.model.queue_exits[i - 1], s.model.queue_exits[i]); });
    }
  }

  void change_defaults() {
    std::vector<std::string> values{"0", "1"};
    for (const spec::Fact& fact : model_.facts) values.push_back(fact.name);
    for (std::size_t i = 0; i < model_.settings.size(); ++i) {
      for (const std::string& value : values) {
        if (value == model_.settings[i].default_value) continue;
        add("change a default", "setting " + model_.settings[i].name + ": unset is " + value,
            [i, value](Spec& s) { s.model.settings[i].default_value = value; });
      }
    }
  }

  void change_names() {
    for (std::size_t i = 0; i < parts_.derived.size(); ++i) {
      for (ChangedExpression& is : mutants_of(parts_.derived[i], parts_.names)) {
        add("change a name", "name " + model_.derived[i].name + ": " + is.how,
            [i, e = std::move(is.expression)](Spec& s) { s.derived[i] = e; });
      }
    }
  }

  void change_capabilities() {
    for (std::size_t i = 0; i < parts_.capabilities.size(); ++i) {
      const std::string name = "capability " + model_.capabilities[i].text;
      add("change a capability", name + ": drop it", [i](Spec& s) { s.capabilities[i] = never(); });
      if (parts_.capabilities[i].kind == Expression::Kind::always) continue;
      add("change a capability", name + ": always", [i](Spec& s) { s.capabilities[i] = Expression{}; });
      for (ChangedExpression& guard : mutants_of(parts_.capabilities[i], parts_.names)) {
        add("change a capability", name + ": " + guard.how,
            [i, e = std::move(guard.expression)](Spec& s) { s.capabilities[i] = e; });
      }
    }
  }

  void change_start() {
    for (std::size_t i = 0; i < model_.states.size(); ++i) {
      const spec::Variable& variable = model_.variables[model_.states[i].variable];
      for (std::size_t at = 0; at < model_.states[i].start.size(); ++at) {
        for (std::size_t value = 0; value < variable.values.size(); ++value) {
          if (value == model_.states[i].start[at].value) continue;
          add("change the start", "start " + variable.name + " " + std::to_string(at) + ": " + variable.values[value],
              [i, at, value](Spec& s) { s.model.states[i].start[at].value = value; });
        }
        for (ChangedExpression& when : mutants_of(model_.states[i].start[at].condition, parts_.names)) {
          add("change the start", "start " + variable.name + " " + std::to_string(at) + ": " + when.how,
              [i, at, e = std::move(when.expression)](Spec& s) { s.model.states[i].start[at].condition = e; });
        }
      }
    }
  }

  const Spec& parts_;
  const Model& model_;
  std::vector<Mutant> mutants_;
};

}  // namespace

Spec take_apart(const Model& model) {
  Spec parts{.model = model, .names = model.variables, .derived = {}, .rules = {}, .capabilities = {}};
  for (const spec::Derived& derived : model.derived) parts.names.push_back({derived.name, {"0", "1"}, true, 0});
  for (const spec::Derived& derived : model.derived) parts.derived.push_back(parse(derived.text, parts.names));
  for (const RuleRow& rule : model.rules) parts.rules.push_back(parse(rule.condition_text, parts.names));
  for (const spec::Capability& capability : model.capabilities)
    parts.capabilities.push_back(parse(capability.condition_text, parts.names));
  return parts;
}

Model put_together(Spec parts) {
  Model& model = parts.model;
  for (std::size_t i = 0; i < model.derived.size(); ++i)
    model.derived[i].condition = with_derived(parts.derived[i], model);
  for (std::size_t i = 0; i < model.rules.size(); ++i) model.rules[i].condition = with_derived(parts.rules[i], model);
  for (std::size_t i = 0; i < model.capabilities.size(); ++i)
    model.capabilities[i].condition = with_derived(parts.capabilities[i], model);
  return std::move(model);
}

std::vector<Mutant> mutants_of(const Spec& parts) { return List(parts).make(); }

}  // namespace postern::proptests
