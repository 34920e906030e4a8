// The filters of one way out, in the operator's order: what they come to for one message.
// in      a message with its mail data, and who counts questions
// out     Judgement; the message as the last filter has left it. A filter sees what the former ones made of the message; the
//         first one that does not accept it is the last one asked
// bounds  spec::max_filter_seconds for all of them, each an equal share of what is left of it. A message above the operator's limit,
//         and one whose header is too large to be edited, is shown to nobody
// threads judge() is for any thread, for several at once; it waits
// errors  in the Judgement: failure is never more than `waived`, and that only where the operator wants it and the filter was
//         silent; std::bad_alloc
// source  docs/decisions/0022-filters.md
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ask/open_question.hpp"
#include "config/start.hpp"
#include "filter/filter.hpp"

namespace postern::filter {

// What one filter did, for the log.
struct Remark {
  std::string filter;  // as its operator wrote it
  Verdict::Kind verdict;
  std::chrono::milliseconds took;
  std::string cause;  // what it said, or why that is nothing
};

struct Judgement {
  enum class Kind : std::uint8_t {
    passed,
    waived,   // passed, although a filter was silent
    too_big,  // passed, and no filter was asked
    refused,
    deferred,
    discarded,
    failed,
    unfit,    // refused: its header is too large
    no_room,  // deferred: its edited form cannot be kept
  } kind = Kind::passed;
  std::string words{};    // for the client, of refused and deferred; empty: none
  std::string said_by{};  // the filter that decided
  std::string cause{};    // of no_room, for the log
  std::vector<Remark> remarks{};
  bool is_quarantined = false;  // a filter wants it put aside, and it says so

  [[nodiscard]] bool is_handed_over() const {
    return kind == Kind::passed || kind == Kind::waived || kind == Kind::too_big;
  }
};

class Filters {
 public:
  struct One {
    std::unique_ptr<Filter> filter;
    ask::Source source;
  };
  enum class OnFailure : std::uint8_t { defer, accept };

  // max_octets   of a message that is judged; 0: no limit
  Filters(std::vector<One> filters, OnFailure on_failure, std::uint64_t max_octets)
      : filters_(std::move(filters)), on_failure_(on_failure), max_octets_(max_octets) {}

  // mail   what message.mail points to
  // book   null: nobody counts
  [[nodiscard]] Judgement judge(FilterMessage& message, base::MailSpool& mail, ask::QuestionBook* book) const;

 private:
  [[nodiscard]] Verdict ask(const One& one, const FilterMessage& message, base::Deadline end,
                            ask::QuestionBook* book) const;
  // False: the message goes no further.
  [[nodiscard]] bool follow(Verdict verdict, FilterMessage& message, base::MailSpool& mail, Judgement& judgement) const;

  std::vector<One> filters_;
  OnFailure on_failure_;
  std::uint64_t max_octets_;
};

// Null: the start has no filter.
[[nodiscard]] std::unique_ptr<Filters> make_filters(const config::Start& start);

}  // namespace postern::filter
