// Every decision that any session can meet, under every setting and fact, taken from the generated table.
// in      the model of spec/*.toml, for which states a session can reach and which events can happen there
// out     visit(Decision) for each; the walk's own counts
// source  spec/verify.hpp (explore)
#pragma once

#include <filesystem>

#include "engine/policy.hpp"
#include "spec/model.hpp"
#include "spec/verify.hpp"
#include "testing/laws.hpp"

namespace postern::testing {

inline Decision decide(spec::Guards before, spec::Event event) {
  const spec::PolicyRow& row = *engine::decide(before, event);
  return {before, event, row.rule, spec::reply_row(row.reply).code, row.effect, engine::after(row, before)};
}

template <typename See>
spec::Reach for_each_decision(const spec::Model& model, See see) {
  return spec::explore(model, [&](std::uint64_t word, std::size_t event, const spec::Row&) {
    see(decide(spec::Guards{word}, static_cast<spec::Event>(event)));
  });
}

inline spec::Model load_spec(const std::filesystem::path& folder) {
  spec::Problems problems;
  spec::Model model = spec::load_model(folder, problems);
  return problems.empty() ? model : spec::Model{};
}

}  // namespace postern::testing
