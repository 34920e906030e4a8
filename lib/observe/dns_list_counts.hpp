// What each DNS list has said of clients, by its name without a key: for the page /metrics, and for a log that names a list that is
// silent once in a while, and not for each client.
// in      the verdicts of loops, as they come
// out     sums by list; silences that are due to be told
// bounds  max_names lists; others are not counted one by one
// threads any: one lock, held for a look-up, at a verdict that has something to say
// errors  none: without memory for a new name it is not counted
// source  docs/decisions/0018-dns-lists.md
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "ask/dns_lists.hpp"
#include "base/clock.hpp"

namespace postern::observe {

class DnsListCounts {
 public:
  static constexpr std::chrono::seconds between_lines{10};
  static constexpr std::size_t max_names = 256;

  // out   what a line of the log is to name now: `bl.example (timed out; 17 clients more since the last line)`; empty: nothing
  [[nodiscard]] std::string take(const ask::DnsVerdict& verdict, base::Time now);

  struct Row {
    std::string list;
    std::uint64_t listed = 0, failed = 0;  // clients that it names, and of which it did not say whether it does
  };
  [[nodiscard]] std::vector<Row> rows() const;

 private:
  struct Silence {
    base::Time next_line{};
    std::uint64_t untold = 0;
  };
  struct List {
    std::uint64_t listed = 0, failed = 0;
    std::map<std::string, Silence, std::less<>> silences;  // by why
  };
  [[nodiscard]] List* find(std::string_view name);

  mutable std::mutex mutex_;
  std::map<std::string, List, std::less<>> lists_;
};

}  // namespace postern::observe
