// The seed's table of 14 cells, and where a configuration stands in it.
// out     the cells whose settings are nearest (one, exactly, when nothing differs), what differs, and which cells behave
//         like the configuration though their settings differ
// lives   cells point into the policy's model
// source  seed: table; spec/settings.toml ([[cell]])
#pragma once

#include <string>
#include <vector>

#include "audit/behaviour.hpp"
#include "audit/configuration.hpp"

namespace postern::audit {

struct CellDistance {
  const spec::Cell* cell = nullptr;
  std::vector<std::string> differs;  // `FORCE_TLS=0 instead of 1`
};

struct PlaceInTable {
  std::vector<CellDistance> nearest;  // all at the same distance
  std::vector<const spec::Cell*> alike;
  [[nodiscard]] bool is_exact() const { return nearest.size() == 1 && nearest.front().differs.empty(); }
};

[[nodiscard]] PlaceInTable place_in_table(const Policy& policy, const Behaviours& behaviours,
                                          const Configuration& configuration);
// Its settings and port, a certificate, a backend exactly when AUTH=1.
[[nodiscard]] Configuration configuration_of(const Policy& policy, const spec::Cell& cell);
[[nodiscard]] std::string name_of(const spec::Cell& cell);
[[nodiscard]] bool has_mark(const spec::Cell& cell, std::string_view mark);

}  // namespace postern::audit
