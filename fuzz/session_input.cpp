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
constexpr std::array worlds = {Event::handshake_done, Event::handshake_failed, Event::timeout, Event::eof};
constexpr std::uint8_t first_world = 0xF0;
constexpr std::uint8_t first_fate = 0xF8;

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

bool is_world(std::uint8_t octet) { return octet >= first_world && octet < first_world + worlds.size(); }

}  // namespace

SessionInput read_session_input(std::span<const std::uint8_t> octets) {
  SessionInput input;
  if (octets.size() < 3) return input;
  proptests::Script& script = input.script;
  set(script.settings_and_facts, settings, octets[0]);
  set(script.settings_and_facts, facts, octets[1]);
  if ((octets[1] & is_limited) != 0) script.databytes = 100, script.max_recipients = 2;
  input.cut = {tests::Cut::How::in_pieces, std::max<std::size_t>(octets[2], 1)};
  script.parts.emplace_back();
  for (const std::uint8_t octet : octets.subspan(3)) {
    if (octet >= first_fate) {
      script.fates.push_back(static_cast<std::uint8_t>(octet - first_fate));
    } else if (is_world(octet)) {
      script.parts.back().then = worlds[octet - first_world];
      script.parts.emplace_back();
    } else {
      script.parts.back().octets += static_cast<char>(octet);
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
  for (const std::uint8_t fate : script.fates) octets += static_cast<char>(first_fate + fate % 8);
  for (const proptests::Part& part : script.parts) {
    octets += part.octets;
    const auto world = part.then ? std::ranges::find(worlds, *part.then) : worlds.end();
    if (world != worlds.end()) octets += static_cast<char>(first_world + (world - worlds.begin()));
  }
  return octets;
}

}  // namespace postern::fuzz
