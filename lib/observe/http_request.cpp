#include "observe/http_request.hpp"

#include <algorithm>

namespace postern::observe {
namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::string_view token_signs = "!#$%&'*+-.^_`|~";  // RFC 9110 5.6.2
constexpr std::string_view never_in_a_line("\r\n\0", 3);

using Parsed = std::expected<HttpRequest, unsigned>;

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char octet) {
    return (octet >= '0' && octet <= '9') || (octet >= 'A' && octet <= 'Z') || (octet >= 'a' && octet <= 'z') ||
           token_signs.contains(octet);
  });
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char octet) { return octet > ' ' && octet < 127; });
}

bool is_same(std::string_view a, std::string_view lower) {
  return std::ranges::equal(
      a, lower, {}, [](char octet) { return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet + 32) : octet; });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string_view take_line(std::string_view& octets) {
  const std::size_t end = octets.find(line_end);
  const std::string_view line = octets.substr(0, end);
  octets.remove_prefix(end + line_end.size());
  return line;
}

// RFC 9112 3.2.1, 3.2.2: `/path?query`, or the whole URI, which a server must take too. Empty: neither.
std::string_view path_of(std::string_view target) {
  constexpr std::string_view scheme = "http://";
  if (target.size() > scheme.size() && is_same(target.substr(0, scheme.size()), scheme)) {
    target.remove_prefix(scheme.size());
    const std::size_t end_of_host = target.find_first_of("/?");
    if (end_of_host == 0) return {};
    target = end_of_host == std::string_view::npos ? "/" : target.substr(end_of_host);
    if (target.front() == '?') return "/";
  }
  return target.starts_with('/') ? target.substr(0, target.find('?')) : std::string_view();
}

// `METHOD SP request-target SP HTTP/1.x`: one space each, and nothing else.
Parsed parse_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) return std::unexpected(400U);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  const std::string_view path = path_of(target);
  if (!is_token(line.substr(0, first)) || !is_printable(target) || path.empty()) return std::unexpected(400U);
  if (!version.starts_with("HTTP/")) return std::unexpected(400U);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return std::unexpected(505U);
  return HttpRequest{.method = line.substr(0, first), .path = path, .accept = {}};
}

}  // namespace

std::optional<std::expected<HttpRequest, unsigned>> parse_http_request(std::string_view octets) {
  const std::size_t end = octets.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  octets = octets.substr(0, end + line_end.size());
  const std::string_view request_line = take_line(octets);
  Parsed request = parse_request_line(request_line);
  int hosts = 0;
  while (request && !octets.empty()) {
    const std::string_view line = take_line(octets);
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    // A folded line, or a space before the colon, has no token here (RFC 9112 5.1, 5.2).
    if (colon == std::string_view::npos || !is_token(name) ||
        line.find_first_of(never_in_a_line) != std::string_view::npos)
      return std::unexpected(400U);
    if (is_same(name, "host")) ++hosts;
    if (is_same(name, "accept") && request->accept.empty()) request->accept = trimmed(line.substr(colon + 1));
  }
  // RFC 9112 3.2: exactly one Host, and HTTP/1.0 may leave it out.
  if (request && (hosts > 1 || (hosts == 0 && request_line.ends_with("1.1")))) return std::unexpected(400U);
  return request;
}

}  // namespace postern::observe
