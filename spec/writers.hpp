// What the generator writes.
// out     text of a whole file
// source  spec/policy_row.hpp (the shapes), spec/policy.snapshot (the committed copy)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "spec/elsewhere_file.hpp"
#include "spec/laws.hpp"
#include "spec/limits_file.hpp"
#include "spec/model.hpp"
#include "spec/verify.hpp"

namespace postern::spec {

// policy_names.hpp: the enumerators and bits.
[[nodiscard]] std::string write_names(const Model& model);
// policy_rows.cpp: the rows. `hash` is that of the snapshot, `version` the project's.
[[nodiscard]] std::string write_tables(const Model& model, std::string_view hash, std::string_view version);
// policy.snapshot: every decision in plain text, every law, every limit, every text that a client can get, every decision outside
// the table.
[[nodiscard]] std::string write_snapshot(const Model& model, const Reach& reach, const Laws& laws,
                                         const std::vector<Limit>& limits,
                                         const std::vector<DecisionElsewhere>& elsewhere);

// Its parts that are no decisions.
[[nodiscard]] std::string write_snapshot_of_texts(const Model& model);
[[nodiscard]] std::string write_snapshot_of_limits(const std::vector<Limit>& limits);
[[nodiscard]] std::string write_snapshot_of_elsewhere(const std::vector<DecisionElsewhere>& elsewhere);
[[nodiscard]] std::string write_snapshot_of_laws(const Laws& laws);

}  // namespace postern::spec
