#include "fuzz/session_input.hpp"

#include <algorithm>
#include <array>

namespace postern::fuzz {
namespace {

using spec::Event;
namespace bit = spec::bit;

constexpr std::array settings = {bit::SSL,  bit::FORCE_TLS,    bit::DENY_TLS,
                                 bit::AUTH, bit::REQUIRE_AUTH, bit::ALLOW_INSECURE_AUTH};
constexpr std::array facts = {bit::certificate, bit::backend, bit::relay_client};
constexpr std::uint8_t is_limited = 1U << facts.size();
constexpr std::array worlds = {Event::handshake_done, Event::handshake_failed, Event::timeout, Event::eof,
                               Event::too_slow,       Event::shutting_down};
constexpr unsigned first_world = 0xF0;

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

Event world_of(char octet) { return worlds[static_cast<unsigned char>(octet) - first_world]; }

SessionView view_session_input(std::span<const std::uint8_t> octets) {
  SessionView view;
  if (octets.size() < head_octets) return view;
  set(view.settings_and_facts, settings, octets[0]);
  set(view.settings_and_facts, facts, octets[1]);
  if ((octets[1] & is_limited) != 0) view.databytes = 100, view.max_recipients = 2;
  view.piece_octets = std::max<std::size_t>(octets[2], 1);
  for (std::size_t i = 0; i < fate_count; ++i) view.fates[i] = (octets[3 + i / 2] >> (i % 2 * 4)) & 7U;
  const auto body = octets.subspan(head_octets);
  view.body = {reinterpret_cast<const char*>(body.data()), body.size()};
  return view;
}

SessionInput read_session_input(std::span<const std::uint8_t> octets) {
  const SessionView view = view_session_input(octets);
  SessionInput input;
  proptests::Script& script = input.script;
  script.settings_and_facts = view.settings_and_facts;
  script.databytes = view.databytes;
  script.max_recipients = view.max_recipients;
  script.fates.assign(view.fates.begin(), view.fates.end());
  input.cut = {tests::Cut::How::in_pieces, view.piece_octets};
  script.parts.emplace_back();
  for (const char octet : view.body) {
    if (is_world(octet)) {
      script.parts.back().then = world_of(octet);
      script.parts.emplace_back();
    } else {
      script.parts.back().octets += octet;
    }
  }
  return input;
}

std::string write_session_input(const SessionInput& input) {
  const proptests::Script& script = input.script;
  std::string octets;
  octets += octet_of(script.settings_and_facts, settings);
  octets += octet_of(script.settings_and_facts, facts);
  if (script.databytes != 0) octets.back() = static_cast<char>(octets.back() | is_limited);
  octets += static_cast<char>(input.cut.octets);
  const auto fate = [&](std::size_t i) { return i < script.fates.size() ? script.fates[i] & 7U : 0U; };
  for (std::size_t i = 0; i < fate_count; i += 2) octets += static_cast<char>(fate(i) | fate(i + 1) << 4U);
  for (const proptests::Part& part : script.parts) {
    octets += part.octets;
    const auto world = part.then ? std::ranges::find(worlds, *part.then) : worlds.end();
    if (world != worlds.end()) octets += static_cast<char>(first_world + static_cast<unsigned>(world - worlds.begin()));
  }
  return octets;
}

}  // namespace postern::fuzz
