#include "server/client/listing.hpp"

#include <algorithm>

#include "spec/limits.hpp"

namespace postern::server {

std::expected<std::optional<Listing>, std::string> read_listing(std::string_view value) {
  if (value.empty()) return std::nullopt;
  const bool is_permanent = value.front() == '-';
  const std::string_view text = value.substr(is_permanent ? 1 : 0);
  const auto is_printable = [](char c) { return c >= ' ' && c <= '~'; };
  const bool is_line = text.size() <= spec::max_verdict_octets && std::ranges::all_of(text, is_printable) &&
                       text.find_first_not_of(' ') != std::string_view::npos;
  if (!is_line)
    return std::unexpected("RBLSMTPD is for the client to read: write 1 to " +
                           std::to_string(spec::max_verdict_octets) + " printable ASCII characters" +
                           (is_permanent ? " after `-`" : ", with `-` before them to refuse for good") +
                           ", or nothing to let the client in");
  return Listing{.event = is_permanent ? spec::Event::connect_listed_permanently : spec::Event::connect_listed_for_now,
                 .text = std::string(text)};
}

}  // namespace postern::server
