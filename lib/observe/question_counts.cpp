#include "observe/question_counts.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <numeric>
#include <tuple>

namespace postern::observe {

namespace {

constexpr std::memory_order relaxed = std::memory_order_relaxed;

template <std::size_t count>
std::array<std::uint64_t, count> read(const std::array<std::atomic<std::uint64_t>, count>& figures) {
  std::array<std::uint64_t, count> read{};
  std::ranges::transform(figures, read.begin(), [](const auto& figure) { return figure.load(relaxed); });
  return read;
}

}  // namespace

QuestionCounts::Counts* QuestionCounts::find(ask::Source source, std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(KeyView(source, name));
  if (found != counts_.end()) return &found->second;
  if (counts_.size() == max_rows) return nullptr;
  return &counts_
              .emplace(std::piecewise_construct, std::forward_as_tuple(source, std::string(name)),
                       std::forward_as_tuple())
              .first->second;
}

ask::QuestionRecord* QuestionCounts::begin(ask::Source source, std::string_view name) noexcept try {
  Counts* const counts = find(source, name);
  if (counts != nullptr) counts->asked.fetch_add(1, relaxed);
  return counts;
} catch (const std::bad_alloc&) {
  return nullptr;
}

void QuestionCounts::remembered(ask::Source source, std::string_view name) noexcept try {
  if (Counts* const counts = find(source, name)) counts->remembered.fetch_add(1, relaxed);
} catch (const std::bad_alloc&) {
  return;  // it is not counted
}

void QuestionCounts::Counts::ended(const ask::Ended& how) noexcept {
  const auto took = std::max(std::chrono::nanoseconds(how.took), std::chrono::nanoseconds(0));
  outcomes[std::to_underlying(how.outcome)].fetch_add(1, relaxed);
  buckets[bucket_of(took)].fetch_add(1, relaxed);
  nanoseconds.fetch_add(static_cast<std::uint64_t>(took.count()), relaxed);
}

std::uint64_t QuestionCounts::Row::ended() const {
  return std::accumulate(outcomes.begin(), outcomes.end(), std::uint64_t{0});
}

// What has ended is read before what was asked: so there is never more of it.
std::vector<QuestionCounts::Row> QuestionCounts::rows() const {
  std::vector<Row> rows;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, counts] : counts_) {
    Row& row = rows.emplace_back(Row{.source = key.first, .name = key.second});
    row.outcomes = read(counts.outcomes);
    row.buckets = read(counts.buckets);
    row.nanoseconds = counts.nanoseconds.load(relaxed);
    row.remembered = counts.remembered.load(relaxed);
    row.asked = counts.asked.load(relaxed);
  }
  return rows;
}

}  // namespace postern::observe
