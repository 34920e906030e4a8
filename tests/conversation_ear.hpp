// A conversation on a given clock, and an ear for all that it says: what its tests share.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "engine/conversation.hpp"

namespace postern::engine {

class Ear final : public Output {
 public:
  explicit Ear(std::span<char> room) : Output(room) {}
  void note(const Note& note) override {
    events.emplace_back(spec::name_of(note.step.event));
    waited = note.waited;
  }
  void keep(std::string_view mail_data) override { message += mail_data; }
  void drop() override { ++drops; }

  std::vector<std::string> events;
  std::string message;
  Interval waited;
  int drops = 0;
};

// AHRpbQB0YW5zdGFhZnRhbnN0YWFm: tim, tanstaaftanstaaf (RFC 4954 4.1 has him)
inline constexpr std::string_view auth_plain = "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n";

class ConversationTest : public testing::Test {
 protected:
  static constexpr Patience patience{.silence_seconds = 100, .window_seconds = 30, .min_octets_per_second = 10};
  static constexpr Service service{.settings_and_facts = {spec::bit::AUTH | spec::bit::backend |
                                                          spec::bit::certificate | spec::bit::ALLOW_INSECURE_AUTH},
                                   .host = "mx.example.org"};

  void SetUp() override { want_ = talk_.happen(spec::Event::connect_ready, now_, ear_); }

  Want say(std::string_view octets) {
    input_ = octets;
    return want_ = talk_.feed(input_, scratch_, now_, ear_);
  }
  Want reply(spec::Event event, std::string_view text = {}) {
    return want_ = talk_.answer(want_.ticket, {event, text}, now_, ear_);
  }
  Want happen(spec::Event event) { return want_ = talk_.happen(event, now_, ear_); }
  Want wait(std::int64_t seconds_long) {
    now_ = now_ + seconds(seconds_long);
    return want_ = talk_.time_passed(now_, ear_);
  }
  void begin_message() {
    static_cast<void>(say("HELO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"));
    static_cast<void>(reply(spec::Event::recipient_ours, "b@example.org"));
    static_cast<void>(say("DATA\r\n"));
    ASSERT_TRUE(heard().ends_with("354 go ahead\r\n")) << heard();
  }
  [[nodiscard]] std::string heard() const { return std::string(ear_.replies()); }
  [[nodiscard]] const std::string& last_event() const { return ear_.events.back(); }

  Time now_ = Time{} + seconds(1000);
  LoneConversation talk_{service, patience};
  std::array<char, 64 * 1024> room_{};
  Ear ear_{room_};
  std::string input_;
  std::array<char, 64 * 1024> scratch_{};
  Want want_{};
};

}  // namespace postern::engine
