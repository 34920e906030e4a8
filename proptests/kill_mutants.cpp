// Every single mutant of the spec must be noticed: by a law, by a dialogue, or by the generator. One that nobody
// notices must decide everything alike, and stand in equivalent_mutants.toml with the reason. (The snapshot is not
// asked: it notices all.)
//   kill_mutants SPEC_FOLDER DIALOGUES EQUIVALENT_MUTANTS [SAMPLE SEED]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <set>
#include <string_view>
#include <thread>

#include "proptests/known_dialogues.hpp"
#include "proptests/mutants.hpp"
#include "spec/check_laws.hpp"
#include "spec/refuse.hpp"
#include "spec/toml_file.hpp"

namespace {

using namespace postern;
using proptests::Mutant;
using spec::Model;

// A decision counts as the same: as a mistake, as an AUTH command, as the end of what was counted.
bool count_alike(const Model& one, std::size_t rule, const Model& other, std::size_t other_rule, std::size_t event) {
  const spec::EventRow &counts = one.events[event], &other_counts = other.events[event];
  return one.replies[one.rules[rule].reply].is_mistake == other.replies[other.rules[other_rule].reply].is_mistake &&
         counts.is_auth_attempt == other_counts.is_auth_attempt &&
         counts.forgives_mistakes == other_counts.forgives_mistakes;
}

// Alike in everything that a client can see and a session remembers; the same states are then reached.
bool decide_alike(const Model& one, const Model& other) {
  const auto rows = rows_of(other);
  bool alike = true;
  const auto see = [&](std::uint64_t word, std::size_t event, const spec::Row& row) {
    const auto found =
        std::ranges::find_if(rows[event], [&](const spec::Row& r) { return (word & r.guard.care) == r.guard.want; });
    const spec::Assignment before = to_assignment(word, one);
    alike = alike && found != rows[event].end() && count_alike(one, row.rule, other, found->rule, event) &&
            proptests::answer_of(one, row.rule, word) == proptests::answer_of(other, found->rule, word) &&
            apply(one.rules[row.rule], before) == apply(other.rules[found->rule], before);
  };
  const std::uint64_t all = configuration_bits(one);
  for (std::uint64_t bits = all;; bits = (bits - 1) & all) {
    alike = alike && start_of(one, to_assignment(bits, one)) == start_of(other, to_assignment(bits, other));
    if (bits == 0) break;
  }
  if (alike) static_cast<void>(explore(one, see));
  return alike;
}

struct Verdict {
  std::string by;  // a law, a dialogue, the generator; empty: survived
  std::string kind;
};

class Judge {
 public:
  Judge(const proptests::Spec& parts, const spec::Laws& laws, const std::vector<proptests::KnownDialogue>& dialogues)
      : parts_(parts), laws_(laws), dialogues_(dialogues), decisions_(decisions_of(parts.model)) {}

  [[nodiscard]] Verdict judge(const Mutant& mutant) const {
    const Model model = made(mutant);
    const bool keeps_states = !mutant.rules.empty();
    const auto breaches = keeps_states ? find_breach_at(model, laws_, decisions_, mutant.rules)
                                       : find_breaches(model, laws_, spec::Search::first_breach);
    if (!breaches.empty()) return {breaches.front().name(laws_), "law"};
    if (std::string name = proptests::first_difference(dialogues_, model); !name.empty()) return {name, "dialogue"};
    const auto rest = find_breaches(model, laws_, spec::Search::first_breach);  // the possibilities
    if (!rest.empty()) return {rest.front().name(laws_), "law"};
    spec::Problems problems;
    static_cast<void>(verify(model, problems));
    if (!problems.empty()) return {problems.front().what, "generator"};
    return {};
  }

  [[nodiscard]] Model made(const Mutant& mutant) const {
    proptests::Spec parts = parts_;
    mutant.change(parts);
    return proptests::put_together(std::move(parts));
  }

 private:
  const proptests::Spec& parts_;
  const spec::Laws& laws_;
  const std::vector<proptests::KnownDialogue>& dialogues_;
  spec::Decisions decisions_;
};

std::vector<Verdict> judge_all(const Judge& judge, const std::vector<Mutant>& mutants) {
  std::vector<Verdict> verdicts(mutants.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < mutants.size(); i = next++) verdicts[i] = judge.judge(mutants[i]);
  };
  std::thread other(work);
  work();
  other.join();
  return verdicts;
}

// Reasons by the mutant's name.
std::map<std::string, std::string> load_equivalent(const std::filesystem::path& path, spec::Problems& problems) {
  std::map<std::string, std::string> reasons;
  spec::TomlFile file(path.parent_path(), path.filename().string(), problems);
  file.each("mutant", {"name", "reason"}, 2, [&](const toml::table& row, unsigned line) {
    if (!reasons.emplace(spec::text_of(row, "name"), spec::text_of(row, "reason")).second)
      file.problem(line, "a second \"" + spec::text_of(row, "name") + "\"");
  });
  return reasons;
}

// How many of each kind met which end.
void print_table(const std::vector<Mutant>& mutants, const std::vector<Verdict>& verdicts) {
  std::map<std::string, std::map<std::string, std::size_t>> table;
  for (std::size_t i = 0; i < mutants.size(); ++i) {
    const std::string& end = verdicts[i].kind.empty() ? "equivalent" : verdicts[i].kind;
    for (const std::string& kind : {mutants[i].kind, std::string("all")}) ++table[kind][end], ++table[kind]["total"];
  }
  std::printf("%-22s%10s%10s%10s%10s%12s\n", "mutants", "total", "law", "dialogue", "generator", "equivalent");
  for (auto& [kind, ends] : table) {
    std::printf("%-22s", kind.c_str());
    for (const char* end : {"total", "law", "dialogue", "generator", "equivalent"})
      std::printf(end == std::string_view("equivalent") ? "%12zu" : "%10zu", ends[end]);
    std::puts("");
  }
}

void print_killers(const std::vector<Verdict>& verdicts, const spec::Laws& laws) {
  std::map<std::string, std::size_t> kills;
  for (const spec::Law& law : laws.laws) kills[law.name] = 0;
  for (const Verdict& verdict : verdicts) {
    if (verdict.kind == "law") ++kills[verdict.by];
  }
  std::puts("first noticed by the law:");
  for (const auto& [law, count] : kills) std::printf("  %6zu  %s\n", count, law.c_str());
}

// `rule *: waiting := command` stands for many.
bool fits(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  return name.size() + 1 >= pattern.size() && name.starts_with(pattern.substr(0, star)) &&
         name.ends_with(pattern.substr(star + 1));
}

// Survivors that are not listed, or that are listed and are not alike; and lines of the list that no survivor needs.
int judge_survivors(const Judge& judge, const Model& model, const std::vector<Mutant>& mutants,
                    const std::vector<Verdict>& verdicts, const std::map<std::string, std::string>& reasons,
                    bool is_sample) {
  int problems = 0;
  std::set<std::string> needed;
  for (std::size_t i = 0; i < mutants.size(); ++i) {
    if (!verdicts[i].kind.empty()) continue;
    const auto reason =
        std::ranges::find_if(reasons, [&](const auto& row) { return fits(row.first, mutants[i].name); });
    if (reason != reasons.end()) needed.insert(reason->first);
    const bool alike = decide_alike(model, judge.made(mutants[i]));
    if (alike && reason != reasons.end()) continue;
    ++problems;
    std::printf("%s  %s\n", alike ? "NOT LISTED, DECIDES ALIKE" : "SURVIVES", mutants[i].name.c_str());
  }
  for (const auto& [name, reason] : reasons) {
    if (!is_sample && !needed.contains(name)) ++problems, std::printf("LISTED FOR NOTHING  %s\n", name.c_str());
  }
  return problems;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 6)
    return std::fputs("usage: kill_mutants SPEC_FOLDER DIALOGUES EQUIVALENT_MUTANTS [SAMPLE SEED]\n", stderr), 2;
  const auto begin = std::chrono::steady_clock::now();
  spec::Problems problems;
  const Model model = spec::load_model(argv[1], problems);
  if (!problems.empty()) return refuse(problems);
  const spec::Laws laws = load_laws(argv[1], model, problems);
  const auto reasons = load_equivalent(argv[3], problems);
  if (!problems.empty()) return refuse(problems);
  const auto dialogues = proptests::known_dialogues(argv[2], model);
  const proptests::Spec parts = proptests::take_apart(model);
  std::vector<Mutant> mutants = proptests::mutants_of(parts);
  const std::size_t total = mutants.size();
  if (argc == 6) {
    std::ranges::shuffle(mutants, std::mt19937_64(std::stoull(argv[5])));
    mutants.resize(std::min<std::size_t>(mutants.size(), std::stoull(argv[4])));
  }
  const Judge judge(parts, laws, dialogues);
  if (!judge.judge({"", "none", [](proptests::Spec&) {}}).kind.empty())
    return std::puts("the spec itself is not whole"), 1;
  const std::vector<Verdict> verdicts = judge_all(judge, mutants);
  print_table(mutants, verdicts);
  print_killers(verdicts, laws);
  const int found = judge_survivors(judge, model, mutants, verdicts, reasons, argc == 6);
  const auto survivors = static_cast<std::size_t>(std::ranges::count(verdicts, "", &Verdict::kind));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%zu of %zu mutants, %zu noticed, %zu equivalent, %d problems; %zu dialogues; %.1f s\n", mutants.size(),
              total, mutants.size() - survivors, survivors, found, dialogues.size(), seconds.count());
  return found == 0 ? 0 : 1;
}
