#include "spec/elsewhere_file.hpp"

#include "spec/toml_file.hpp"

namespace postern::spec {
namespace {

std::vector<DecisionElsewhere> rows_of(TomlFile file) {
  std::vector<DecisionElsewhere> rows;
  file.each("decision", {"name", "where", "decides", "why", "source", "tests"}, 6,
            [&](const toml::table& row, unsigned line) {
              file.refuse_twins(rows, text_of(row, "name"), line);
              rows.push_back({.name = text_of(row, "name"), .decides = text_of(row, "decides")});
            });
  return rows;
}

}  // namespace

std::vector<DecisionElsewhere> load_elsewhere(const std::filesystem::path& folder, Problems& problems) {
  return rows_of(TomlFile(folder, "elsewhere.toml", problems));
}

std::vector<DecisionElsewhere> parse_elsewhere(std::string_view text, Problems& problems) {
  return rows_of(TomlFile(text, "elsewhere.toml", problems));
}

}  // namespace postern::spec
