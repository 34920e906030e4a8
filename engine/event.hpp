// What a command line means to the policy: Command -> Event, one exhaustive switch.
// in      the parsed line, its size, and what the grammar cannot know (limits, room, what the AUTH exchange made of it)
// out     the event; no decision is taken here, only what is true of the line is named
// source  spec/events.toml
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "grammar/command.hpp"
#include "spec/policy_row.hpp"

namespace postern::engine {

// What a client's answer, or its initial response, is worth.
enum class ResponseKind : std::uint8_t { absent, valid, malformed, cancelled };

struct LineFacts {
  std::string_view line;
  std::uint64_t databytes = 0;     // 0: no limit
  std::size_t mailbox_octets = 0;  // of the path of MAIL or RCPT, unquoted
  bool has_room_for_recipient = true;
  bool has_room_for_message = true;
  bool asks_at_data = false;      // policy services judge each message before it comes
  bool strict_addresses = false;  // STRICT_ADDRESSES=1: lenient_underscore and lenient_dots are malformed
  ResponseKind initial_response = ResponseKind::absent;  // AUTH
};

[[nodiscard]] spec::Event event_of(const std::expected<grammar::Command, grammar::SyntaxError>& parsed,
                                   const LineFacts& facts);
[[nodiscard]] bool is_auth(spec::Event event);
[[nodiscard]] bool is_mail(spec::Event event);
[[nodiscard]] bool is_rcpt(spec::Event event);
// Whether it is an AUTH whose initial response names a user.
[[nodiscard]] bool names_user(spec::Event event);

}  // namespace postern::engine
