// What `postern serve` counts of its shadow: sessions judged by a second policy too, and where the two differed first.
// in      a session that begins, the first difference of a session
// out     sums; for each pair of decisions once a minute the word that a line of the log is due
// threads begun() and differs() are anybody's; differences() too; take_report() is one thread's
// memory  a place for each pair that there can be (about 250 KiB), so that counting neither allocates nor waits
// errors  none
// source  docs/decisions/0014-a-shadow.md
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "spec/policy_row.hpp"

namespace postern::observe {

// What the shadow would have done: what a rule says, or first ask something that only the world knows.
class Would {
 public:
  static constexpr std::size_t count = spec::rule_count + spec::question_count;

  explicit Would(std::size_t place) : place_(place) {}
  explicit Would(spec::Rule rule) : place_(static_cast<std::size_t>(rule)) {}
  explicit Would(spec::Question question) : place_(spec::rule_count + static_cast<std::size_t>(question)) {}

  [[nodiscard]] std::size_t place() const { return place_; }
  [[nodiscard]] std::string name() const;  // `mail.starttls_first`, `ask.recipient`

 private:
  std::size_t place_;
};

struct ShadowDifference {
  spec::Rule rule;  // that decided
  Would would;
  std::uint64_t number;
};

class ShadowCounts {
 public:
  static constexpr std::chrono::seconds between_lines{60};

  void begun() { sessions_.fetch_add(1, std::memory_order_relaxed); }
  // out   when a line is due: how often these two have differed
  [[nodiscard]] std::optional<std::uint64_t> differs(spec::Rule rule, Would would, base::Time now);

  [[nodiscard]] std::uint64_t sessions() const { return sessions_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::vector<ShadowDifference> differences() const;  // those that there were

  struct Report {
    std::uint64_t sessions = 0, differences = 0;
    std::vector<ShadowDifference> pairs;  // the most frequent first
  };
  // Since the last one.
  [[nodiscard]] Report take_report();

 private:
  struct Pair {
    std::atomic<std::uint64_t> number = 0;
    std::atomic<std::int64_t> next_line = INT64_MIN;  // by the clock of `now`
    std::uint64_t reported = 0;
  };
  static constexpr std::size_t pair_count = spec::rule_count * Would::count;

  std::unique_ptr<Pair[]> pairs_ = std::make_unique<Pair[]>(pair_count);
  std::atomic<std::uint64_t> sessions_ = 0;
  std::uint64_t reported_sessions_ = 0;
};

}  // namespace postern::observe
