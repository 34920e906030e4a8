#include "observe/log_buffer.hpp"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

namespace postern::observe {

void LogBuffer::start() {
  const std::lock_guard lock(mutex_);
  lines_.reserve(kept_octets);
  leaving_.reserve(kept_octets);
  auto started = base::Thread::start([this] { work(); });
  is_running_ = started.has_value();
  if (started) thread_ = std::move(*started);
}

void LogBuffer::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(is_running_, false)) return;
    is_ending_ = true;
  }
  has_lines_.notify_all();
  thread_.join();
}

void LogBuffer::write(std::string_view line) {
  std::unique_lock lock(mutex_);
  if (!is_running_) return write_out(line);
  if (lines_.size() + line.size() > max_octets) {
    ++dropped_;
    return;
  }
  const bool was_empty = lines_.empty();
  try {
    if (lines_.capacity() < kept_octets) lines_.reserve(kept_octets);
    lines_ += line;
  } catch (const std::bad_alloc&) {
    ++dropped_;
    return;
  }
  lock.unlock();
  if (was_empty) has_lines_.notify_one();
}

void LogBuffer::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    has_lines_.wait(lock, [this] { return !is_running_ || !lines_.empty(); });
    const bool is_last = !is_running_;
    if (!is_last)
      has_lines_.wait_for(lock, std::chrono::milliseconds(gather_milliseconds), [this] { return !is_running_; });
    leaving_.swap(lines_);
    const std::uint64_t dropped = std::exchange(dropped_, 0);
    lock.unlock();
    write_out(leaving_);
    leaving_.clear();
    if (leaving_.capacity() > 2 * kept_octets) std::string().swap(leaving_);  // write() makes room again
    if (dropped != 0) tell_dropped(dropped);
    if (is_last) return;
  }
}

void LogBuffer::tell_dropped(std::uint64_t lines) const {
  LogLine line("warning", {.program = "postern", .output = nullptr, .form = form_});
  line.number("lost", lines).note("the log is read too slowly, or there is no memory for it: lines are lost");
  write_out(line.text());
  write_out("\n");
}

// In pieces that a pipe with room takes at once, so that a reader that stops never blocks us in write(2).
void LogBuffer::write_out(std::string_view octets) const {
  while (!octets.empty() && wait_for_room()) {
    const ssize_t written = ::write(descriptor_, octets.data(), std::min<std::size_t>(octets.size(), PIPE_BUF));
    if (written >= 0)
      octets.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR && errno != EAGAIN)
      return;
  }
}

bool LogBuffer::wait_for_room() const {
  constexpr int moment_milliseconds = 100;
  for (int waited = 0; waited <= end_milliseconds; waited += is_ending_ ? moment_milliseconds : 0) {
    pollfd waiting{.fd = descriptor_, .events = POLLOUT, .revents = 0};
    if (::poll(&waiting, 1, moment_milliseconds) > 0) return true;
  }
  return false;
}

}  // namespace postern::observe
