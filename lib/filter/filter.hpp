// One filter of the operator's list: it judges a message at a time on each thread, and has its own connections.
// in      a message, and until when the answer must be there
// out     a Verdict
// lives   as long as the way out; a message, only during the call
// threads judge() is for any thread, for several at once
// waits   for its answer, and never beyond the deadline
// errors  Verdict::Kind::failed; std::bad_alloc
// source  docs/decisions/0022-filters.md
#pragma once

#include <string_view>

#include "base/child.hpp"
#include "filter/message.hpp"
#include "filter/verdict.hpp"

namespace postern::filter {

class Filter {
 public:
  Filter() = default;
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  virtual ~Filter() = default;

  [[nodiscard]] virtual Verdict judge(const FilterMessage& message, base::Deadline end) = 0;
  // For the log and `postern check`: the kind, and the address as its operator wrote it: "rspamd tcp:127.0.0.1:11333".
  [[nodiscard]] virtual std::string_view name() const = 0;
};

}  // namespace postern::filter
