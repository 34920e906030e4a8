#include "bench/hand_parser.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

namespace postern::bench {
namespace {

using grammar::Body;
using grammar::Command;
using grammar::SyntaxError;
using grammar::SyntaxErrorKind;
using grammar::Verb;

enum Set : unsigned char {
  atext = 1,
  let_dig = 2,
  digit = 4,
  hex = 8,
  printable = 16,  // SP included
  xchar = 32,
  dcontent = 64,
  control = 128,
};

constexpr std::array<unsigned char, 256> sets = [] {
  std::array<unsigned char, 256> table{};
  for (unsigned octet = 0; octet < 128; ++octet) {
    const char c = static_cast<char>(octet);
    const bool is_digit = c >= '0' && c <= '9';
    const char folded = static_cast<char>(c | 0x20);
    const bool is_letter = folded >= 'a' && folded <= 'z' && octet >= 'A';
    unsigned found = 0;
    if (octet < 32 || octet == 127) found |= control;
    if (octet >= 32 && octet < 127) found |= printable;
    if (octet > 32 && octet < 127 && c != '+' && c != '=') found |= xchar;
    if (octet > 32 && octet < 127 && (c < '[' || c > ']')) found |= dcontent;
    if (is_digit) found |= digit | hex;
    if (is_letter && folded <= 'f') found |= hex;
    if (is_digit || is_letter) found |= let_dig | atext;
    if (std::string_view("!#$%&'*+-/=?^_`{|}~").contains(c)) found |= atext;
    table[octet] = static_cast<unsigned char>(found);
  }
  return table;
}();

// Where the parser stands. A step that does not fit leaves `at` at the octet that does not, and says false.
struct Cursor {
  const char* at;
  const char* end;

  [[nodiscard]] bool is(unsigned set) const { return at != end && (sets[static_cast<unsigned char>(*at)] & set) != 0; }
  [[nodiscard]] bool is_at(char octet) const { return at != end && *at == octet; }
  bool take(char octet) {
    if (!is_at(octet)) return false;
    ++at;
    return true;
  }
  bool take_word(std::string_view lower_case) {
    for (const char octet : lower_case) {
      if (at == end || (*at >= 'A' && *at <= 'Z' ? *at | 0x20 : *at) != octet) return false;
      ++at;
    }
    return true;
  }
  bool take_some(unsigned set) {
    const char* const begin = at;
    while (is(set)) ++at;
    return at != begin;
  }
  void skip_spaces() {
    while (is_at(' ')) ++at;
  }
};

bool take_dot_string(Cursor& cursor) {
  do {
    if (!cursor.take_some(atext)) return false;
  } while (cursor.take('.'));
  return true;
}

bool take_quoted_string(Cursor& cursor) {
  cursor.take('"');
  while (cursor.is(printable)) {
    if (cursor.take('"')) return true;
    if (cursor.take('\\') && !cursor.is(printable)) return false;
    ++cursor.at;
  }
  return false;
}

bool take_sub_domain(Cursor& cursor) {
  if (!cursor.is(let_dig)) return false;
  while (cursor.is(let_dig) || cursor.is_at('-')) ++cursor.at;
  return cursor.at[-1] != '-';
}

bool take_domain(Cursor& cursor) {
  do {
    if (!take_sub_domain(cursor)) return false;
  } while (cursor.take('.'));
  return true;
}

// Address literals are rare: they are copied into nothing, but tried one way after the other.
bool take_ipv4(Cursor& cursor) {
  for (int i = 0; i < 4; ++i) {
    if (i > 0 && !cursor.take('.')) return false;
    int number = 0;
    const char* const begin = cursor.at;
    while (cursor.is(digit) && cursor.at - begin < 3 && number * 10 + (*cursor.at - '0') <= 255) {
      number = number * 10 + (*cursor.at++ - '0');
    }
    if (cursor.at == begin) return false;
  }
  return true;
}

bool take_ipv6(Cursor& cursor) {
  int groups = 0;
  int after_gap = 0;
  bool has_gap = false;
  if (cursor.is_at(':')) {
    if (!cursor.take(':') || !cursor.take(':')) return false;
    has_gap = true;
    if (cursor.is_at(']')) return true;
  }
  while (true) {
    Cursor ipv4 = cursor;
    const bool has_room = has_gap ? groups <= 4 : groups == 6;
    if (has_room && take_ipv4(ipv4) && ipv4.is_at(']')) {
      cursor = ipv4;
      return true;
    }
    const char* const begin = cursor.at;
    while (cursor.is(hex) && cursor.at - begin < 4) ++cursor.at;
    if (cursor.at == begin) return false;
    ++groups;
    after_gap += has_gap ? 1 : 0;
    if (cursor.is_at(']')) return has_gap ? groups <= 6 : groups == 8;
    if (groups >= (has_gap ? 6 : 8) || !cursor.take(':')) return false;
    if (!has_gap && groups <= 6 && cursor.take(':')) {
      has_gap = true;
      if (cursor.is_at(']')) return true;
      if (groups == 6) return false;
    }
  }
}

bool take_address_literal(Cursor& cursor) {
  cursor.take('[');
  Cursor best = cursor;
  Cursor ipv4 = cursor;
  if (take_ipv4(ipv4) && ipv4.take(']')) {
    cursor = ipv4;
    return true;
  }
  best.at = std::max(best.at, ipv4.at);
  Cursor tag = cursor;
  const bool is_tag = take_sub_domain(tag) || (cursor.is_at('-') && tag.take_some(let_dig));
  const std::string_view name(cursor.at, tag.at);
  Cursor ipv6 = cursor;
  if (name.size() == 4 && ipv6.take_word("ipv6")) {
    const bool fits = ipv6.take(':') && take_ipv6(ipv6) && ipv6.take(']');
    cursor = ipv6;
    return fits;
  }
  const bool fits = is_tag && tag.take(':') && tag.take_some(dcontent) && tag.take(']');
  cursor.at = std::max(best.at, tag.at);
  return fits;
}

bool take_mailbox(Cursor& cursor, grammar::Path& path) {
  const char* const begin = cursor.at;
  if (!(cursor.is_at('"') ? take_quoted_string(cursor) : take_dot_string(cursor))) return false;
  path.local_part = {begin, cursor.at};
  if (!cursor.take('@')) return false;
  const char* const domain = cursor.at;
  if (!(cursor.is_at('[') ? take_address_literal(cursor) : take_domain(cursor))) return false;
  path.domain = {domain, cursor.at};
  return true;
}

bool take_route(Cursor& cursor) {
  while (cursor.take('@')) {
    if (!take_domain(cursor)) return false;
    if (cursor.take(':')) return true;
    if (!cursor.take(',') || !cursor.is_at('@')) return false;
  }
  return true;
}

bool is_postmaster(Cursor cursor, Verb verb) {
  return verb == Verb::rcpt && cursor.take_word("postmaster") && cursor.is_at('>');
}

bool take_path(Cursor& cursor, Verb verb, grammar::Path& path) {
  if (!cursor.take('<')) return take_mailbox(cursor, path);
  if (verb == Verb::mail && cursor.take('>')) return true;
  if (is_postmaster(cursor, verb)) {
    path.local_part = {cursor.at, 10};
    cursor.at += 11;
    return true;
  }
  return take_route(cursor) && take_mailbox(cursor, path) && cursor.take('>');
}

bool take_size(Cursor& cursor, grammar::Parameters& parameters) {
  if (!cursor.take_word("size=") || !cursor.is(digit)) return false;
  constexpr auto greatest = std::numeric_limits<std::uint64_t>::max();
  for (parameters.has_size = true; cursor.is(digit); ++cursor.at) {
    const auto units = static_cast<std::uint64_t>(*cursor.at - '0');
    const bool fits = parameters.size_octets <= (greatest - units) / 10;
    parameters.size_octets = fits ? parameters.size_octets * 10 + units : greatest;
  }
  return true;
}

bool take_body(Cursor& cursor, Body& body) {
  if (!cursor.take_word("body=")) return false;
  body = cursor.is_at('7') ? Body::seven_bit : Body::eight_bit_mime;
  return cursor.take_word(body == Body::seven_bit ? "7bit" : "8bitmime");
}

bool take_auth(Cursor& cursor, std::string_view& mailbox) {
  if (!cursor.take_word("auth=")) return false;
  const char* const begin = cursor.at;
  while (true) {
    cursor.take_some(xchar);
    if (!cursor.take('+')) break;
    for (int i = 0; i < 2; ++i, ++cursor.at) {
      if (!cursor.is(hex) || *cursor.at >= 'a') return false;
    }
  }
  mailbox = {begin, cursor.at};
  return !mailbox.empty();
}

bool take_parameter(Cursor& cursor, grammar::Parameters& parameters) {
  if (cursor.at == cursor.end) return false;
  const int letter = *cursor.at | 0x20;
  if (letter == 's') return !parameters.has_size && take_size(cursor, parameters);
  if (letter == 'b') return parameters.body == Body::unsaid && take_body(cursor, parameters.body);
  if (letter == 'a') return parameters.auth_mailbox.empty() && take_auth(cursor, parameters.auth_mailbox);
  return false;
}

bool take_parameters(Cursor& cursor, Command& command) {
  while (cursor.take(' ')) {
    if (cursor.at == cursor.end || *cursor.at == ' ' || command.verb == Verb::rcpt) {
      cursor.skip_spaces();
      return cursor.at == cursor.end;
    }
    if (!take_parameter(cursor, command.parameters)) return false;
  }
  return cursor.at == cursor.end;
}

std::uint32_t four_letters(const char* word) {
  std::uint32_t letters = 0;
  std::memcpy(&letters, word, sizeof letters);
  return letters & 0xDFDFDFDF;
}

constexpr std::uint32_t word(char a, char b, char c, char d) {
  return static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b) << 8 | static_cast<std::uint32_t>(c) << 16 |
         static_cast<std::uint32_t>(d) << 24;
}

Verb verb_of(std::string_view name) {
  if (name.size() == 8) return Cursor{name.begin(), name.end()}.take_word("starttls") ? Verb::starttls : Verb::unknown;
  if (name.size() != 4) return Verb::unknown;
  switch (four_letters(name.data())) {
    case word('H', 'E', 'L', 'O'): return Verb::helo;
    case word('E', 'H', 'L', 'O'): return Verb::ehlo;
    case word('M', 'A', 'I', 'L'): return Verb::mail;
    case word('R', 'C', 'P', 'T'): return Verb::rcpt;
    case word('D', 'A', 'T', 'A'): return Verb::data;
    case word('R', 'S', 'E', 'T'): return Verb::rset;
    case word('N', 'O', 'O', 'P'): return Verb::noop;
    case word('V', 'R', 'F', 'Y'): return Verb::vrfy;
    case word('E', 'X', 'P', 'N'): return Verb::expn;
    case word('H', 'E', 'L', 'P'): return Verb::help;
    case word('Q', 'U', 'I', 'T'): return Verb::quit;
    case word('A', 'U', 'T', 'H'): return Verb::auth;
    default: return Verb::unknown;
  }
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

const char* find_control(const char* begin, const char* end) {
  return std::find_if(begin, end, [](char octet) { return (sets[static_cast<unsigned char>(octet)] & control) != 0; });
}

SyntaxError error_at(Verb verb, SyntaxErrorKind kind, const char* misfit, std::string_view line) {
  const char* const found = find_control(misfit, line.end());
  if (found != line.end())
    return {verb, SyntaxErrorKind::control_octet, static_cast<std::size_t>(found - line.begin())};
  return {verb, kind, static_cast<std::size_t>(misfit - line.begin())};
}

void fill_auth(Command& command) {
  const void* const found = std::memchr(command.argument.data(), ' ', command.argument.size());
  if (found == nullptr) {
    command.mechanism = command.argument;
    return;
  }
  command.mechanism = {command.argument.data(), static_cast<const char*>(found)};
  command.initial_response = trimmed(command.argument.substr(command.mechanism.size()));
}

}  // namespace

std::expected<Command, SyntaxError> parse_by_hand(std::string_view line) {
  std::expected<Command, SyntaxError> result;
  Command& command = *result;
  const void* const space = line.empty() ? nullptr : std::memchr(line.data(), ' ', line.size());
  const char* const verb_end = space == nullptr ? line.end() : static_cast<const char*>(space);
  command.verb = verb_of({line.begin(), verb_end});
  if (command.verb == Verb::unknown) return result;
  Cursor cursor{verb_end, line.end()};
  bool fits = true;
  auto kind = SyntaxErrorKind::path;
  if (command.verb == Verb::mail || command.verb == Verb::rcpt) {
    fits = cursor.take_word(command.verb == Verb::mail ? " from:" : " to:");
    if (fits) cursor.skip_spaces();
    fits = fits && take_path(cursor, command.verb, command.path);
    if (fits && cursor.is_at(' ')) kind = SyntaxErrorKind::parameter;
    fits = fits && take_parameters(cursor, command);
  } else {
    cursor.at = find_control(verb_end, line.end());
    fits = cursor.at == line.end();
  }
  if (!fits) {
    result = std::unexpected(error_at(command.verb, kind, cursor.at, line));
    return result;
  }
  command.argument = trimmed({verb_end, line.end()});
  if (command.verb == Verb::auth && !command.argument.empty()) fill_auth(command);
  return result;
}

}  // namespace postern::bench
