// A law as what it forbids one decision to do: a clause, the event and the state before known, is a set of outcomes.
// in      Model, Laws; an event and a state
// out     Boxes: one mask a component of the outcome; a clause forbids an outcome that lies in one of its boxes
// limits  a component has at most 128 values
// source  docs/proof.md
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "spec/laws.hpp"

namespace postern::proptests {

// What a decision does: the effect, the value of each state after it, whether each capability is listed, what it counts
// as (a mistake, an AUTH attempt, forgiveness), the reply.
inline constexpr std::size_t most_components = 20;
using Mask = std::bitset<128>;
using Box = std::array<Mask, most_components>;
using Boxes = std::vector<Box>;
using Outcome = std::array<std::size_t, most_components>;

// One clause of one law, or of an invariant, which then speaks of the state after.
struct LawClause {
  std::string law, text;
  spec::Expression condition;
};

// An invariant of the state before, said of the state after.
[[nodiscard]] spec::Expression said_after(spec::Expression e, const spec::Model& model, const spec::Vocabulary& words);

class Forbidden {
 public:
  Forbidden(const spec::Model& model, const spec::Laws& laws);

  [[nodiscard]] const std::vector<LawClause>& clauses() const { return clauses_; }
  [[nodiscard]] std::size_t components() const { return sizes_.size(); }
  [[nodiscard]] std::size_t reply_component() const { return sizes_.size() - 1; }
  [[nodiscard]] bool is_capability(std::size_t component) const {
    return component > model_.states.size() && component < first_count();
  }
  // Of `components()`, is the whole range of values there?
  [[nodiscard]] bool is_whole(const Box& box, std::size_t component) const {
    return box[component] == whole_[component];
  }
  [[nodiscard]] std::size_t size(std::size_t component) const { return sizes_[component]; }
  [[nodiscard]] std::string name(std::size_t component, std::size_t value) const;
  [[nodiscard]] Outcome outcome_of(std::size_t event, std::size_t rule, const spec::Assignment& before) const;

  // What the start of this configuration is; the invariants alone speak of it.
  [[nodiscard]] Outcome outcome_of_start(const spec::Assignment& configuration) const;
  [[nodiscard]] bool is_of_states(std::size_t clause) const { return clause >= laws_; }

  // Of any clause, as it would stand among the laws.
  [[nodiscard]] Boxes boxes_of(const spec::Expression& condition, std::size_t event,
                               const spec::Assignment& before) const;
  // By number of the clause; numbers of equal boxes are equal, 0 forbids nothing.
  [[nodiscard]] std::size_t number_of(std::size_t clause, std::size_t event, std::uint64_t word);
  // All of them, clause after clause.
  [[nodiscard]] std::vector<std::size_t> numbers_of(std::size_t event, std::uint64_t word);
  // The bits of the state before on which numbers and outcomes of a rule depend.
  [[nodiscard]] std::uint64_t care_of(std::size_t event) const;
  [[nodiscard]] const Boxes& boxes(std::size_t number) const { return boxes_[number]; }

 private:
  struct Known {
    bool can_fit = true;
    std::uint64_t care = 0;  // bits of the state before that matter
    std::unordered_map<std::uint64_t, std::size_t> numbers;
  };
  // Clauses that fit one event, and to which the same bits matter: they are looked up together.
  struct Alike {
    std::uint64_t care = 0;
    std::vector<std::size_t> clauses = {};
    std::unordered_map<std::uint64_t, std::vector<std::size_t>> numbers = {};
  };

  [[nodiscard]] Boxes fold(const spec::Expression& e, bool wanted, std::size_t event,
                           const spec::Assignment& before) const;
  [[nodiscard]] Boxes atom(const spec::Expression& e, bool wanted, std::size_t event,
                           const spec::Assignment& before) const;
  // After the capabilities: the components for a mistake, an AUTH attempt and forgiveness.
  [[nodiscard]] std::size_t first_count() const { return 1 + model_.states.size() + model_.capabilities.size(); }
  void set_capabilities(Outcome& outcome, const spec::Assignment& before) const;
  [[nodiscard]] std::pair<std::size_t, Mask> meant_by(const spec::Expression& e, const spec::Assignment& before) const;
  [[nodiscard]] Boxes slice(std::size_t component, const Mask& mask) const;
  [[nodiscard]] Mask replies_of(const spec::Expression& e) const;
  [[nodiscard]] bool can_fit(const spec::Expression& e, bool wanted, std::size_t event) const;
  void collect_care(const spec::Expression& e, std::uint64_t& care) const;
  [[nodiscard]] std::size_t number(Boxes boxes);

  const spec::Model& model_;
  const spec::Vocabulary& words_;
  std::vector<std::size_t> sizes_;
  Box whole_;
  std::size_t laws_ = 0;  // clauses of laws; those of invariants follow
  std::vector<LawClause> clauses_;
  std::vector<Known> known_;               // clause after clause, event after event
  std::vector<std::vector<Alike>> alike_;  // event after event
  std::vector<Boxes> boxes_;
  std::unordered_map<std::string, std::size_t> number_by_text_;
};

}  // namespace postern::proptests
