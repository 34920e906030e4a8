// Does a recipient of ours exist? A cdb of those that do, and of those that do not.
// in      the path of the cdb; empty: control/validrcptto.cdb, and without that file every recipient is valid. An address as
//         grammar::write_mailbox writes it; one without `@` passes
// looks   up, in lower case, and the first key that is there decides: the address; its local part cut after a `-` and
//         `default` for the rest, from the right; `@` and the domain. A value that begins with `-` says no;
//         where no key is there postmaster is valid all the same (RFC 5321 4.5.1)
// out     Standing; nothing is read before the first question, or before read()
// threads many may ask a const one, which reads nothing: it answers by what read() has read
// errors  unknowable: the file cannot be read, or a path that is given leads to none; a sentence says why
// source  jms1 patch 7.08: VALIDRCPTTO_CDB; deviation D33
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/cdb_file.hpp"
#include "config/control.hpp"

namespace postern::ask {

inline constexpr const char* valid_recipients_file = "control/validrcptto.cdb";  // where no other is named

// RFC 5321 4.5.1: needs no entry. Without a domain it is written <postmaster>, in any case of letters.
[[nodiscard]] inline bool is_postmaster(std::string_view address) {
  return !address.contains('@') || config::in_lower_case(address).starts_with("postmaster@");
}

class ValidRecipients {
 public:
  enum class Standing : std::uint8_t { valid, unknown, unknowable };

  explicit ValidRecipients(std::string path = {}) : path_(std::move(path)) {}

  // problem   says why it is unknowable
  [[nodiscard]] Standing standing_of(std::string_view address, std::string& problem) {
    return judge(*this, address, problem);
  }
  [[nodiscard]] Standing standing_of(std::string_view address, std::string& problem) const {
    return judge(*this, address, problem);
  }
  // All of it into memory: for a process that outlives many sessions, and asks often.
  void read();
  [[nodiscard]] bool is_known() const { return is_absent() || error_ == 0; }
  // control/validrcptto.cdb is not there: everybody is valid.
  [[nodiscard]] bool is_absent() const { return path_.empty() && error_ == ENOENT; }

 private:
  template <typename Self>
  [[nodiscard]] static Standing judge(Self& self, std::string_view address, std::string& problem);
  template <typename Self>
  [[nodiscard]] static config::CdbFile::Found search(Self& self, std::string_view address);
  [[nodiscard]] const char* path() const { return path_.empty() ? valid_recipients_file : path_.c_str(); }
  // 0 or errno. What a const one knows already.
  [[nodiscard]] int open();
  [[nodiscard]] int open() const { return error_.value_or(EBADF); }
  [[nodiscard]] config::CdbFile::Found find(std::string_view key) { return file_.find(key); }
  [[nodiscard]] config::CdbFile::Found find(std::string_view key) const { return file_.look_up(key); }

  std::string path_;
  config::CdbFile file_;
  std::optional<int> error_;  // 0: it is open; none: it is not read yet
};

}  // namespace postern::ask
