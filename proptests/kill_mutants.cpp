// Every single mutant of the spec must be noticed: by a law, by a dialogue, by the generator, or by a second opinion of what
// the rules do not decide. One that nobody notices must decide everything alike, and stand in equivalent_mutants.toml with the
// reason. (The snapshot is not asked: it notices all.) How many each law is the first to notice stands in killed_mutants.toml, for
// the page of the policy.
//   kill_mutants SPEC_FOLDER DIALOGUES EQUIVALENT_MUTANTS KILLED_MUTANTS [--write | KIND | SAMPLE SEED]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
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
#include "testing/opinions.hpp"

namespace {

using namespace postern;
using proptests::Mutant;
using spec::Model;

// Says, does and counts the same: as a mistake, as an AUTH command, as the end of what was counted. Of the capabilities that
// EHLO lists answer_of() knows.
bool decides_alike(const Model& one, std::size_t rule, const Model& other, std::size_t other_rule, std::size_t event) {
  const spec::RuleRow &row = one.rules[rule], &other_row = other.rules[other_rule];
  const spec::ReplyText &reply = one.replies[row.reply], &other_reply = other.replies[other_row.reply];
  const spec::EventRow &counts = one.events[event], &other_counts = other.events[event];
  return reply.code == other_reply.code && reply.text == other_reply.text &&
         reply.has_capability_lines == other_reply.has_capability_lines && reply.is_mistake == other_reply.is_mistake &&
         one.effects[row.effect].name == other.effects[other_row.effect].name &&
         counts.is_auth_attempt == other_counts.is_auth_attempt &&
         counts.forgives_mistakes == other_counts.forgives_mistakes;
}

// The word of the state after that rule.
std::uint64_t after(const Model& model, std::size_t rule, std::uint64_t word) {
  for (const spec::Change& change : model.rules[rule].then) {
    const spec::Variable& variable = model.variables[change.variable];
    word = (word & ~bits_of(variable)) | bit_of(variable, change.value);
  }
  return word;
}

// Alike in everything that a client can see and a session remembers; the same states are then reached. What the second opinion
// speaks of is alike, or that has noticed it.
bool decide_alike(const Model& one, const Model& other) {
  const auto rows = rows_of(other);
  bool alike = true;
  const auto see = [&](std::uint64_t word, std::size_t event, const spec::Row& row) {
    if (!alike) return;
    const auto found =
        std::ranges::find_if(rows[event], [&](const spec::Row& r) { return (word & r.guard.care) == r.guard.want; });
    alike = found != rows[event].end() && decides_alike(one, row.rule, other, found->rule, event) &&
            after(one, row.rule, word) == after(other, found->rule, word);
    if (alike && one.replies[one.rules[row.rule].reply].has_capability_lines)
      alike = proptests::answer_of(one, row.rule, word) == proptests::answer_of(other, found->rule, word);
  };
  const std::uint64_t all = configuration_bits(one);
  for (std::uint64_t bits = all;; bits = (bits - 1) & all) {
    alike = alike && start_of(one, to_assignment(bits, one)) == start_of(other, to_assignment(bits, other));
    if (bits == 0) break;
  }
  if (alike) static_cast<void>(explore(one, see));
  return alike;
}

// Rules, laws and dialogues do not know of it; the second opinion does.
bool is_beside_decisions(const Mutant& mutant) {
  return mutant.kind == "change an exit" || mutant.kind == "change a default";
}

// Of each exit code the first row that fits, as the queue program's way out reads them.
bool says_what_exits_mean(const Model& model) {
  for (unsigned code = 1; code < 256; ++code) {
    const auto row = std::ranges::find_if(
        model.queue_exits, [&](const spec::QueueExit& each) { return each.first <= code && code <= each.last; });
    const testing::QueueExit wanted = testing::meaning_of_exit(code);
    if (row == model.queue_exits.end() || row->is_permanent != wanted.is_permanent || row->text != wanted.text)
      return false;
  }
  return true;
}

// Of a thing that differs from the second opinion its name; empty: of none.
std::string other_than_opinion(const Model& model) {
  const spec::Variable& waiting = model.variables[model.waiting_variable()];
  for (const spec::EventRow& event : model.events) {
    for (std::size_t value = 0; value < waiting.values.size(); ++value) {
      const bool can_happen = std::ranges::find(event.waiting, value) != event.waiting.end();
      if (can_happen != testing::can_happen(event.name, waiting.values[value])) return "the time of an event";
    }
  }
  for (const spec::Setting& setting : model.settings) {
    if (setting.default_value != testing::default_of(setting.name)) return "the default of a setting";
  }
  return says_what_exits_mean(model) ? "" : "the exits of a queue program";
}

struct Verdict {
  std::string by;  // a law, a dialogue, the generator, the second opinion; empty: survived
  std::string kind;
};

class Judge {
 public:
  Judge(const proptests::Spec& parts, const spec::Laws& laws, const std::vector<proptests::KnownDialogue>& dialogues)
      : parts_(parts), laws_(laws), dialogues_(dialogues), decisions_(decisions_of(parts.model)) {}

  [[nodiscard]] Verdict judge(const Mutant& mutant) const {
    const Model model = made(mutant);
    if (const std::string other = other_than_opinion(model); !other.empty()) return {other, "opinion"};
    if (is_beside_decisions(mutant)) return {};
    if (Verdict verdict = ask_laws_and_dialogues(mutant, model); !verdict.kind.empty()) return verdict;
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
  [[nodiscard]] Verdict ask_laws_and_dialogues(const Mutant& mutant, const Model& model) const {
    const bool is_only_text = mutant.kind == "change a text", keeps_states = !mutant.rules.empty();
    if (!is_only_text) {
      const auto breaches = keeps_states ? find_breach_at(model, laws_, decisions_, mutant.rules)
                                         : find_breaches(model, laws_, spec::Search::first_breach);
      if (!breaches.empty()) return {breaches.front().name(laws_), "law"};
    }
    if (std::string name = proptests::first_difference(dialogues_, model); !name.empty()) return {name, "dialogue"};
    if (is_only_text || !keeps_states) return {};
    const auto rest = find_breaches(model, laws_, spec::Search::first_breach);  // the possibilities
    if (!rest.empty()) return {rest.front().name(laws_), "law"};
    return {};
  }

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
  std::printf("%-22s%10s%10s%10s%10s%10s%12s\n", "mutants", "total", "law", "dialogue", "generator", "opinion",
              "equivalent");
  for (auto& [kind, ends] : table) {
    std::printf("%-22s", kind.c_str());
    for (const char* end : {"total", "law", "dialogue", "generator", "opinion", "equivalent"})
      std::printf(end == std::string_view("equivalent") ? "%12zu" : "%10zu", ends[end]);
    std::puts("");
  }
}

// How many mutants each law is the first to notice.
using Kills = std::map<std::string, std::size_t>;

Kills kills_of(const std::vector<Verdict>& verdicts, const spec::Laws& laws) {
  Kills kills;
  for (const spec::Law& law : laws.laws) kills[law.name] = 0;
  for (const spec::Law& law : laws.invariants) kills[law.name] = 0;
  for (const spec::Possibility& possibility : laws.possibilities) kills[possibility.name] = 0;
  for (const Verdict& verdict : verdicts) {
    if (verdict.kind == "law") ++kills[verdict.by];
  }
  return kills;
}

std::string written(const Kills& kills, std::size_t total) {
  std::string text =
      "# How many of the mutants of the spec each law is the first to notice. Written by kill_mutants --write, "
      "compared by it.\n";
  text += "mutants = " + std::to_string(total) + "\n\n[first_noticed_by]\n";
  for (const auto& [law, count] : kills) text += law + " = " + std::to_string(count) + "\n";
  return text;
}

// 1 where the file says something else.
int compare_kills(const std::filesystem::path& path, const std::string& wanted) {
  std::ifstream file(path);
  const std::string found{std::istreambuf_iterator<char>(file), {}};
  if (found == wanted) return 0;
  std::printf("OUT OF DATE  %s: run the test's command with --write; it should be:\n%s", path.c_str(), wanted.c_str());
  return 1;
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
    const bool alike = is_beside_decisions(mutants[i]) || decide_alike(model, judge.made(mutants[i]));
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
  if (argc < 5 || argc > 7)
    return std::fputs(
               "usage: kill_mutants SPEC_FOLDER DIALOGUES EQUIVALENT_MUTANTS KILLED_MUTANTS "
               "[--write | KIND | SAMPLE SEED]\n",
               stderr),
           2;
  const bool writes = argc == 6 && argv[5] == std::string_view("--write"), is_sample = argc > 5 && !writes;
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
  if (argc == 6 && is_sample) std::erase_if(mutants, [&](const Mutant& mutant) { return mutant.kind != argv[5]; });
  if (argc == 7) {
    std::ranges::shuffle(mutants, std::mt19937_64(std::stoull(argv[6])));
    mutants.resize(std::min<std::size_t>(mutants.size(), std::stoull(argv[5])));
  }
  const Judge judge(parts, laws, dialogues);
  if (!judge.judge({"", "none", [](proptests::Spec&) {}}).kind.empty())
    return std::puts("the spec itself is not whole"), 1;
  const std::vector<Verdict> verdicts = judge_all(judge, mutants);
  print_table(mutants, verdicts);
  const std::string kills = written(kills_of(verdicts, laws), total);
  if (writes) std::ofstream(argv[4]) << kills;
  const int found = judge_survivors(judge, model, mutants, verdicts, reasons, is_sample) +
                    (is_sample ? 0 : compare_kills(argv[4], kills));
  const auto survivors = static_cast<std::size_t>(std::ranges::count(verdicts, "", &Verdict::kind));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%zu of %zu mutants, %zu noticed, %zu equivalent, %d problems; %zu dialogues; %.1f s\n", mutants.size(),
              total, mutants.size() - survivors, survivors, found, dialogues.size(), seconds.count());
  return found == 0 ? 0 : 1;
}
