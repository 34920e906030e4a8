#include "deliver/return_path_filter.hpp"

#include <algorithm>

namespace postern::deliver {
namespace {

constexpr std::string_view name = "return-path";
constexpr std::size_t most_blanks = 64;  // RFC 5322 4.5.3 allows them before the colon; in practice they do not occur

enum class Match : std::uint8_t { no, yes, unknown };

// RFC 5322 4.5.7: obs-return = "Return-Path" *WSP ":" path CRLF
Match begins_a_return_path(std::string_view line) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const std::size_t seen = std::min(line.size(), name.size());
  if (!std::ranges::equal(line.substr(0, seen), name.substr(0, seen), {}, lower)) return Match::no;
  line.remove_prefix(seen);
  const std::size_t blanks = std::min(line.find_first_not_of(" \t"), line.size());
  if (blanks > most_blanks) return Match::no;
  if (blanks < line.size()) return line[blanks] == ':' ? Match::yes : Match::no;
  return Match::unknown;
}

std::size_t end_of_line(std::string_view octets) {
  const std::size_t end = octets.find('\n');
  return end == std::string_view::npos ? octets.size() : end + 1;
}

}  // namespace

ReturnPathFilter::Cut ReturnPathFilter::next_cut(std::string_view octets) {
  const bool goes_on = octets.front() == ' ' || octets.front() == '\t';
  if (place_ == Place::after_dropped) place_ = goes_on ? Place::dropped : Place::line_start;
  if (place_ == Place::dropped) {
    const std::size_t end = end_of_line(octets);
    if (octets[end - 1] == '\n') place_ = Place::after_dropped;
    return {.octets = end, .is_kept = false};
  }
  // All lines up to one that may be such a field go at once.
  std::size_t at = 0;
  while (at < octets.size()) {
    if (place_ == Place::line_start) {
      if (octets[at] == '\n') place_ = Place::body;
      if (place_ == Place::body) return {.octets = octets.size(), .is_kept = true};
      const Match match = begins_a_return_path(octets.substr(at));
      if (match == Match::yes) place_ = Place::dropped;
      if (match != Match::no) return {.octets = at, .is_kept = true, .is_held = match == Match::unknown};
    }
    at += end_of_line(octets.substr(at));
    place_ = octets[at - 1] == '\n' ? Place::line_start : Place::kept;
  }
  return {.octets = at, .is_kept = true};
}

}  // namespace postern::deliver
