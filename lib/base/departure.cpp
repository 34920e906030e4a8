#include "base/departure.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "grammar/command.hpp"
#include "grammar/line.hpp"
#include "spec/limits.hpp"

namespace postern::base {

bool asks_to_end(std::string_view unread) {
  grammar::LineSplitter lines;
  for (;;) {
    const grammar::Line line = lines.next(unread, spec::max_auth_line_octets);
    if (line.kind == grammar::LineKind::partial) return false;
    if (line.kind == grammar::LineKind::complete) {
      const auto command = grammar::parse_command(line.text);
      if (command && command->verb == grammar::Verb::quit) return true;
    }
    unread.remove_prefix(line.consumed);
  }
}

bool has_ended(int descriptor) {
  pollfd watched{.fd = descriptor, .events = POLLRDHUP, .revents = 0};
  return ::poll(&watched, 1, 0) > 0 && (watched.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool has_left_in_clear(int descriptor, std::string_view held) {
  if (!has_ended(descriptor)) return false;
  std::string all(held);
  all.resize(held.size() + peek_octets);
  const ssize_t got = ::recv(descriptor, all.data() + held.size(), peek_octets, MSG_PEEK | MSG_DONTWAIT);
  if (got == static_cast<ssize_t>(peek_octets)) return false;
  // A reset is an end; a pipe is not, and neither is an end that is not there after all.
  if (got < 0 && (errno == ENOTSOCK || errno == EAGAIN || errno == EINTR)) return false;
  all.resize(held.size() + static_cast<std::size_t>(got < 0 ? 0 : got));
  return !asks_to_end(all);
}

}  // namespace postern::base
