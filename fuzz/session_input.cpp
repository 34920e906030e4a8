#include "fuzz/session_input.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace postern::fuzz {
namespace {

using spec::Event;
namespace bit = spec::bit;

// The settings, and the fact that had no room in the second octet.
constexpr std::array settings = {bit::SSL,          bit::FORCE_TLS,           bit::DENY_TLS,  bit::AUTH,
                                 bit::REQUIRE_AUTH, bit::ALLOW_INSECURE_AUTH, bit::local_only};
constexpr std::array facts = {bit::certificate, bit::backend, bit::relay_client};
constexpr std::uint8_t is_limited = 1U << facts.size();
constexpr std::array worlds = {Event::handshake_done, Event::handshake_failed, Event::timeout, Event::eof,
                               Event::too_slow,       Event::shutting_down};
constexpr unsigned first_world = 0xF0, exhausted_world = 0xF8;
constexpr std::uint8_t high_start = 0x80;  // of the octet of the settings, which leave it free

// These two came later, and stand last: what the corpus says stays.
constexpr std::array late_starts = {Event::connect_shutting_down, Event::connect_exhausted};

// How a session can start: connect.ready, then the others as spec/events.toml has them.
const std::vector<Event>& starts() {
  static const std::vector<Event> all = [] {
    std::vector<Event> events{Event::connect_ready};
    for (std::size_t i = 0; i < spec::event_count; ++i) {
      const auto event = static_cast<Event>(i);
      const bool is_start =
          spec::name_of(event).starts_with("connect.") || event == Event::shutting_down || event == Event::exhausted;
      const bool is_late = std::ranges::find(late_starts, event) != late_starts.end();
      if (is_start && event != Event::connect_ready && !is_late) events.push_back(event);
    }
    events.insert(events.end(), late_starts.begin(), late_starts.end());
    return events;
  }();
  return all;
}

template <std::size_t N>
void set(spec::Guards& guards, const std::array<std::uint64_t, N>& bits, std::uint8_t octet) {
  for (std::size_t i = 0; i < N; ++i) guards.set(bits[i], (octet >> i & 1) != 0);
}

template <std::size_t N>
char octet_of(spec::Guards guards, const std::array<std::uint64_t, N>& bits) {
  unsigned octet = 0;
  for (std::size_t i = 0; i < N; ++i) octet |= guards.has(bits[i]) ? 1U << i : 0U;
  return static_cast<char>(octet);
}

}  // namespace

// The octet after it says that it is meant: the sum of all octets of the body before it.
bool BodyReader::is_meant(std::size_t at) const {
  if (at + 1 >= body_.size()) return false;
  unsigned sum = 0;
  for (const char octet : body_.substr(0, at)) sum += static_cast<unsigned char>(octet);
  return static_cast<unsigned char>(body_[at + 1]) == sum % 256;
}

std::optional<BodyPart> BodyReader::next() {
  static const std::string long_one(long_octets, 'x');
  while (at_ < body_.size()) {
    const std::size_t begin = at_;
    while (at_ < body_.size() && !is_world(body_[at_])) ++at_;
    if (at_ != begin) return BodyPart{.octets = body_.substr(begin, at_ - begin), .event = {}};
    const auto what = static_cast<unsigned char>(body_[at_++]) - first_world;
    if (what == exhausted_world - first_world) return BodyPart{.octets = {}, .event = Event::exhausted, .at = begin};
    if (what < worlds.size()) return BodyPart{.octets = {}, .event = worlds[what], .at = begin};
    if (what == worlds.size() + 1 && long_ones_++ < most_long) return BodyPart{.octets = long_one, .event = {}};
    if (what == worlds.size() && is_meant(begin)) {
      ++at_;
      return BodyPart{.octets = long_one, .event = {}, .is_endless = true};
    }
  }
  return {};
}

SessionView view_session_input(std::span<const std::uint8_t> octets) {
  SessionView view;
  if (octets.size() < head_octets) return view;
  set(view.settings_and_facts, settings, octets[0]);
  set(view.settings_and_facts, facts, octets[1]);
  if ((octets[1] & is_limited) != 0) view.databytes = 100, view.max_recipients = octets[2] % 8 == 7 ? 0 : 2;
  view.has_room = (octets[1] & is_limited) == 0 || octets[2] % 8 != 6;
  view.asks_at_data = (octets[1] & is_limited) != 0 && octets[2] % 8 == 4;
  const std::size_t start = (octets[1] >> 4U) | ((octets[0] & high_start) != 0 ? 16U : 0U);
  if (start < starts().size()) view.start = starts()[start];
  view.piece_octets = std::max<std::size_t>(octets[2], 1);
  for (std::size_t i = 0; i < fate_count; ++i) view.fates[i] = (octets[3 + i / 2] >> (i % 2 * 4)) & 15U;
  const auto body = octets.subspan(head_octets);
  view.body = {reinterpret_cast<const char*>(body.data()), body.size()};
  return view;
}

SessionInput read_session_input(std::span<const std::uint8_t> octets) {
  const SessionView view = view_session_input(octets);
  SessionInput input;
  input.start = view.start;
  testing::Script& script = input.script;
  script.settings_and_facts = view.settings_and_facts;
  script.databytes = view.databytes;
  script.max_recipients = view.max_recipients;
  script.has_room = view.has_room;
  script.asks_at_data = view.asks_at_data;
  script.fates.assign(view.fates.begin(), view.fates.end());
  input.cut = {testing::Cut::How::in_pieces, view.piece_octets};
  script.parts.emplace_back();
  BodyReader body(view.body);
  while (const auto part = body.next()) {
    script.parts.back().octets += part->octets;
    if (!part->event) continue;
    script.parts.back().then = part->event;
    script.parts.emplace_back();
  }
  return input;
}

std::string write_session_input(const SessionInput& input) {
  const testing::Script& script = input.script;
  std::string octets;
  const auto start = static_cast<unsigned>(std::ranges::find(starts(), input.start) - starts().begin());
  octets += octet_of(script.settings_and_facts, settings);
  if (start > 15) octets.back() = static_cast<char>(octets.back() | static_cast<char>(high_start));
  octets += octet_of(script.settings_and_facts, facts);
  if (script.databytes != 0) octets.back() = static_cast<char>(octets.back() | is_limited);
  octets.back() = static_cast<char>(octets.back() | static_cast<char>((start & 15U) << 4U));
  octets += static_cast<char>(input.cut.octets);
  const auto fate = [&](std::size_t i) { return i < script.fates.size() ? script.fates[i] & 15U : 0U; };
  for (std::size_t i = 0; i < fate_count; i += 2) octets += static_cast<char>(fate(i) | fate(i + 1) << 4U);
  for (const testing::Part& part : script.parts) {
    octets += part.octets;
    const auto world = part.then ? std::ranges::find(worlds, *part.then) : worlds.end();
    if (part.then == Event::exhausted) octets += static_cast<char>(exhausted_world);
    if (world != worlds.end()) octets += static_cast<char>(first_world + static_cast<unsigned>(world - worlds.begin()));
  }
  return octets;
}

}  // namespace postern::fuzz
