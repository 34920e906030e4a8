#include "deliver/message_id.hpp"

#include <time.h>
#include <unistd.h>

namespace postern::deliver {
namespace {

constexpr std::uint64_t numbers_of_a_thread = 1'000'000;

}  // namespace

std::string MessageId::text() const { return std::to_string(unix_time) + '-' + std::to_string(number); }

std::string MessageId::verdict() const { return std::to_string(unix_time) + " qp " + std::to_string(number); }

MessageId MessageIds::next(std::int64_t unix_time) {
  if (thread_ == 0) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    thread_ = static_cast<std::uint64_t>(::gettid());
    counter_ = static_cast<std::uint64_t>(now.tv_nsec) / 1000;
  }
  return {unix_time, thread_ * numbers_of_a_thread + counter_++ % numbers_of_a_thread};
}

}  // namespace postern::deliver
