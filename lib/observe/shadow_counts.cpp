#include "observe/shadow_counts.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "spec/effect_names.hpp"

namespace postern::observe {

std::string Would::name() const {
  if (place_ < spec::rule_count) return std::string(spec::name_of(static_cast<spec::Rule>(place_)));
  return "ask." + std::string(spec::name_of(static_cast<spec::Question>(place_ - spec::rule_count)));
}

std::optional<std::uint64_t> ShadowCounts::differs(spec::Rule rule, Would would, base::Time now) {
  Pair& pair = pairs_[std::to_underlying(rule) * Would::count + would.place()];
  const std::uint64_t number = pair.number.fetch_add(1, std::memory_order_relaxed) + 1;
  const std::int64_t at = std::chrono::nanoseconds(now.time_since_epoch()).count();
  std::int64_t due = pair.next_line.load(std::memory_order_relaxed);
  const std::int64_t next = at + std::chrono::nanoseconds(between_lines).count();
  const bool is_due = at >= due && pair.next_line.compare_exchange_strong(due, next, std::memory_order_relaxed);
  return is_due ? std::optional(number) : std::nullopt;
}

std::vector<ShadowDifference> ShadowCounts::differences() const {
  std::vector<ShadowDifference> all;
  for (std::size_t i = 0; i < pair_count; ++i)
    if (const std::uint64_t number = pairs_[i].number.load(std::memory_order_relaxed); number != 0)
      all.push_back({static_cast<spec::Rule>(i / Would::count), Would(i % Would::count), number});
  return all;
}

ShadowCounts::Report ShadowCounts::take_report() {
  Report report;
  const std::uint64_t sessions = this->sessions();
  report.sessions = sessions - std::exchange(reported_sessions_, sessions);
  for (ShadowDifference& each : differences()) {
    Pair& pair = pairs_[std::to_underlying(each.rule) * Would::count + each.would.place()];
    each.number -= std::exchange(pair.reported, each.number);
    report.differences += each.number;
    if (each.number != 0) report.pairs.push_back(each);
  }
  std::ranges::stable_sort(report.pairs, std::greater(), &ShadowDifference::number);
  return report;
}

}  // namespace postern::observe
