#include "observe/dns_list_counts.hpp"

#include <new>
#include <utility>

namespace postern::observe {

DnsListCounts::List* DnsListCounts::find(std::string_view name) {
  const auto found = lists_.find(name);
  if (found != lists_.end()) return &found->second;
  return lists_.size() == max_names ? nullptr : &lists_.try_emplace(std::string(name)).first->second;
}

std::string DnsListCounts::take(const ask::DnsVerdict& verdict, base::Time now) try {
  if (verdict.listed_by.empty() && verdict.unanswered.empty()) return {};
  std::vector<ask::Unanswered> due;
  const std::lock_guard lock(mutex_);
  for (const std::string& name : verdict.listed_by)
    if (List* const list = find(name)) ++list->listed;
  for (const ask::Unanswered& each : verdict.unanswered) {
    List* const list = find(each.list);
    if (list == nullptr) continue;
    ++list->failed;
    Silence& silence = list->silences[each.why];
    if (now < silence.next_line) {
      ++silence.untold;
      continue;
    }
    silence.next_line = now + between_lines;
    due.push_back(each);
    if (const std::uint64_t untold = std::exchange(silence.untold, 0); untold != 0)
      due.back().why += "; " + std::to_string(untold) + " clients more since the last line";
  }
  return ask::describe(due);
} catch (const std::bad_alloc&) {
  return {};
}

std::vector<DnsListCounts::Row> DnsListCounts::rows() const {
  std::vector<Row> rows;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, list] : lists_) rows.push_back({.list = name, .listed = list.listed, .failed = list.failed});
  return rows;
}

}  // namespace postern::observe
