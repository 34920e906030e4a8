// Is the domain of a forward-path ours? control/rcpthosts, then control/morercpthosts.cdb.
// in      an address as grammar::write_mailbox writes it; one without `@` passes
// out     Standing; nothing is read before the first question
// errors  unknowable: a file cannot be read; problem() says which and why
// source  qmail-control(5): rcpthosts, morercpthosts; deviation D12 (no rcpthosts: no domain is ours)
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/cdb_file.hpp"
#include "config/control.hpp"

namespace postern::ask {

class RcptHosts {
 public:
  enum class Standing : std::uint8_t { ours, foreign, unknowable };

  // copied: for a process that outlives many sessions, and asks often
  enum class Reading : std::uint8_t { by_each_search, copied };

  explicit RcptHosts(Reading reading = Reading::by_each_search) : reading_(reading) {}
  // These domains and no file, one a line as in control/rcpthosts.
  explicit RcptHosts(std::string domains) : list_("rcpthosts", std::move(domains)), more_error_(ENOENT) {}

  [[nodiscard]] Standing standing_of(std::string_view address);
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  [[nodiscard]] Standing standing_in_cdb(std::string_view domain);
  [[nodiscard]] int open_cdb();
  [[nodiscard]] Standing unknowable(std::string problem);

  config::ControlList list_{"rcpthosts", config::EntryKind::domains};
  Reading reading_ = Reading::by_each_search;
  config::CdbFile more_;
  std::optional<int> more_error_;  // 0: it is open; ENOENT: there is none
  std::string problem_;
};

// Keys of control/morercpthosts.cdb that no domain can match, in one sentence with the remedy: nobody else would say it. The
// first spec::max_records_judged_early are looked at.
[[nodiscard]] std::vector<std::string> judge_more_rcpthosts();

}  // namespace postern::ask
