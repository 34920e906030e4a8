// What the laws leave open. Every outcome of every decision of every session, but the one in the table, is forbidden by a
// law; only which of several replies of one class is given may be open, and where it is stands in a list. So a law that
// is dropped or weakened lets something through that is not listed, unless another law says the same: such clauses are
// listed too. The table is compared with what was written down from the RFCs and the seed: SecondOpinion.
//   laws_leave_open SPEC_FOLDER LIST [--write]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "proptests/boxes.hpp"
#include "proptests/open_outcomes.hpp"
#include "spec/check_laws.hpp"
#include "spec/refuse.hpp"
#include "spec/verify.hpp"

namespace {

using namespace postern;
using proptests::Forbidden;
using proptests::OpenOutcomes;
using proptests::Place;
using proptests::Where;

// Decisions that laws and table judge alike are looked at once.
class Places {
 public:
  Places(const spec::Model& model, Forbidden& forbidden) : model_(model), forbidden_(forbidden) {
    for (std::size_t event = 0; event < model.events.size(); ++event) care_.push_back(forbidden.care_of(event));
    known_.resize(model.events.size());
  }

  [[nodiscard]] std::map<Place, Where> find(spec::Reach& reach) {
    add_starts();
    reach = explore(model_, [&](std::uint64_t word, std::size_t event, const spec::Row& row) {
      const auto [found, is_new] = known_[event].try_emplace({word & care_[event], row.rule}, nullptr);
      if (is_new) found->second = &places_[proptests::place_of(model_, forbidden_, word, event, row.rule)];
      found->second->see(event, word);
    });
    return std::move(places_);
  }

 private:
  void add_starts() {
    const std::uint64_t all = configuration_bits(model_);
    for (std::uint64_t bits = all;; bits = (bits - 1) & all) {
      places_[proptests::start_of(model_, forbidden_, bits)].see(0, bits);
      if (bits == 0) break;
    }
  }

  const spec::Model& model_;
  Forbidden& forbidden_;
  std::vector<std::uint64_t> care_;
  std::vector<std::map<std::pair<std::uint64_t, std::size_t>, Where*>> known_;
  std::map<Place, Where> places_;
};

// Every weakening of a clause by one more condition on the state before: how many, and how many open nothing.
struct Weakenings {
  std::size_t all = 0, idle = 0;
};

Weakenings count_weakenings(const spec::Model& model, const std::vector<Where>& sole) {
  Weakenings count;
  for (const Where& where : sole) {
    for (const spec::Variable& variable : model.variables) {
      const std::size_t values = variable.is_boolean ? 1 : variable.values.size();
      for (std::size_t value = 0; value < values; ++value) {
        const std::uint64_t bit = bit_of(variable, variable.is_boolean ? 1 : value);
        count.all += 2;
        count.idle += where.events.none() || (where.all & bit) != 0 ? 1U : 0U;
        count.idle += where.events.none() || (where.some & bit) == 0 ? 1U : 0U;
      }
    }
  }
  return count;
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

std::string listed(const std::vector<std::string>& texts) {
  std::string out, line = "[";
  for (const std::string& text : texts) {
    if (line.size() + text.size() > 112) out += line + "\n", line = "  ";
    line += quoted(text) + (&text == &texts.back() ? "" : ", ");
  }
  return out + line + "]";
}

constexpr std::size_t most_together = 4;

constexpr std::string_view head =
    R"(# Which replies the laws leave open, and which clauses of laws another law says too. Written by
#   laws_leave_open spec proptests/laws_leave_open.toml --write
# and compared by the same program: a row that changes says what a changed law now lets through. Nothing but another reply
# of the same class may stand here; which text of a class is right, the dialogues and the second opinion say.
)";

using Companions = std::map<std::size_t, std::vector<std::size_t>>;

// Of each clause that is said twice: the fewest others without which, and without itself, something is open.
Companions find_companions(const spec::Model& model, const Forbidden& forbidden, const OpenOutcomes& found,
                           const std::map<Place, Where>& places) {
  proptests::Redundancy redundancy;
  for (const Where& where : found.sole()) redundancy.wanted.push_back(where.events.none());
  Companions companions;
  while (std::ranges::count(redundancy.wanted, true) != 0 && ++redundancy.together <= most_together) {
    OpenOutcomes together(model, forbidden, redundancy);
    for (const auto& [place, where] : places) together.look_at(place, where);
    for (const auto& [clause, others] : together.companions()) {
      if (redundancy.wanted[clause]) companions[clause] = others;
    }
    for (const auto& [clause, others] : companions) redundancy.wanted[clause] = false;
  }
  return companions;
}

std::string write_list(const spec::Model& model, const Forbidden& forbidden, const OpenOutcomes& found,
                       const Companions& companions) {
  std::map<std::vector<std::string>, std::vector<std::string>> rules_by_replies;
  for (const auto& [rule, replies] : found.replies()) {
    std::set<std::string> names{model.replies[model.rules[rule].reply].name};
    for (const std::size_t reply : replies) names.insert(model.replies[reply].name);
    rules_by_replies[{names.begin(), names.end()}].push_back(model.rules[rule].id);
  }
  std::string out(head);
  for (const auto& [replies, rules] : rules_by_replies)
    out += "\n[[open]]\nrules = " + listed(rules) + "\nreplies = " + listed(replies) + "\n";
  for (std::size_t i = 0; i < found.sole().size(); ++i) {
    if (found.sole()[i].events.any()) continue;
    const proptests::LawClause& clause = forbidden.clauses()[i];
    out += "\n[[said_twice]]\nlaw = " + quoted(clause.law) + "\nclause = " + quoted(clause.text) + "\n";
    const auto others = companions.find(i);
    if (others == companions.end()) continue;
    std::vector<std::string> texts;
    for (const std::size_t other : others->second)
      texts.push_back(forbidden.clauses()[other].law + ": " + forbidden.clauses()[other].text);
    out += "also = " + listed(texts) + "\n";
  }
  return out;
}

std::string read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Lines that one of them has and the other has not.
void print_difference(const std::string& old_text, const std::string& new_text) {
  const auto lines = [](const std::string& text) {
    std::set<std::string> result;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) result.insert(line);
    return result;
  };
  const std::set<std::string> before = lines(old_text), now = lines(new_text);
  for (const std::string& line : before) {
    if (!now.contains(line)) std::printf("- %s\n", line.c_str());
  }
  for (const std::string& line : now) {
    if (!before.contains(line)) std::printf("+ %s\n", line.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return std::fputs("usage: laws_leave_open SPEC_FOLDER LIST [--write]\n", stderr), 2;
  const auto begin = std::chrono::steady_clock::now();
  spec::Problems problems;
  const spec::Model model = spec::load_model(argv[1], problems);
  if (!problems.empty()) return refuse(problems);
  const spec::Laws laws = load_laws(argv[1], model, problems);
  if (!problems.empty()) return refuse(problems);
  Forbidden forbidden(model, laws);
  spec::Reach reach;
  const std::map<Place, Where> places = Places(model, forbidden).find(reach);
  OpenOutcomes found(model, forbidden);
  for (const auto& [place, where] : places) found.look_at(place, where);
  for (const std::string& clause : found.broken()) std::printf("FORBIDS WHAT THE TABLE DOES  %s\n", clause.c_str());
  for (const std::string& hole : found.holes()) std::printf("NO LAW FORBIDS  %s\n", hole.c_str());
  const Companions companions = find_companions(model, forbidden, found, places);
  const std::string list = write_list(model, forbidden, found, companions);
  if (argc == 4) std::ofstream(argv[2], std::ios::binary) << list;
  const bool is_same = list == read(argv[2]);
  if (!is_same) {
    print_difference(read(argv[2]), list);
    std::printf("The laws leave open what %s does not list, or no longer what it lists. When that is meant: --write\n",
                argv[2]);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const auto twice = static_cast<std::size_t>(
      std::ranges::count_if(found.sole(), [](const Where& where) { return where.events.none(); }));
  const Weakenings weakenings = count_weakenings(model, found.sole());
  std::printf(
      "%zu decisions, %zu ways to judge them; %zu clauses, each alone forbids something but %zu that are said twice; "
      "%zu of %zu weakenings of a clause let something through; %zu holes, %.1f s\n",
      reach.decisions, places.size(), found.sole().size(), twice, weakenings.all - weakenings.idle, weakenings.all,
      found.holes().size(), seconds.count());
  return found.broken().empty() && found.holes().empty() && is_same ? 0 : 1;
}
