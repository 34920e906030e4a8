// Mail data on its way to a filter, a mail cluster or a queue program: collected first, for its recipients, and whether it comes whole,
// are known only at its end.
// in      octets with LF at the end of lines
// out     the same octets, and what is to be known of them before they are sent
// where   up to spool_memory_octets in memory; beyond that in an unnamed file (O_TMPFILE) of a given folder. A file and
//         not a memfd: a memfd is memory, so a few clients with large messages could take all of it, and a full disk is
//         only a 451. Where the file system knows no O_TMPFILE: a name that is unlinked at once. Never synced: what
//         is lost with the machine was not accepted yet
// errors  errno of the first trouble, kept until clear()
// source  RFC 1870 5 (what counts as size); open(2)
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/child.hpp"

namespace postern::base {

inline constexpr std::size_t spool_memory_octets = 64UZ * 1024;

class MailSpool {
 public:
  explicit MailSpool(std::string folder) : folder_(std::move(folder)) {}

  // Empty, and its file would be in the same folder.
  [[nodiscard]] MailSpool another() const { return MailSpool(folder_); }
  void open();  // the file, now and not when it is needed
  void write(std::string_view octets);
  void clear();

  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] std::uint64_t octets() const { return file_octets_ + buffered_; }
  // Whether an octet above 127 is among them (RFC 6152).
  [[nodiscard]] bool has_8bit() const { return has_8bit_; }
  // RFC 1870 5: with CRLF, without what transparency adds and without the final dot
  [[nodiscard]] std::uint64_t wire_octets() const;
  // As many octets from there as there are, at most room.size(); 0 at the end.
  [[nodiscard]] std::expected<std::size_t, int> read(std::uint64_t from, std::span<char> room) const;

 private:
  [[nodiscard]] int flush();
  [[nodiscard]] int open_file();

  std::string folder_;
  std::unique_ptr<char[]> buffer_;  // only while there is a message
  std::size_t buffered_ = 0;        // what follows the octets of the file
  Descriptor file_;
  std::uint64_t file_octets_ = 0;
  std::uint64_t lines_ = 0;
  char last_ = '\n';
  bool has_8bit_ = false;
  int error_ = 0;
};

}  // namespace postern::base
