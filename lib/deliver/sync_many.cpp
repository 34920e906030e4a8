#include "deliver/sync_many.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace postern::deliver {
namespace {

constexpr std::size_t max_together = 64;

int sync_one(int descriptor) { return ::fsync(descriptor) == 0 ? 0 : errno; }

}  // namespace

std::vector<int> SyncMany::sync(std::span<const int> descriptors) {
  std::vector<int> errors(descriptors.size());
  if (!goes_together(descriptors.size())) {
    std::ranges::transform(descriptors, errors.begin(), sync_one);
    return errors;
  }
  for (std::size_t at = 0; at < descriptors.size(); at += max_together) {
    const std::size_t count = std::min(max_together, descriptors.size() - at);
    sync_together(descriptors.subspan(at, count), std::span(errors).subspan(at, count));
  }
  return errors;
}

bool SyncMany::goes_together(std::size_t count) {
  if (count < 2 || way_ == Way::in_turn) return false;
  if (context_ == 0 && ::syscall(SYS_io_setup, max_together, &context_) != 0) way_ = Way::in_turn;
  return context_ != 0;
}

// What was not taken (a bound, a descriptor that knows no fsync) gets an fsync of its own, which also says why.
void SyncMany::sync_together(std::span<const int> descriptors, std::span<int> errors) {
  const std::size_t taken = submit(descriptors);
  std::ranges::transform(descriptors.subspan(taken), errors.begin() + static_cast<std::ptrdiff_t>(taken), sync_one);
  collect(taken, errors);
}

std::size_t SyncMany::submit(std::span<const int> descriptors) {
  std::array<iocb, max_together> requests{};
  std::array<iocb*, max_together> pointers{};
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    requests[i].aio_data = i;
    requests[i].aio_lio_opcode = IOCB_CMD_FSYNC;
    requests[i].aio_fildes = static_cast<std::uint32_t>(descriptors[i]);
    pointers[i] = &requests[i];
  }
  const long taken = ::syscall(SYS_io_submit, context_, descriptors.size(), pointers.data());
  return taken > 0 ? static_cast<std::size_t>(taken) : 0;
}

void SyncMany::collect(std::size_t count, std::span<int> errors) {
  std::ranges::fill(errors.first(count), EIO);  // until it says something better
  std::array<io_event, max_together> events{};
  while (count > 0) {
    const long got = ::syscall(SYS_io_getevents, context_, count, count, events.data(), nullptr);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return close();
    count -= static_cast<std::size_t>(got);
    for (const io_event& event : std::span(events).first(static_cast<std::size_t>(got)))
      if (event.data < errors.size()) errors[event.data] = static_cast<int>(-event.res);
  }
}

// Waits for what is still on its way.
void SyncMany::close() {
  if (context_ != 0) ::syscall(SYS_io_destroy, context_);
  context_ = 0;
}

}  // namespace postern::deliver
