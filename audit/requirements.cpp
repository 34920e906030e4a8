#include "audit/requirements.hpp"

#include <toml++/toml.h>

#include <algorithm>

#include "audit/resources.hpp"

namespace postern::audit {
namespace {

std::string text_of(const toml::table& row, const char* key) { return row[key].value_or(std::string()); }

std::vector<Requirement> read() {
  std::vector<Requirement> all;
  const toml::table file = toml::parse(requirements_toml());
  const toml::array* const rows = file["requirement"].as_array();
  if (rows == nullptr) return all;
  for (const toml::node& node : *rows) {
    const toml::table& row = *node.as_table();
    Requirement requirement{.id = text_of(row, "id"),
                            .document = text_of(row, "document"),
                            .section = text_of(row, "section"),
                            .level = text_of(row, "level"),
                            .binds = text_of(row, "binds"),
                            .text = text_of(row, "requirement"),
                            .covered_by = {}};
    if (const toml::array* covers = row["covered_by"].as_array()) {
      for (const toml::node& cover : *covers) requirement.covered_by.push_back(cover.value_or(std::string()));
    }
    all.push_back(std::move(requirement));
  }
  return all;
}

}  // namespace

std::vector<std::string> Requirement::covers(std::string_view kind) const {
  std::vector<std::string> names;
  for (const std::string& cover : covered_by) {
    if (cover.starts_with(kind) && cover[kind.size()] == ':') names.push_back(cover.substr(kind.size() + 1));
  }
  return names;
}

const std::vector<Requirement>& requirements() {
  static const std::vector<Requirement> all = read();
  return all;
}

std::vector<const Requirement*> requirements_of_law(std::string_view law) {
  std::vector<const Requirement*> found;
  for (const Requirement& requirement : requirements()) {
    const std::vector<std::string> laws = requirement.covers("law");
    if (std::ranges::find(laws, law) != laws.end()) found.push_back(&requirement);
  }
  return found;
}

}  // namespace postern::audit
