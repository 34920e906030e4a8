// The spec as values: what the four TOML files say, every name resolved.
// in      settings.toml, events.toml, policy.toml, replies.toml: their folder, or their texts
// out     Model; indices refer to its vectors
// errors  Problems, each with file, line and a sentence; a model with problems is not to be used
// source  spec/*.toml
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spec/expression.hpp"

namespace postern::spec {

struct Problem {
  std::string file;
  unsigned line = 0;
  std::string what;
};
using Problems = std::vector<Problem>;

struct Setting {
  std::string name, default_value, meaning, source;
  unsigned line = 0;
  bool when_unreadable = false;
};

struct Fact {
  std::string name, meaning, source;
  bool is_counted = false;  // may become true, and false again, during a session
};

struct StartValue {
  std::size_t value;
  Expression condition;
};

struct State {
  std::size_t variable;  // index into Model::variables
  std::string meaning, source;
  std::vector<StartValue> start;
};

struct Derived {
  std::string name, text, meaning, source;
  bool is_theorem = false;
  Expression condition;
};

struct Cell {
  std::string encryption, auth, source;
  std::vector<std::pair<std::string, std::int64_t>> settings;
  std::vector<std::string> marks;
};

// For TLS 1.2, as OpenSSL names them.
struct CipherList {
  std::string ciphers, condition_text, meaning, source;
  Expression condition;
};

struct EventRow {
  std::string name, meaning, source;
  std::vector<std::size_t> waiting;  // values of the state `waiting` in which it can happen
  bool is_auth_attempt = false;      // counts as an AUTH command, answered or refused
  bool forgives_mistakes = false;    // the count of mistakes begins again
  unsigned line = 0;
};

struct EffectRow {
  std::string name, meaning;
  unsigned line = 0;
};

struct QuestionText {
  std::string name, meaning, source;
  std::size_t effect = 0;  // the one that asks
  std::size_t waits = 0;   // value of the state `waiting` in which an answer counts
  std::size_t nobody = 0;  // the event when there is nobody to ask
  unsigned seconds = 0;    // so long an answer is waited for; 0: until it comes
  unsigned line = 0;
};

struct ReplyText {
  std::string name, enhanced, text, meaning, source;
  unsigned code = 0;
  bool has_capability_lines = false;
  bool is_mistake = false;  // counts against the client
  unsigned line = 0;
};

struct QueueExit {
  unsigned first = 0, last = 0;
  bool is_permanent = false;
  std::string text, source;
  unsigned line = 0;
};

struct HandOverTextRow {
  std::string name, text, source;
  bool is_permanent = false;  // said with 554, not 451
  unsigned line = 0;
};

struct Capability {
  std::string text, condition_text, source;
  Expression condition;
};

struct Change {
  std::size_t variable, value;
};

struct RuleRow {
  std::string id, condition_text, reason, source;
  std::vector<std::size_t> events;
  unsigned step = 0;
  Expression condition;
  std::size_t reply = 0, effect = 0;
  std::vector<Change> then;
  unsigned line = 0;
};

struct Model {
  std::vector<Variable> variables;  // settings, then facts, then states
  std::vector<Setting> settings;
  std::vector<Fact> facts;
  std::vector<State> states;
  std::vector<Derived> derived;
  std::vector<Cell> cells;
  std::vector<CipherList> cipher_lists;  // the first that holds decides; the last one always holds
  std::vector<EventRow> events;
  std::vector<EffectRow> effects;
  std::vector<QuestionText> questions;
  std::vector<ReplyText> replies;
  std::vector<QueueExit> queue_exits;
  std::vector<HandOverTextRow> hand_over_texts;
  std::vector<Capability> capabilities;
  std::vector<RuleRow> rules;

  [[nodiscard]] std::size_t waiting_variable() const;
  // Whether the event can happen in the state that waits for this question, and in no other.
  [[nodiscard]] bool answers(const EventRow& event, const QuestionText& question) const;
  // The variable of that name; variables.size() when there is none.
  [[nodiscard]] std::size_t variable_of(std::string_view name) const;
};

// The four files as texts; they may be gone when the model is there.
struct SpecTexts {
  std::string_view settings, events, policy, replies;
};
[[nodiscard]] Model parse_model(const SpecTexts& texts, Problems& problems);
[[nodiscard]] Model load_model(const std::filesystem::path& folder, Problems& problems);

// The rule that decides, tried in the order of their steps; none for a hole. Slow and obvious: evaluates the trees.
[[nodiscard]] std::optional<std::size_t> interpret(const Model& model, std::size_t event, const Assignment& assignment);
// The state after that rule.
[[nodiscard]] Assignment apply(const RuleRow& rule, Assignment assignment);
// The first state of a session: settings and facts as given, states by their `start`.
[[nodiscard]] Assignment start_of(const Model& model, Assignment assignment);

}  // namespace postern::spec
