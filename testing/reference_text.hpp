// How the second opinion reads lines and messages: with find and substr, from the RFCs.
// in      a line without its CRLF, or the octets of a message before its last `.`
// out     values of their own
// errors  nullopt, false: not of that form
// source  RFC 5321 4.1.1, 4.1.2, 4.5.2; RFC 4648 4; RFC 4616 2; RFC 1870 3
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace postern::testing::reference_text {

std::string upper(std::string text);
// The letters before the first space or control octet.
std::string verb_of(const std::string& line);
bool is_known(const std::string& verb);
bool is_http(const std::string& line);
bool wants_no_argument(const std::string& verb);
[[nodiscard]] bool wants_an_argument(const std::string& verb);
[[nodiscard]] bool has_control(const std::string& line);
std::string without_spaces_at_end(std::string text);
std::string without_spaces_around(std::string text);
std::pair<std::string, std::string> cut_at_space(const std::string& text);

struct Mail {
  std::string mailbox;
  std::string size = "0";  // digits, as many as were sent
  bool has_auth = false;   // AUTH= stands there
};
std::optional<Mail> read_mail(const std::string& argument, bool is_strict);
std::optional<std::string> read_rcpt(const std::string& argument, bool is_strict);
bool is_greater(std::string digits, std::uint64_t number);

std::string without_forgiven_blanks(const std::string& line);  // of AUTH with an initial response
std::optional<std::string> decoded(const std::string& base64);
// [authorization identity] NUL user NUL password
bool is_plain_message(const std::string& base64);
bool is_name_or_password(const std::string& base64);

struct Message {
  std::string stored;  // lines end with LF, the dots of transparency are gone
  bool has_bare_cr_or_lf = false;
  bool has_nul = false;
  int hops = 0;
};
Message read_message(const std::string& octets);
std::vector<std::string> lines_of(const std::string& stored);

}  // namespace postern::testing::reference_text
