#include "base/child_text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace postern::base {
namespace {

char printable(char octet) { return octet >= ' ' && octet <= '~' ? octet : '?'; }

}  // namespace

void ChildText::read() {
  std::array<char, 4096> octets{};
  const ssize_t got = ::read(pipe_.number(), octets.data(), octets.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) return pipe_.close();
  const std::size_t kept = std::min(static_cast<std::size_t>(got), text_.size() - octets_);
  std::copy_n(octets.begin(), kept, text_.begin() + static_cast<std::ptrdiff_t>(octets_));
  octets_ += kept;
}

bool ChildText::read_to_end(pid_t child, Deadline deadline) {
  const Descriptor ended = watch(child);
  bool has_ended = false;
  while (pipe_.is_open() && !has_ended) {
    const int left = milliseconds_until(deadline);
    if (left == 0) return false;
    std::array watched{pollfd{.fd = pipe_.number(), .events = POLLIN, .revents = 0},
                       pollfd{.fd = ended.number(), .events = POLLIN, .revents = 0}};
    if (::poll(watched.data(), watched.size(), left) <= 0) continue;
    has_ended = watched[1].revents != 0;
    read();
  }
  return true;
}

std::string ChildText::words() const {
  std::string_view text = this->text();
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);  // as `echo` writes it
  std::string words(text);
  std::ranges::transform(words, words.begin(), printable);
  return words;
}

bool set_nonblocking(const Descriptor& descriptor) { return ::fcntl(descriptor.number(), F_SETFL, O_NONBLOCK) == 0; }

}  // namespace postern::base
