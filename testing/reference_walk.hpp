// The engine and the second opinion side by side: the same client, the same outcomes, compared word by word.
// in      a World, a Slip, and Letters: what a client sends at once, or how something ends
// out     take(reference, engine, letter): empty, or what differs; as_dialogue(): a way to it as tests/dialogues has it
// limits  tests/ and spec/ give the names of events and settings here; the reference itself knows neither
// source  testing/reference.hpp; engine/session.hpp
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/session.hpp"
#include "testing/reference.hpp"

namespace postern::testing {

struct Letter {
  std::string octets;   // of the client, if there are any
  std::string outcome;  // else the name of an event
  std::string text;     // of the outcome
};

// What one side of the comparison does: engine::Session with the loop of a server around it.
class EngineSide {
 public:
  explicit EngineSide(const World& world);
  void hear(std::string_view octets);
  void learn(const std::string& outcome, const std::string& text);
  [[nodiscard]] Words take_words() { return std::exchange(words_, {}); }
  [[nodiscard]] std::string state() const;  // in the words of Reference::state()
  [[nodiscard]] engine::Counters counters() const { return session_->counters(); }
  [[nodiscard]] const engine::Session& session() const { return *session_; }

 private:
  void pump();
  void take(const engine::Step& step);
  void hand_over();

  std::unique_ptr<engine::LoneSession> session_;
  std::string unread_, message_;
  std::vector<char> scratch_;
  Words words_;
};

// What can be sent, or can happen, while the reference is in this phase.
[[nodiscard]] std::vector<Letter> letters_for(const std::string& phase);
// Fewer, for walks that count.
[[nodiscard]] std::vector<Letter> few_letters_for(const std::string& phase);

// Takes one letter on both sides; says what differs in the words of a dialogue.
[[nodiscard]] std::string take(Reference& reference, EngineSide& engine, const Letter& letter);

// The way from the start, as the reference sees it, then what differs.
[[nodiscard]] std::string as_dialogue(const World& world, const std::vector<Letter>& way);
[[nodiscard]] std::string written(const Word& word);
[[nodiscard]] std::string written(const Letter& letter);
[[nodiscard]] std::string head_of(const World& world);

[[nodiscard]] spec::Event event_named(std::string_view name);
[[nodiscard]] engine::Service service_of(const World& world);
[[nodiscard]] World world_of(const engine::Service& service);
// What a reference remembers in the state that these guards say.
[[nodiscard]] Memory memory_of(spec::Guards guards);

// All settings and facts: `number` below worlds, databytes 1000, two recipients.
inline constexpr unsigned worlds = 1024;
[[nodiscard]] World world_number(unsigned number);

}  // namespace postern::testing
