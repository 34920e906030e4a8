// What all deliveries below one root have in common: where it is, and unique names for files.
// out     a descriptor of the root; "SECONDS.MMICROSECONDSPTHREADQCOUNTER.HOST", which no other call ever returns
// lives   longer than the messages and groups that use it; every call may come from any thread
// errors  a descriptor that is not open, and errno
// source  maildir(5)
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/child.hpp"

namespace postern::deliver {

struct MaildirSettings {
  std::string root;               // POSTERN_MAILDIR
  std::string host;               // ours, for unique file names
  std::string default_domain;     // of a recipient without a domain: control/me
  bool has_delivered_to = false;  // each mailbox has a file of its own, with the recipient in it
};

class MaildirRoot {
 public:
  explicit MaildirRoot(MaildirSettings settings);

  // Opened again each time: another folder may be in its place.
  [[nodiscard]] base::Descriptor open() const;

  // The thread stands for the process: it is the process where there is only one, and two threads never share it.
  [[nodiscard]] std::string unique_name();

  [[nodiscard]] bool has_delivered_to() const { return settings_.has_delivered_to; }
  [[nodiscard]] const std::string& default_domain() const { return settings_.default_domain; }

 private:
  MaildirSettings settings_;
  std::string host_;                       // as it stands in a file name
  std::atomic<std::uint64_t> counter_{0};  // names made so far
};

}  // namespace postern::deliver
