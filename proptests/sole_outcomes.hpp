// What each clause of the laws alone forbids, and whether it still does when it reads otherwise.
// in      Model, Laws; for each clause that others say too, those others: it is judged as if they were not there
// out     judge(): the table breaks the changed laws, or they let something through, or they say no less, or others say
//         what is lost
// limits  looks at every decision, or at so many of each rule and event
// source  docs/proof.md
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proptests/boxes.hpp"
#include "proptests/law_mutants.hpp"
#include "proptests/open_outcomes.hpp"

namespace postern::proptests {

// By clause: the others that say it, too.
using SaidTwice = std::map<std::size_t, std::vector<std::size_t>>;

// The last: what the mutant no longer forbids, others forbid.
enum class LawEnd : std::uint8_t { broken, opened, no_less, said_by_others };

class SoleOutcomes {
 public:
  // Of each rule and event so many decisions are looked at, as they come; 0: all.
  SoleOutcomes(const spec::Model& model, const spec::Laws& laws, SaidTwice said_twice, std::size_t most);

  // Finds what each clause alone forbids, before a mutant is judged. Those that forbid nothing are returned.
  [[nodiscard]] std::vector<std::size_t> prepare();
  [[nodiscard]] LawEnd judge(const LawMutant& mutant) const;
  [[nodiscard]] const std::vector<LawClause>& clauses() const { return forbidden_.clauses(); }
  [[nodiscard]] std::size_t decisions() const { return spots_.size(); }

 private:
  // A decision, or a start.
  struct Spot {
    std::size_t event;
    spec::Assignment before, decision;  // the state before; a value for every word of the laws
    Place place;
  };
  struct Sole {
    const Spot* spot;
    Box outcomes;
  };

  struct Decision {
    std::uint64_t word;
    std::size_t event, rule;
  };

  void add(const Decision& decision);
  void look(std::size_t clause);
  void look_further(std::size_t clause);
  void add_starts(std::size_t most);
  [[nodiscard]] Boxes what_it_alone_forbids(std::size_t clause, const Spot& spot) const;
  [[nodiscard]] bool is_broken(const LawMutant& mutant) const;
  [[nodiscard]] bool is_opened(const LawMutant& mutant) const;
  [[nodiscard]] bool says_no_less(const LawMutant& mutant) const;
  [[nodiscard]] Boxes boxes_of(const LawMutant& mutant, std::size_t clause, const Spot& spot) const;

  const spec::Model& model_;
  const spec::Laws& laws_;
  Forbidden forbidden_;
  SaidTwice said_twice_;
  std::size_t most_;
  std::vector<Decision> all_;                       // those that some law tells apart
  std::deque<Spot> spots_;                          // those that are looked at
  std::vector<std::vector<const Spot*>> spots_of_;  // by clause: where it forbids something
  std::vector<std::vector<Sole>> soles_;
};

}  // namespace postern::proptests
