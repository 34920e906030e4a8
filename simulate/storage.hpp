// What outlives a connection, so that none of them allocates; and which one it is.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "deliver/mail_buffer.hpp"
#include "simulate/course_log.hpp"
#include "simulate/overseer.hpp"
#include "simulate/stage.hpp"

namespace postern::simulate {

struct Storage {
  std::array<char, input_octets> input;
  std::array<char, 4096> room;
  std::string kept;           // of the message in hand
  deliver::MailBuffer piece;  // of it, as far as it is not written
  std::string text;           // of the answer to come
  bool has_arrival_ahead = false;
  Overseer overseer;
  CourseLog course;
};

struct Seat {
  std::uint16_t slot;
  std::uint32_t life;
};

[[nodiscard]] constexpr engine::Interval milliseconds(std::uint32_t count) { return {std::int64_t{count} * 1'000'000}; }

// Mostly at once, often soon, now and then when it is no longer expected.
[[nodiscard]] inline engine::Interval some_delay(Random& random) {
  const std::uint32_t kind = random.below(64);
  return milliseconds(kind < 32 ? 0 : kind < 62 ? random.below(50) : random.below(40'000));
}

}  // namespace postern::simulate
