#include "cli/laws.hpp"

#include <toml++/toml.h>

#include "cli/resources.hpp"

namespace postern::cli {
namespace {

ToldLaw law_of(const toml::table& row) {
  ToldLaw law{.name = row["name"].value_or(std::string()),
              .sentence = row["sentence"].value_or(std::string()),
              .source = row["source"].value_or(std::string()),
              .never = {}};
  if (const toml::array* clauses = row["never"].as_array()) {
    for (const toml::node& clause : *clauses) law.never.push_back(clause.value_or(std::string()));
  }
  return law;
}

}  // namespace

std::vector<ToldLaw> told_laws() {
  const toml::table file = toml::parse(laws_toml());
  std::vector<ToldLaw> laws;
  for (const char* kind : {"law", "possibility"}) {
    const toml::array* rows = file[kind].as_array();
    if (rows == nullptr) continue;
    for (const toml::node& row : *rows) laws.push_back(law_of(*row.as_table()));
  }
  return laws;
}

}  // namespace postern::cli
