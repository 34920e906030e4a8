#include "deliver/lmtp/message.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/write_all.hpp"

namespace postern::deliver {
namespace {

constexpr std::size_t read_octets = 32UZ * 1024;  // of the message; its wire form has at most twice as many

// Without a branch for each octet, so that it is as fast as memory.
bool is_8bit(std::string_view octets) {
  unsigned char any = 0;
  for (const char octet : octets) any |= static_cast<unsigned char>(octet);
  return any > 127;
}

}  // namespace

void LmtpMessage::write(std::string_view octets) {
  if (error_ != 0 || octets.empty()) return;
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<char[]>(lmtp_memory_octets);
  lines_ += static_cast<std::uint64_t>(std::ranges::count(octets, '\n'));
  last_ = octets.back();
  has_8bit_ = has_8bit_ || is_8bit(octets);
  while (!octets.empty()) {
    if (buffered_ == lmtp_memory_octets) error_ = flush();
    if (error_ != 0) return file_.close();  // at once: what is left of the disk is of use to others
    const std::size_t taken = std::min(octets.size(), lmtp_memory_octets - buffered_);
    octets.copy(buffer_.get() + buffered_, taken);
    buffered_ += taken;
    octets.remove_prefix(taken);
  }
}

void LmtpMessage::open() {
  if (!file_.is_open() && error_ == 0) error_ = open_file();
}

int LmtpMessage::flush() {
  if (!file_.is_open())
    if (const int error = open_file(); error != 0) return error;
  if (const int error = base::write_all(file_, {buffer_.get(), buffered_}); error != 0) return error;
  file_octets_ += buffered_;
  buffered_ = 0;
  return 0;
}

int LmtpMessage::open_file() {
  file_ = base::Descriptor(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600));
  if (file_.is_open()) return 0;
  if (errno != EOPNOTSUPP && errno != EISDIR) return errno;
  std::string name = folder_ + "/postern-XXXXXX";
  file_ = base::Descriptor(::mkostemp(name.data(), O_CLOEXEC));
  if (!file_.is_open()) return errno;
  return ::unlink(name.c_str()) == 0 ? 0 : errno;
}

void LmtpMessage::clear() {
  buffer_.reset();
  file_.close();
  buffered_ = 0;
  file_octets_ = lines_ = 0;
  last_ = '\n';
  has_8bit_ = false;
  error_ = 0;
}

std::uint64_t LmtpMessage::wire_octets() const { return octets() + lines_ + (last_ == '\n' ? 0 : 2); }

std::expected<std::size_t, int> LmtpMessage::read(std::uint64_t from, std::span<char> room) const {
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

std::expected<std::string_view, int> LmtpWire::next() {
  piece_.clear();
  if (has_ended_) return std::string_view();
  octets_.resize(read_octets);
  const auto got = message_.read(at_, octets_);
  if (!got) return std::unexpected(got.error());
  at_ += *got;
  encode(std::string_view(octets_).substr(0, *got));
  if (*got == 0) {
    piece_ += is_at_line_start_ ? ".\r\n" : "\r\n.\r\n";
    has_ended_ = true;
  }
  return piece_;
}

// RFC 5321 4.5.2: a line that begins with a dot gets another one.
void LmtpWire::encode(std::string_view octets) {
  while (!octets.empty()) {
    if (is_at_line_start_ && octets.front() == '.') piece_ += '.';
    const std::size_t end = octets.find('\n');
    piece_ += octets.substr(0, end);
    is_at_line_start_ = end != std::string_view::npos;
    if (!is_at_line_start_) return;
    piece_ += "\r\n";
    octets.remove_prefix(end + 1);
  }
}

}  // namespace postern::deliver
