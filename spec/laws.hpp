// What must be true of every decision, whatever the rules say: each law once, as data.
// in      spec/laws.toml, and the model for its names
// out     Laws; its formulas speak of one decision in the words of a Vocabulary
// errors  Problems, each with file, line and a sentence
// source  spec/laws.toml (its head tells the language)
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "spec/model.hpp"

namespace postern::spec {

// The names of a formula: first the model's own, meaning the state before; then these, in this order.
struct Vocabulary {
  std::vector<Variable> variables;
  std::size_t after = 0;    // after.channel ...: one a state
  std::size_t changed = 0;  // changed.channel ...: one a state
  std::size_t event = 0, reply = 0, code = 0, effect = 0;
  std::size_t mistake = 0, auth_attempt = 0, forgives = 0;  // what the reply, or the event, counts as
  std::size_t lists_capabilities = 0;                       // the reply is the one to EHLO
  std::size_t advertised = 0;                               // advertised.STARTTLS ...: one a capability
  std::size_t theorem = 0;  // tls_implied ...: one a derived name, usable when it is a theorem
};

[[nodiscard]] Vocabulary vocabulary_of(const Model& model);

// One decision: this rule decides this event in this state.
struct Decision {
  const Model& model;
  const Assignment& before;
  std::size_t event, rule;
};
// A value for every name of the vocabulary.
[[nodiscard]] Assignment describe(const Vocabulary& words, const Decision& decision);

struct Conjunct {
  std::string text;
  Expression condition;
  bool is_scope = false;  // the law's `only`
};
// Never may all of them hold at once; each but the scope is needed: without it the clause would be too strict.
struct Clause {
  std::string text;
  std::vector<Conjunct> conjuncts;
};

struct Law {
  std::string name, sentence, source;
  std::vector<Clause> never;
  std::vector<std::size_t> by;  // invariants that the proof needs, their own needs included
  unsigned line = 0;
};

// In every configuration that `when` fits, some decision that `some` fits can be reached.
struct Possibility {
  std::string name, sentence, source, when_text, some_text;
  Expression when, some;
  unsigned line = 0;
};

// A name that the laws make for themselves.
struct LawName {
  std::string name, text;
  Expression condition;
};

struct Laws {
  Vocabulary words;
  std::vector<LawName> names;
  std::vector<Law> invariants;  // of states, proved by induction
  std::vector<Law> laws;        // of decisions
  std::vector<Possibility> possibilities;
};

[[nodiscard]] Laws load_laws(const std::filesystem::path& folder, const Model& model, Problems& problems);
[[nodiscard]] Laws parse_laws(std::string_view text, const Model& model, Problems& problems);

}  // namespace postern::spec
