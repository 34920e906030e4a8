#include "testing/reference_text.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace postern::testing::reference_text {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }

// Labels of letters, digits and hyphens, no hyphen at either end. D13: `_` is a letter, unless addresses are strict.
bool is_domain(const std::string& text, bool is_strict) {
  std::size_t begin = 0;
  while (true) {
    const std::size_t dot = std::min(text.find('.', begin), text.size());
    const std::string label = text.substr(begin, dot - begin);
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    if (!std::ranges::all_of(
            label, [&](char c) { return is_letter(c) || is_digit(c) || c == '-' || (c == '_' && !is_strict); }))
      return false;
    if (dot == text.size()) return true;
    begin = dot + 1;
  }
}

// D13: dots may stand at the ends or doubled, next to something else, unless addresses are strict.
bool is_local_part(const std::string& text, bool is_strict) {
  if (text.find_first_not_of('.') == std::string::npos) return false;
  if (is_strict && (text.front() == '.' || text.back() == '.' || text.contains(".."))) return false;
  const std::string_view others = "!#$%&'*+-/=?^_`{|}~.";
  return std::ranges::all_of(text, [&](char c) { return is_letter(c) || is_digit(c) || others.contains(c); });
}

bool is_mailbox(const std::string& text, bool is_strict) {
  const std::size_t at = text.find('@');
  return at != std::string::npos && is_local_part(text.substr(0, at), is_strict) &&
         is_domain(text.substr(at + 1), is_strict) && text.size() <= 899;  // D6
}

// The text after `FROM:` or `TO:`, and the leniency of D13: spaces.
std::optional<std::string> after_keyword(const std::string& argument, const std::string& keyword) {
  if (upper(argument.substr(0, keyword.size())) != keyword) return {};
  std::string rest = argument.substr(keyword.size());
  rest.erase(0, std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

// The path's mailbox and what follows it; D13: brackets may be missing.
std::optional<std::pair<std::string, std::string>> cut_path(const std::string& text) {
  if (!text.starts_with('<')) {
    const std::size_t space = std::min(text.find(' '), text.size());
    return std::pair{text.substr(0, space), without_spaces_at_end(text.substr(space))};
  }
  const std::size_t end = text.find('>');
  if (end == std::string::npos) return {};
  std::string rest = text.substr(end + 1);
  if (!rest.empty() && !rest.starts_with(' ')) return {};
  std::string mailbox = text.substr(1, end - 1);
  if (mailbox.starts_with('@') && mailbox.contains(':')) mailbox.erase(0, mailbox.find(':') + 1);  // RFC 5321 4.1.1.3
  return std::pair{mailbox, without_spaces_at_end(rest)};
}

// RFC 3461 4: xchar is "!" to "~" but "+" and "="; hexchar is "+" and two of 0 to 9, A to F
bool is_xtext(const std::string& text) {
  const std::string_view digits = "0123456789ABCDEF";
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] < '!' || text[at] > '~' || text[at] == '=') return false;
    if (text[at] != '+') continue;
    if (at + 2 >= text.size() || !digits.contains(text[at + 1]) || !digits.contains(text[at + 2])) return false;
    at += 2;
  }
  return !text.empty();
}

bool take_parameter(const std::string& parameter, Mail& mail, std::vector<std::string>& seen) {
  const std::size_t equals = parameter.find('=');
  if (equals == std::string::npos) return false;
  const std::string name = upper(parameter.substr(0, equals)), value = parameter.substr(equals + 1);
  if (std::ranges::find(seen, name) != seen.end()) return false;
  seen.push_back(name);
  if (name == "BODY") return upper(value) == "7BIT" || upper(value) == "8BITMIME";
  if (name == "AUTH") {
    mail.has_auth = true;
    return is_xtext(value);
  }
  if (name != "SIZE" || value.empty() || value.size() > 20 || !std::ranges::all_of(value, is_digit))
    return false;  // RFC 1870 3: 1*20DIGIT
  mail.size = value;
  return true;
}

}  // namespace

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

std::string verb_of(const std::string& line) {
  const std::string_view ends = line.ends_with("\r\n") ? " \r\n" : " ";
  return line.substr(0, line.find_first_of(ends));
}

bool is_known(const std::string& verb) {
  constexpr std::array<std::string_view, 13> known{"HELO", "EHLO", "MAIL", "RCPT", "DATA",     "RSET", "NOOP",
                                                   "VRFY", "EXPN", "HELP", "QUIT", "STARTTLS", "AUTH"};
  return std::ranges::find(known, verb) != known.end();
}

bool is_http(const std::string& line) {
  constexpr std::array<std::string_view, 9> methods{"GET",     "POST",   "PUT",   "HEAD", "CONNECT",
                                                    "OPTIONS", "DELETE", "PATCH", "TRACE"};
  return std::ranges::any_of(methods, [&](auto method) { return line.starts_with(std::string(method) + " "); });
}

// RFC 5321 4.1.1.4, 4.1.1.5, 4.1.1.10: "DATA" CRLF, "RSET" CRLF, "QUIT" CRLF
bool wants_no_argument(const std::string& verb) { return verb == "DATA" || verb == "RSET" || verb == "QUIT"; }

// RFC 5321 4.1.1.1, 4.1.1.6: "EHLO" SP ( Domain / address-literal ), "VRFY" SP String
bool wants_an_argument(const std::string& verb) { return verb == "EHLO" || verb == "HELO" || verb == "VRFY"; }

bool has_control(const std::string& line) { return std::ranges::any_of(line, is_control); }

std::string without_spaces_at_end(std::string text) {
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

std::string without_spaces_around(std::string text) {
  text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  return without_spaces_at_end(text);
}

std::pair<std::string, std::string> cut_at_space(const std::string& text) {
  const std::size_t space = std::min(text.find(' '), text.size());
  return {text.substr(0, space), without_spaces_around(text.substr(space))};
}

std::optional<Mail> read_mail(const std::string& argument, bool is_strict) {
  const auto path = after_keyword(argument, "FROM:");
  const auto parts = path ? cut_path(*path) : std::nullopt;
  if (!parts) return {};
  Mail mail{.mailbox = parts->first};
  const bool is_null = mail.mailbox.empty() && path->starts_with("<>");
  if (!is_null && !is_mailbox(mail.mailbox, is_strict)) return {};
  std::vector<std::string> seen;
  // Mail-parameters = esmtp-param *(SP esmtp-param): one space before each.
  for (std::string rest = parts->second; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' ', 1), rest.size());
    if (rest[0] != ' ' || !take_parameter(rest.substr(1, end - 1), mail, seen)) return {};
    rest.erase(0, end);
  }
  return mail;
}

std::optional<std::string> read_rcpt(const std::string& argument, bool is_strict) {
  const auto path = after_keyword(argument, "TO:");
  const auto parts = path ? cut_path(*path) : std::nullopt;
  if (!parts || !parts->second.empty()) return {};
  const bool is_postmaster = path->starts_with('<') && upper(parts->first) == "POSTMASTER";  // RFC 5321 4.5.1
  if (!is_postmaster && !is_mailbox(parts->first, is_strict)) return {};
  return parts->first;
}

bool is_greater(std::string digits, std::uint64_t number) {
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  const std::string other = std::to_string(number);
  return digits.size() != other.size() ? digits.size() > other.size() : digits > other;
}

std::string without_forgiven_blanks(const std::string& line) {
  const std::string shorter = line.substr(0, line.find_last_not_of(" \t") + 1);
  const auto [verb, rest] = cut_at_space(shorter);
  return upper(verb) == "AUTH" && !cut_at_space(rest).second.empty() ? shorter : line;
}

// RFC 4648 4; D14: spaces and tabs after it are forgiven
std::optional<std::string> decoded(const std::string& answer) {
  const std::string base64 = answer.substr(0, answer.find_last_not_of(" \t") + 1);
  const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (base64.empty() || base64.size() % 4 != 0) return {};
  std::string text = base64;
  int padding = 0;
  for (; padding < 2 && text.ends_with('='); ++padding) text.pop_back();
  std::string bits, octets;
  for (const char c : text) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) return {};
    for (int bit = 5; bit >= 0; --bit) bits += (value >> bit & 1) != 0 ? '1' : '0';
  }
  const std::size_t used = bits.size() / 8 * 8;
  if (bits.find('1', used) != std::string::npos) return {};  // bits that mean nothing are zero
  for (std::size_t at = 0; at < used; at += 8) {
    int octet = 0;
    for (const char bit : bits.substr(at, 8)) octet = octet * 2 + (bit == '1' ? 1 : 0);
    octets += static_cast<char>(octet);
  }
  return octets;
}

bool is_plain_message(const std::string& base64) {
  const auto message = decoded(base64);
  if (!message || std::ranges::count(*message, '\0') != 2) return false;
  const std::size_t first = message->find('\0'), second = message->rfind('\0');
  const std::string authorization = message->substr(0, first);
  const std::string user = message->substr(first + 1, second - first - 1), password = message->substr(second + 1);
  return !user.empty() && !password.empty() && (authorization.empty() || authorization == user);
}

bool is_name_or_password(const std::string& base64) {
  const auto text = decoded(base64);
  return text && !text->empty() && !text->contains('\0');
}

// RFC 5321 4.5.2, 2.3.8, 6.3
Message read_message(const std::string& octets) {
  Message message;
  bool is_header = true;
  for (std::size_t begin = 0; begin < octets.size();) {
    const std::size_t end = std::min(octets.find("\r\n", begin), octets.size());
    std::string line = octets.substr(begin, end - begin);
    begin = end + 2;
    if (line.find_first_of("\r\n") != std::string::npos) message.has_bare_cr_or_lf = true;
    if (line.contains('\0')) message.has_nul = true;
    if (line.starts_with('.')) line.erase(0, 1);
    if (line.empty()) is_header = false;
    const std::string name = upper(line);
    if (is_header && (name.starts_with("RECEIVED:") || name.starts_with("DELIVERED-TO:"))) ++message.hops;
    message.stored += line + "\n";
  }
  return message;
}

std::vector<std::string> lines_of(const std::string& stored) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < stored.size();) {
    const std::size_t end = std::min(stored.find('\n', begin), stored.size() - 1);
    lines.push_back(stored.substr(begin, end + 1 - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace postern::testing::reference_text
