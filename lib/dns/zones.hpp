// What the zones of DNS lists have on their way, so that one that is silent leaves room for the others and is not waited for by
// each client.
// in      for each question the zone that it is asked of; how each ended; the present
// share   a zone may have as many on their way as there are places left: half of all where it alone is silent, a third each
//         where two are, and some are always left for one that has none
// rest    after `silent_before_rest` failures in a row a zone rests for `rest`; then one question tries it, and the others rest
//         on until that one has an answer
// memory  a zone is forgotten when it has nothing on its way, and the last that it did was to answer
// errors  std::bad_alloc, from begin(): then nothing has begun
// source  docs/decisions/0017-names-by-c-ares.md
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace postern::dns {

struct ZoneSettings {
  unsigned silent_before_rest = 16;
  base::Interval rest = std::chrono::seconds(10);
};

class Zones {
 public:
  struct State {
    std::size_t on_their_way = 0;
    unsigned failures_in_a_row = 0;
    base::Time rests_until{};
  };
  using Zone = std::map<std::string, State, std::less<>>::value_type;
  enum class Admission : std::uint8_t { admitted, crowded, resting };

  explicit Zones(const ZoneSettings& settings) : settings_(settings) {}

  // places   how many more questions may be on their way, of all zones
  [[nodiscard]] Admission admit(std::string_view name, std::size_t places, base::Time now) const;
  [[nodiscard]] Zone& begin(std::string_view name);
  // Once for each that has begun; the zone may be gone then.
  enum class End : std::uint8_t { answered, failed, neither };
  void end(Zone& zone, End how, base::Time now);

  [[nodiscard]] std::size_t known() const { return zones_.size(); }

 private:
  ZoneSettings settings_;
  std::map<std::string, State, std::less<>> zones_;
};

}  // namespace postern::dns
