#include "audit/seed_table.hpp"

#include <algorithm>

namespace postern::audit {
namespace {

CellDistance distance(const Policy& policy, const spec::Cell& cell, const Configuration& ours) {
  CellDistance result{.cell = &cell, .differs = {}};
  const Configuration theirs = configuration_of(policy, cell);
  if (theirs.port != ours.port)
    result.differs.push_back("PORT=" + std::to_string(ours.port) + " instead of " + std::to_string(theirs.port));
  for (const spec::Setting& setting : policy.model().settings) {
    const std::uint64_t bits = policy.bit_of(setting.name);
    if (theirs.settings_and_facts.has(bits) == ours.settings_and_facts.has(bits)) continue;
    result.differs.push_back(policy.written(bits, ours.settings_and_facts) + " instead of " +
                             (theirs.settings_and_facts.has(bits) ? "1" : "0"));
  }
  return result;
}

}  // namespace

Configuration configuration_of(const Policy& policy, const spec::Cell& cell) {
  Configuration configuration;
  for (const auto& [name, value] : cell.settings) {
    if (name == "PORT") {
      configuration.port = static_cast<unsigned>(value);
      continue;
    }
    configuration.settings_and_facts.set(policy.bit_of(name), value == 1);
    configuration.said |= policy.bit_of(name);
  }
  complete(policy, configuration);
  return configuration;
}

PlaceInTable place_in_table(const Policy& policy, const Behaviours& behaviours, const Configuration& configuration) {
  PlaceInTable place;
  for (const spec::Cell& cell : policy.model().cells) {
    CellDistance found = distance(policy, cell, configuration);
    const std::size_t best = place.nearest.empty() ? found.differs.size() : place.nearest.front().differs.size();
    if (found.differs.size() < best) place.nearest.clear();
    const bool is_alike =
        behaviours.alike(configuration.settings_and_facts, configuration_of(policy, cell).settings_and_facts);
    if (is_alike && !found.differs.empty()) place.alike.push_back(&cell);
    if (found.differs.size() <= best) place.nearest.push_back(std::move(found));
  }
  return place;
}

std::string name_of(const spec::Cell& cell) { return cell.encryption + "; AUTH " + cell.auth; }

bool has_mark(const spec::Cell& cell, std::string_view mark) {
  return std::ranges::find(cell.marks, mark) != cell.marks.end();
}

}  // namespace postern::audit
