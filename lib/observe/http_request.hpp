// The head of one HTTP request, as far as a page of figures needs it.
// in      octets that have arrived so far
// out     nothing while the empty line is missing; else HttpRequest, whose views point into the octets, or a status: 400
//         malformed, 505 not HTTP/1.x. The body, which no page of ours wants, is never read
// errors  none besides the status
// source  RFC 9112 2.2, 3, 3.2, 5; of a repeated Accept only the first counts
#pragma once

#include <expected>
#include <optional>
#include <string_view>

namespace postern::observe {

struct HttpRequest {
  std::string_view method;
  std::string_view path;    // without the query
  std::string_view accept;  // empty when absent
};

[[nodiscard]] std::optional<std::expected<HttpRequest, unsigned>> parse_http_request(std::string_view octets);

}  // namespace postern::observe
