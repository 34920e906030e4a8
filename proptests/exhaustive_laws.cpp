// Every law on every decision of every configuration: slowly and obviously, by the trees of the formulas. Agrees with
// the quick check of the generator; and finds conditions of a law that do nothing.
//   exhaustive_laws SPEC_FOLDER
#include <chrono>
#include <cstdio>
#include <string>
#include <unordered_map>

#include "spec/check_laws.hpp"
#include "spec/laws.hpp"
#include "spec/refuse.hpp"
#include "spec/verify.hpp"

namespace {

using namespace postern::spec;

// How often a clause was broken, and how often it failed to be by one condition alone.
struct Tally {
  std::size_t fits = 0;
  std::vector<std::size_t> all_but;
};

class Counts {
 public:
  explicit Counts(const std::vector<Law>& laws) : laws_(laws) {
    for (const Law& law : laws) {
      for (const Clause& clause : law.never) tallies_.push_back({0, std::vector<std::size_t>(clause.conjuncts.size())});
    }
  }

  void see(const Assignment& values) {
    std::size_t at = 0;
    for (const Law& law : laws_) {
      for (const Clause& clause : law.never) count(clause, values, tallies_[at++]);
    }
  }

  // Prints what is broken or idle; the number of such lines.
  [[nodiscard]] int judge() const {
    int problems = 0;
    std::size_t at = 0;
    for (const Law& law : laws_) {
      for (const Clause& clause : law.never) {
        const Tally& tally = tallies_[at++];
        if (tally.fits != 0) {
          ++problems;
          std::printf("%s is broken %zu times: %s\n  forbidden: %s\n", law.name.c_str(), tally.fits,
                      law.sentence.c_str(), clause.text.c_str());
        }
        for (std::size_t i = 0; i < tally.all_but.size(); ++i) {
          if (tally.all_but[i] != 0 || clause.conjuncts[i].is_scope) continue;
          ++problems;
          std::printf("%s: \"%s\" is idle in \"%s\"\n", law.name.c_str(), clause.conjuncts[i].text.c_str(),
                      clause.text.c_str());
        }
      }
    }
    return problems;
  }

  [[nodiscard]] std::size_t clauses() const { return tallies_.size(); }

 private:
  static void count(const Clause& clause, const Assignment& values, Tally& tally) {
    std::size_t failed = 0, last = 0;
    for (std::size_t i = 0; i < clause.conjuncts.size() && failed < 2; ++i) {
      if (holds(clause.conjuncts[i].condition, values)) continue;
      ++failed;
      last = i;
    }
    if (failed == 0) ++tally.fits;
    if (failed == 1) ++tally.all_but[last];
  }

  const std::vector<Law>& laws_;
  std::vector<Tally> tallies_;
};

// Which configurations have met each possibility: those that `when` fits, and no other.
class Met {
 public:
  Met(const Model& model, const Laws& laws) : model_(model), laws_(laws), met_(laws.possibilities.size()) {}

  void see(std::uint64_t word, const Assignment& values) {
    for (std::size_t i = 0; i < met_.size(); ++i) {
      if (holds(laws_.possibilities[i].some, values)) ++met_[i][word & configuration_bits(model_)];
    }
  }

  [[nodiscard]] int judge() const {
    int problems = 0;
    for (std::size_t i = 0; i < met_.size(); ++i) {
      const Possibility& law = laws_.possibilities[i];
      std::size_t wanted = 0, missing = 0, excluded = 0;
      const std::uint64_t all = configuration_bits(model_);
      for (std::uint64_t bits = all;; bits = (bits - 1) & all) {
        const bool is_wanted = holds(law.when, to_assignment(bits, model_)), is_met = met_[i].contains(bits);
        wanted += is_wanted ? 1U : 0U;
        missing += is_wanted && !is_met ? 1U : 0U;
        excluded += is_met && !is_wanted ? 1U : 0U;
        if (bits == 0) break;
      }
      std::printf("%s: in %zu of %zu configurations, and in %zu that it does not speak of\n", law.name.c_str(),
                  wanted - missing, wanted, excluded);
      if (missing != 0 || excluded != 0 || wanted == 0) ++problems;
    }
    return problems;
  }

 private:
  const Model& model_;
  const Laws& laws_;
  std::vector<std::unordered_map<std::uint64_t, std::size_t>> met_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: exhaustive_laws SPEC_FOLDER\n", stderr), 2;
  const auto begin = std::chrono::steady_clock::now();
  Problems problems;
  const Model model = load_model(argv[1], problems);
  if (!problems.empty()) return refuse(problems);
  const Laws laws = load_laws(argv[1], model, problems);
  if (!problems.empty()) return refuse(problems);

  Counts invariants(laws.invariants), decisions(laws.laws);
  Met met(model, laws);
  const Reach reach = explore(model, [&](std::uint64_t word, std::size_t event, const Row& row) {
    const Assignment before = to_assignment(word, model);
    const Assignment values = describe(laws.words, {model, before, event, row.rule});
    invariants.see(before);
    invariants.see(apply(model.rules[row.rule], before));
    decisions.see(values);
    met.see(word, values);
  });
  int found = invariants.judge() + decisions.judge() + met.judge();
  for (const Breach& breach : find_breaches(model, laws, Search::every_law)) {
    ++found;
    std::puts(explain(model, laws, breach).c_str());
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf(
      "%zu decisions of %zu reachable states in %zu configurations; %zu invariants and %zu laws in %zu clauses, "
      "%zu possibilities: %d problems, %.2f s\n",
      reach.decisions, reach.states, reach.configurations, laws.invariants.size(), laws.laws.size(),
      invariants.clauses() + decisions.clauses(), laws.possibilities.size(), found, seconds.count());
  return found == 0 ? 0 : 1;
}
