#include "audit/laws.hpp"

#include <toml++/toml.h>

#include "audit/resources.hpp"

namespace postern::audit {
namespace {

std::string text_of(const toml::table& row, const char* key) { return row[key].value_or(std::string()); }

const toml::table& file() {
  static const toml::table parsed = toml::parse(laws_toml());
  return parsed;
}

template <typename Take>
void each(const char* kind, Take take) {
  const toml::array* rows = file()[kind].as_array();
  if (rows == nullptr) return;
  for (const toml::node& row : *rows) take(*row.as_table());
}

ToldLaw law_of(const char* kind, const toml::table& row) {
  ToldLaw law{.kind = kind,
              .name = text_of(row, "name"),
              .sentence = text_of(row, "sentence"),
              .source = text_of(row, "source"),
              .statements = {}};
  if (const toml::array* clauses = row["never"].as_array()) {
    for (const toml::node& clause : *clauses) law.statements.push_back("never " + clause.value_or(std::string()));
  }
  if (row.contains("some"))
    law.statements.push_back("when " + text_of(row, "when") + ": some decision with " + text_of(row, "some"));
  return law;
}

}  // namespace

std::vector<ToldLaw> told_laws() {
  std::vector<ToldLaw> laws;
  for (const char* kind : {"law", "invariant", "possibility"})
    each(kind, [&](const toml::table& row) { laws.push_back(law_of(kind, row)); });
  return laws;
}

std::vector<LawWord> words_of_laws() {
  std::vector<LawWord> words;
  each("name", [&](const toml::table& row) {
    words.push_back({text_of(row, "name"), text_of(row, "is"), text_of(row, "meaning")});
  });
  return words;
}

NoticedMutants noticed_mutants() {
  const toml::table counts = toml::parse(killed_mutants_toml());
  NoticedMutants noticed{.total = counts["mutants"].value_or(std::size_t{0}), .first_noticed_by = {}};
  if (const toml::table* by = counts["first_noticed_by"].as_table()) {
    for (const auto& [law, count] : *by) noticed.first_noticed_by.emplace(law.str(), count.value_or(std::size_t{0}));
  }
  return noticed;
}

}  // namespace postern::audit
