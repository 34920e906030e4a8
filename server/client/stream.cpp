#include "server/client/stream.hpp"

#include <sys/epoll.h>

namespace postern::server {
namespace {

constexpr std::uint32_t input_events = EPOLLIN | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t end_events = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

}  // namespace

int Stream::open(base::Descriptor socket, loop::Loop& loop, loop::Watcher& watcher) {
  channel_.open(std::move(socket));
  return loop.watch(channel_.number(), input_events, watcher);
}

void Stream::note(std::uint32_t events) {
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) is_readable_ = true;
  if ((events & end_events) != 0) set_hung_up();
}

void Stream::set_hung_up() {
  has_hung_up_ = true;
  channel_.expect_end();
}

void Stream::watch(loop::Loop& loop, loop::Watcher& watcher) {
  const bool wants_room = has_unsent() || channel_.wants_output();
  if (std::exchange(watches_output_, wants_room) == wants_room) return;
  loop.change(channel_.number(), wants_room ? input_events | EPOLLOUT : input_events, watcher);
}

void Stream::close(loop::Loop& loop) {
  loop.forget(channel_.number());
  channel_.close();
}

Stream::Read Stream::read(std::span<char> room) {
  const loop::Transfer got = channel_.read(room);
  // A socket that gave less than was asked has no more: epoll reports what comes later, and the end.
  const bool is_last = got.progress == loop::Progress::done && got.octets < room.size();
  if (got.progress != loop::Progress::done || (is_last && !has_hung_up_ && !channel_.has_end_in_hand()))
    is_readable_ = false;
  return {got.octets, got.progress == loop::Progress::closed};
}

bool Stream::send(std::string_view& octets, loop::Leave leave) {
  if (unsent_.empty() && write_some(octets, leave) == loop::Progress::closed) return false;
  unsent_ += octets;
  return true;
}

bool Stream::send_kept() {
  std::string_view rest = unsent_;
  const loop::Progress progress = write_some(rest);
  unsent_.erase(0, unsent_.size() - rest.size());
  if (unsent_.empty()) unsent_.shrink_to_fit();
  return progress != loop::Progress::closed;
}

// Takes off the front what was sent.
loop::Progress Stream::write_some(std::string_view& octets, loop::Leave leave) {
  while (!octets.empty()) {
    const loop::Transfer sent = channel_.write(octets, leave);
    if (sent.progress != loop::Progress::done) return sent.progress;
    octets.remove_prefix(sent.octets);
  }
  return loop::Progress::done;
}

}  // namespace postern::server
