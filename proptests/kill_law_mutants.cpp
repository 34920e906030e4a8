// Every single mutant of the laws: the table breaks it, or it lets something through, or it says no less, or what it no longer
// forbids another law forbids. A clause that others say too is judged without them, as laws_leave_open.toml lists them, and
// must then forbid something that nothing else does.
//   kill_law_mutants SPEC_FOLDER LAWS_LEAVE_OPEN DECISIONS     so many of each rule and event are looked at; 0: all
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <thread>

#include "proptests/sole_outcomes.hpp"
#include "spec/refuse.hpp"
#include "spec/toml_file.hpp"

namespace {

using namespace postern;
using proptests::LawClause;
using proptests::LawEnd;
using proptests::LawMutant;
using proptests::SaidTwice;
using proptests::SoleOutcomes;

constexpr std::array<const char*, 4> ends{"broken", "opened", "no less", "said twice"};

// The list says each by its law and its words.
SaidTwice load_said_twice(const std::filesystem::path& path, const std::vector<LawClause>& clauses,
                          spec::Problems& problems) {
  std::map<std::string, std::size_t> numbers;
  for (const LawClause& clause : clauses) numbers.emplace(clause.law + ": " + clause.text, numbers.size());
  SaidTwice said_twice;
  spec::TomlFile file(path.parent_path(), path.filename().string(), problems);
  const auto number_of = [&](const std::string& name, unsigned line) {
    const auto found = numbers.find(name);
    if (found == numbers.end()) file.problem(line, "no clause is \"" + name + "\"");
    return found == numbers.end() ? clauses.size() : found->second;
  };
  file.each("said_twice", {"law", "clause", "also"}, 2, [&](const toml::table& row, unsigned line) {
    auto& others = said_twice[number_of(spec::text_of(row, "law") + ": " + spec::text_of(row, "clause"), line)];
    for (const std::string& name : spec::texts_of(row, "also")) others.push_back(number_of(name, line));
  });
  file.each("open", {"rules", "replies"}, 2, [](const toml::table&, unsigned) {});
  return said_twice;
}

// Two threads take one number after the other.
template <typename Work>
void for_each_number(std::size_t count, Work work) {
  std::atomic<std::size_t> next = 0;
  const auto take = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::thread other(take);
  take();
  other.join();
}

void print_table(const std::vector<LawMutant>& mutants, const std::vector<LawEnd>& found) {
  std::map<std::string, std::map<std::string, std::size_t>> table;
  for (std::size_t i = 0; i < mutants.size(); ++i) {
    for (const std::string& kind : {mutants[i].kind, std::string("all")})
      ++table[kind][ends.at(std::size_t(found[i]))], ++table[kind]["total"];
  }
  std::printf("%-22s%10s", "mutants of the laws", "total");
  for (const char* end : ends) std::printf("%11s", end);
  std::puts("");
  for (auto& [kind, counts] : table) {
    std::printf("%-22s%10zu", kind.c_str(), counts["total"]);
    for (const char* end : ends) std::printf("%11zu", counts[end]);
    std::puts("");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: kill_law_mutants SPEC_FOLDER LAWS_LEAVE_OPEN DECISIONS\n", stderr), 2;
  const auto begin = std::chrono::steady_clock::now();
  spec::Problems problems;
  const spec::Model model = spec::load_model(argv[1], problems);
  if (!problems.empty()) return refuse(problems);
  const spec::Laws laws = load_laws(argv[1], model, problems);
  if (!problems.empty()) return refuse(problems);
  const auto said_twice = load_said_twice(argv[2], proptests::Forbidden(model, laws).clauses(), problems);
  if (!problems.empty()) return refuse(problems);
  SoleOutcomes soles(model, laws, said_twice, std::stoull(argv[3]));
  std::vector<std::size_t> nothing = soles.prepare();
  // What laws_leave_open has found in all decisions to be said twice; and what only another start would break.
  std::erase_if(nothing, [&](std::size_t clause) {
    return said_twice.contains(clause) || soles.clauses()[clause].text.starts_with("waiting is connect and ");
  });
  for (const std::size_t clause : nothing)
    std::printf("FORBIDS NOTHING ALONE  %s: %s\n", soles.clauses()[clause].law.c_str(),
                soles.clauses()[clause].text.c_str());
  const std::vector<LawMutant> mutants = proptests::mutants_of(model, laws);
  std::vector<LawEnd> found(mutants.size());
  for_each_number(mutants.size(), [&](std::size_t i) { found[i] = soles.judge(mutants[i]); });
  print_table(mutants, found);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%zu mutants of %zu clauses, judged at %zu decisions; %zu clauses forbid nothing alone; %.1f s\n",
              mutants.size(), soles.clauses().size(), soles.decisions(), nothing.size(), seconds.count());
  return nothing.empty() ? 0 : 1;
}
