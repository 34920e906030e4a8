// Is the domain of a forward-path ours? control/rcpthosts, then control/morercpthosts.cdb.
// in      an address as grammar::write_mailbox writes it; one without `@` passes
// out     Standing; nothing is read before the first question, or before read()
// threads many may ask a const one, which reads nothing: it answers by what read() has read
// errors  unknowable: a file cannot be read; a sentence says which and why
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

  RcptHosts() = default;
  // These domains and no file, one a line as in control/rcpthosts.
  explicit RcptHosts(std::string domains) : list_("rcpthosts", std::move(domains)), more_error_(ENOENT) {}

  // problem   says why it is unknowable
  [[nodiscard]] Standing standing_of(std::string_view address, std::string& problem) {
    return judge(*this, address, problem);
  }
  [[nodiscard]] Standing standing_of(std::string_view address, std::string& problem) const {
    return judge(*this, address, problem);
  }
  // All of it into memory, and in an order to look it up in: for a process that outlives many sessions, and asks often.
  void read();
  [[nodiscard]] bool is_known() const;  // whatever domain is asked for
  // After read(), in a sentence: that no domain is ours, and why. Empty where one is, or where nobody knows.
  [[nodiscard]] std::string_view why_none_is_ours() const;

 private:
  using State = config::ControlList::State;
  template <typename Self>
  [[nodiscard]] static Standing judge(Self& self, std::string_view address, std::string& problem);
  template <typename Self>
  [[nodiscard]] static Standing standing_in_cdb(Self& self, std::string_view domain, std::string& problem);
  // What a const one knows already.
  [[nodiscard]] State load() { return list_.load(); }
  [[nodiscard]] State load() const { return list_.state(); }
  [[nodiscard]] int open_cdb();
  [[nodiscard]] int open_cdb() const { return more_error_.value_or(EBADF); }
  [[nodiscard]] config::CdbFile::Found find(std::string_view key) { return more_.find(key); }
  [[nodiscard]] config::CdbFile::Found find(std::string_view key) const { return more_.look_up(key); }

  config::ControlList list_{"rcpthosts", config::EntryKind::domains};
  config::CdbFile more_;
  bool has_more_ = false;          // records in more_, when read() was there
  std::optional<int> more_error_;  // 0: it is open; ENOENT: there is none; others: read() could not read it
};

// Keys of control/morercpthosts.cdb that no domain can match, in one sentence with the remedy: only this reports them. The
// first spec::max_records_judged_early are looked at.
[[nodiscard]] std::vector<std::string> judge_more_rcpthosts();

}  // namespace postern::ask
