// Second opinions of what the rules of the policy do not decide: what an exit of a queue program means, when an event can
// happen, what a setting is that nobody sets.
// in      the exit code, 1 to 255; names as the spec has them
// out     views of constants
// source  qmail.c of the original, qmail-queue(8); RFC 5321 3, 4.1.4, RFC 4954 4, RFC 3207 4; seed
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace postern::testing {

struct QueueExit {
  bool is_permanent;
  std::string_view text;
};

[[nodiscard]] constexpr QueueExit meaning_of_exit(unsigned code) {
  struct Text {
    unsigned code;
    std::string_view text;
  };
  constexpr auto texts = std::to_array<Text>({{11, "envelope address too long for qq (#5.1.3)"},
                                              {31, "mail server permanently rejected message (#5.3.0)"},
                                              {32, "we do not accept SPAM (#5.3.0)"},
                                              {51, "qq out of memory (#4.3.0)"},
                                              {52, "qq timeout (#4.3.0)"},
                                              {53, "qq write error or disk full (#4.3.0)"},
                                              {54, "qq read error (#4.3.0)"},
                                              {55, "qq unable to read configuration (#4.3.0)"},
                                              {56, "qq trouble making network connection (#4.3.0)"},
                                              {61, "qq trouble in home directory (#4.3.0)"},
                                              {62, "qq trouble creating files in queue (#4.3.0)"},
                                              {63, "qq trouble creating files in queue (#4.3.0)"},
                                              {64, "qq trouble creating files in queue (#4.3.0)"},
                                              {65, "qq trouble creating files in queue (#4.3.0)"},
                                              {66, "qq trouble creating files in queue (#4.3.0)"},
                                              {71, "mail server temporarily rejected message (#4.3.0)"},
                                              {72, "connection to mail server timed out (#4.4.1)"},
                                              {73, "connection to mail server rejected (#4.4.1)"},
                                              {74, "communication with mail server failed (#4.4.2)"},
                                              {81, "qq internal bug (#4.3.0)"},
                                              {91, "qq internal bug (#4.3.0)"},
                                              {115, "envelope address too long for qq (#5.1.3)"},
                                              {120, "unable to exec qq (#4.3.0)"}});
  const bool is_permanent = (code >= 11 && code <= 40) || code == 115;
  const auto* const known = std::ranges::find(texts, code, &Text::code);
  if (known != texts.end()) return {is_permanent, known->text};
  return {is_permanent, is_permanent ? "qq permanent problem (#5.3.0)" : "qq temporary problem (#4.3.0)"};
}

// Each wait of the server ends with what it waits for; with silence, slowness or the end of the client where a client is
// waited for; with the end of the server, or of its memory, where no work is in hand.
[[nodiscard]] constexpr bool can_happen(std::string_view event, std::string_view waiting) {
  const auto is_one_of = [](std::string_view word, auto... words) { return ((word == words) || ...); };
  const bool is_answer = is_one_of(waiting, "plain_response", "username", "password");
  if (event.starts_with("connect.")) return waiting == "connect";
  if (event.starts_with("response.")) return is_answer;
  if (event.starts_with("data_end.") || event == "data_without_end") return waiting == "mail_data";
  for (const std::string_view work : {"recipient", "message", "hand_over", "credentials", "handshake"}) {
    if (event.starts_with(work) && event[work.size()] == '.') return waiting == work;
  }
  const bool is_for_client = is_answer || is_one_of(waiting, "command", "mail_data");
  if (event == "too_slow") return is_for_client;
  if (is_one_of(event, "timeout", "eof")) return is_for_client || waiting == "handshake";
  if (event == "exhausted") return is_for_client || waiting == "connect";
  if (event == "shutting_down") return is_for_client || is_one_of(waiting, "connect", "handshake");
  return waiting == "command";  // a line
}

// Another setting's name, or 0 or 1.
[[nodiscard]] constexpr std::string_view default_of(std::string_view setting) {
  return setting == "AUTH" ? "backend" : "0";
}

}  // namespace postern::testing
