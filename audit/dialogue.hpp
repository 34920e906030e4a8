// A dialogue of client and server as data: what tests, fuzzer and operators replay alike.
// in      the text of a .smtp file (its format: tests/dialogues/README.md)
// out     Dialogue: what the session is served with, and the lines of both sides in order
// errors  "file:line: sentence", the first one only
// source  RFC 5321 appendix D (the notation)
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/question.hpp"
#include "engine/session.hpp"
#include "spec/policy_row.hpp"

namespace postern::audit {

// The host of every dialogue.
inline constexpr std::string_view dialogue_host = "mx.example.org";

enum class ItemKind : std::uint8_t {
  client,        // C  octets that the client sends
  server,        // S  one line of a reply, with its CRLF
  closes,        // S closes
  reverse_path,  // F  what is handed over: the envelope,
  forward_path,  // T
  message,       // M  and the mail data as it is stored
  event,         // =  the outcome of an effect, or what the world does
};

struct Item {
  ItemKind kind;
  std::string octets;  // of an event: its text (the address of recipient.*, the verdict of hand_over.*)
  spec::Event event{};
  std::size_t line = 0;

  friend bool operator==(const Item&, const Item&) = default;
};

struct Dialogue {
  std::string name;
  spec::Guards settings_and_facts;
  std::uint64_t databytes = 0;
  std::size_t max_recipients = spec::max_recipients;
  bool has_room = true;         // for a message
  bool asks_at_data = false;    // policy services judge each message before it comes
  bool shows_messages = false;  // F, T and M are there: then every hand-over is shown
  std::vector<Item> items;

  [[nodiscard]] engine::Service service() const {
    return {.settings_and_facts = settings_and_facts,
            .host = dialogue_host,
            .databytes = databytes,
            .max_recipients = max_recipients,
            .asks_at_data = asks_at_data,
            .room = has_room ? nullptr : &engine::no_room()};
  }
  // All that the client says.
  [[nodiscard]] std::size_t client_octets() const;
};

[[nodiscard]] std::expected<Dialogue, std::string> parse_dialogue(std::string_view text, const std::string& file);
[[nodiscard]] std::expected<Dialogue, std::string> load_dialogue(const std::filesystem::path& file);

// Every .smtp file of the folder, by name; a problem is printed and ends the program.
[[nodiscard]] std::vector<Dialogue> load_dialogues(const std::filesystem::path& folder);

// An item as the file writes it, on one line, long ones cut.
[[nodiscard]] std::string written(const Item& item);
[[nodiscard]] std::string escaped(std::string_view octets);

// Outcomes of effects can be given in advance (pipelining); the others happen at their place.
[[nodiscard]] bool is_outcome_of_a_look_up(spec::Event event);

// The answer that a line `= EVENT TEXT` gives to a question. The text of a listed client is the words of its reply, that of any other
// event what the answer carries; a recipient that no text names is the one asked about, which is `mailbox` (else empty).
[[nodiscard]] inline engine::Answer answer_as_written(spec::Event event, std::string_view text,
                                                      std::string_view mailbox) {
  const bool has_words = event == spec::Event::recipient_client_listed;
  return {event, text.empty() || has_words ? mailbox : text, has_words ? text : std::string_view()};
}

}  // namespace postern::audit
