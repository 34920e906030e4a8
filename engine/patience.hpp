// How long the server waits for one client, and what it calls the end of that: silence, a line that drips, or mail data
// that comes too slowly.
// in      Patience, as the operator sets it; what each reading came to; what time it is
// out     the next moment at which patience can be over, and then the event: timeout or too_slow
// rule    octets of mail data are progress; of a command only its end is, so that a line which grows octet by octet is not
//         answered for ever. A line that begins is progress too: that separates silence from slowness
// errors  none; allocates nothing
// source  RFC 5321 4.5.3.2; deviation D24
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/time.hpp"
#include "spec/policy_row.hpp"

namespace postern::engine {

struct Patience {
  std::uint32_t silence_seconds = 0;  // 0: the transport gives up, and the shell says so
  std::uint32_t window_seconds = 0;   // 0: mail data may come slowly
  std::uint32_t min_octets_per_second = 0;
};

// What one call with octets of the client came to.
struct Reading {
  std::size_t octets;  // how many there were
  std::size_t unread;  // and are left
  bool has_decided;    // a line ended, or mail data
  bool ends_in_line;   // what came after that has no end yet
  bool is_mail_data;   // and is mail data
};

class PatienceClock {
 public:
  explicit PatienceClock(Patience patience) : patience_(patience) {}

  // The client has shown that it is alive, or we did not read from it for so long.
  void begin(Time now, Interval not_listening = {}) {
    began_ = now;
    window_began_ = window_began_ + not_listening;
  }
  void begin_message(Time now) {
    window_began_ = now;
    window_octets_ = 0;
  }
  void count_mail_data(std::size_t octets) { window_octets_ += octets; }
  void note(const Reading& reading, Time now);

  [[nodiscard]] Time deadline(bool is_mail_data) const {
    return is_mail_data ? std::min(silence_end(), window_end()) : silence_end();
  }
  // The event, when it is over; else a window of mail data that was fast enough ends, and the next one begins.
  [[nodiscard]] std::optional<spec::Event> end(bool is_mail_data, Time now);

 private:
  enum class HalfLine : std::uint8_t {
    none,
    begun,
    drips,  // later more of it has come, but not its end
  };

  [[nodiscard]] Time silence_end() const {
    return patience_.silence_seconds == 0 ? never : began_ + seconds(patience_.silence_seconds);
  }
  [[nodiscard]] Time window_end() const {
    return patience_.window_seconds == 0 ? never : window_began_ + seconds(patience_.window_seconds);
  }

  Patience patience_;
  HalfLine half_line_ = HalfLine::none;
  std::size_t unread_ = 0;           // of the half line
  std::uint64_t window_octets_ = 0;  // of mail data since window_began_
  Time began_{}, window_began_{};
};

}  // namespace postern::engine
