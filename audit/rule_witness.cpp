#include "audit/rule_witness.hpp"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "audit/difference.hpp"
#include "audit/samples.hpp"

namespace postern::audit {
namespace {

struct Reached {
  spec::Guards state;
  std::size_t from = 0;
  Decision by{};
};

std::string written(const Policy& policy, const std::vector<Reached>& reached, std::size_t index,
                    const Decision& last) {
  std::vector<Told> path{{last, last}};
  for (; index != 0; index = reached[index].from) path.push_back({reached[index].by, reached[index].by});
  std::ranges::reverse(path);
  return witness_file(policy, path, true);
}

std::string search(const Policy& policy, std::string_view rule, spec::Guards settings_and_facts) {
  std::vector<Reached> reached{{spec::start(settings_and_facts)}};
  std::unordered_set<std::uint64_t> seen{reached.front().state.bits};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    for (const spec::Event event : policy.events_in(reached[i].state)) {
      const Decision decision = policy.decide(reached[i].state, event);
      if (decision.rule() == rule) {
        std::string text = written(policy, reached, i, decision);
        if (!text.empty()) return text;
      }
      const bool goes_on = can_be_shown(event) && decision.row->effect != spec::Effect::close;
      if (goes_on && seen.insert(decision.after.bits).second) reached.push_back({decision.after, i, decision});
    }
  }
  return {};
}

}  // namespace

std::string witness_of(const Policy& policy, std::string_view rule, const std::optional<spec::Guards>& under) {
  if (under) return search(policy, rule, *under);
  std::vector<spec::Guards> configurations = policy.configurations();
  // The usual facts first, then the fewest settings that are not the default.
  const auto oddness = [](spec::Guards guards) {
    return std::popcount(guards.bits ^ (spec::bit::certificate | spec::bit::backend | spec::bit::AUTH));
  };
  std::ranges::stable_sort(configurations, {}, oddness);
  for (const spec::Guards guards : configurations)
    if (std::string text = search(policy, rule, guards); !text.empty()) return text;
  return {};
}

}  // namespace postern::audit
