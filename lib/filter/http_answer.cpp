#include "filter/http_answer.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "spec/limits.hpp"

namespace postern::filter {
namespace {

constexpr std::string_view blanks = " \t";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_same(std::string_view one, std::string_view other) { return std::ranges::equal(one, other, {}, lower, lower); }
bool is_token(std::string_view name) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || others.contains(c);
  });
}
std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(blanks), text.size());
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

}  // namespace

void HttpAnswer::add(std::string_view octets) {
  has_begun_ = has_begun_ || !octets.empty();
  while (!octets.empty() && part_ != Part::broken) {
    if (part_ == Part::end) {
      has_more_ = true;
      return;
    }
    if (part_ == Part::body || part_ == Part::chunk) {
      const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, octets.size()));
      body_ += octets.substr(0, taken);
      octets.remove_prefix(taken);
      left_ -= taken;
      if (left_ == 0) part_ = part_ == Part::body ? Part::end : Part::chunk_end;
      continue;
    }
    const char octet = octets.front();
    octets.remove_prefix(1);
    if (++line_octets_ > spec::max_filter_answer_header_octets) return fail("a head that is too long");
    if (octet == '\n')
      end_line();
    else
      line_ += octet;
  }
}

void HttpAnswer::fail(std::string_view why) {
  part_ = Part::broken;
  why_ = why;
}

void HttpAnswer::end_line() {
  const std::string whole = std::exchange(line_, {});
  if (!whole.ends_with('\r') || whole.find_first_of(std::string_view("\r\0", 2)) != whole.size() - 1)
    return fail("a line that does not end with CRLF alone");
  const std::string_view line = std::string_view(whole).substr(0, whole.size() - 1);
  switch (part_) {
    case Part::status: return take_status(line);
    case Part::fields: return line.empty() ? begin_body() : take_field(line);
    case Part::chunk_size: return take_chunk_size(line);
    case Part::chunk_end:
      if (!line.empty()) return fail("a chunk that is longer than it says");
      part_ = Part::chunk_size;
      return;
    case Part::trailers:
      if (line.empty()) part_ = Part::end;
      return;
    case Part::body:
    case Part::chunk:
    case Part::end:
    case Part::broken: break;
  }
}

// RFC 9112 4: HTTP/1.1 SP 3DIGIT SP reason, and some leave out the second SP.
void HttpAnswer::take_status(std::string_view line) {
  const bool is_one = (line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ")) && line.size() >= 12 &&
                      std::ranges::all_of(line.substr(9, 3), is_digit) && (line.size() == 12 || line[12] == ' ');
  if (!is_one) return fail("no status line of HTTP/1.1");
  std::from_chars(line.data() + 9, line.data() + 12, status_);
  if (status_ < 200) return fail("an answer before the answer");
  part_ = Part::fields;
}

void HttpAnswer::take_field(std::string_view line) {
  const std::string_view name = line.substr(0, line.find(':'));
  if (name.size() == line.size() || !is_token(name)) return fail("a line that is no field");
  const std::string_view value = trimmed(line.substr(name.size() + 1));
  if (is_same(name, "Content-Length")) return take_length(value);
  if (is_same(name, "Content-Encoding") && !is_same(value, "identity")) return fail("a body that is encoded");
  if (!is_same(name, "Transfer-Encoding")) return;
  if (framing_.is_chunked || !is_same(value, "chunked")) return fail("a transfer coding that is not known");
  framing_.is_chunked = true;
}

void HttpAnswer::take_length(std::string_view value) {
  const bool is_number = !value.empty() && value.size() <= 10 && std::ranges::all_of(value, is_digit);
  if (framing_.has_length || !is_number) return fail("a length that is none, or a second one");
  framing_.has_length = true;
  std::from_chars(value.data(), value.data() + value.size(), framing_.length);
}

// RFC 9112 6.3: two lengths are an attack. One is needed: an answer that a connection's end ends could be half of one.
void HttpAnswer::begin_body() {
  if (framing_.has_length == framing_.is_chunked) return fail("no length of the body, or two");
  if (framing_.is_chunked)
    part_ = Part::chunk_size;
  else
    expect(framing_.length, Part::end);
}

void HttpAnswer::expect(std::uint64_t octets, Part otherwise) {
  if (octets > max_body_octets_ - body_.size()) return fail("a body that is too long");
  left_ = octets;
  if (octets == 0)
    part_ = otherwise;
  else
    part_ = framing_.is_chunked ? Part::chunk : Part::body;
}

void HttpAnswer::take_chunk_size(std::string_view line) {
  const std::string_view digits = trimmed(line.substr(0, line.find(';')));
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
  if (digits.empty() || digits.size() > 8 || error != std::errc() || end != digits.data() + digits.size())
    return fail("a chunk without a size");
  expect(size, Part::trailers);
}

}  // namespace postern::filter
