#include "base/mail_spool.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/write_all.hpp"

namespace postern::base {
namespace {

// Without a branch for each octet, so that it is as fast as memory.
bool is_8bit(std::string_view octets) {
  unsigned char any = 0;
  for (const char octet : octets) any |= static_cast<unsigned char>(octet);
  return any > 127;
}

}  // namespace

void MailSpool::write(std::string_view octets) {
  if (error_ != 0 || octets.empty()) return;
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<char[]>(spool_memory_octets);
  lines_ += static_cast<std::uint64_t>(std::ranges::count(octets, '\n'));
  last_ = octets.back();
  has_8bit_ = has_8bit_ || is_8bit(octets);
  while (!octets.empty()) {
    if (buffered_ == spool_memory_octets) error_ = flush();
    if (error_ != 0) return file_.close();  // at once: what is left of the disk is of use to others
    const std::size_t taken = std::min(octets.size(), spool_memory_octets - buffered_);
    octets.copy(buffer_.get() + buffered_, taken);
    buffered_ += taken;
    octets.remove_prefix(taken);
  }
}

void MailSpool::open() {
  if (!file_.is_open() && error_ == 0) error_ = open_file();
}

int MailSpool::flush() {
  if (!file_.is_open())
    if (const int error = open_file(); error != 0) return error;
  if (const int error = write_all(file_, {buffer_.get(), buffered_}); error != 0) return error;
  file_octets_ += buffered_;
  buffered_ = 0;
  return 0;
}

int MailSpool::open_file() {
  file_ = Descriptor(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600));
  if (file_.is_open()) return 0;
  if (errno != EOPNOTSUPP && errno != EISDIR) return errno;
  std::string name = folder_ + "/postern-XXXXXX";
  file_ = Descriptor(::mkostemp(name.data(), O_CLOEXEC));
  if (!file_.is_open()) return errno;
  return ::unlink(name.c_str()) == 0 ? 0 : errno;
}

void MailSpool::clear() {
  buffer_.reset();
  file_.close();
  buffered_ = 0;
  file_octets_ = lines_ = 0;
  last_ = '\n';
  has_8bit_ = false;
  error_ = 0;
}

std::uint64_t MailSpool::wire_octets() const { return octets() + lines_ + (last_ == '\n' ? 0 : 2); }

std::expected<std::size_t, int> MailSpool::read(std::uint64_t from, std::span<char> room) const {
  if (from >= file_octets_) {
    const std::size_t begin = std::min(static_cast<std::size_t>(from - file_octets_), buffered_);
    return std::string_view(buffer_.get() + begin, buffered_ - begin).copy(room.data(), room.size());
  }
  room = room.first(std::min<std::uint64_t>(room.size(), file_octets_ - from));
  for (;;) {
    const ssize_t got = ::pread(file_.number(), room.data(), room.size(), static_cast<off_t>(from));
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return std::unexpected(EIO);  // shorter than what was written to it
    if (errno != EINTR) return std::unexpected(errno);
  }
}

}  // namespace postern::base
