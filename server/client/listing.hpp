// What RBLSMTPD says of a client: rblsmtpd's own protocol, for tcprules that were written for it.
// in      the value of the variable
// out     nothing when it is empty; else the event, and the text that the client reads
// errors  a sentence without its place: no text, or one that is no line of printable ASCII of at most
//         spec::max_verdict_octets
// source  rblsmtpd(1); deviation D32
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "spec/policy_row.hpp"

namespace postern::server {

struct Listing {
  spec::Event event{};
  std::string text;
};

[[nodiscard]] std::expected<std::optional<Listing>, std::string> read_listing(std::string_view value);

}  // namespace postern::server
