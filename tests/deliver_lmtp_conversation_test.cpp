// LMTP without I/O: each dialogue cut at every place, faults at every place, with a given clock.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/lmtp/conversation.hpp"

namespace postern::deliver {
namespace {

using namespace std::chrono_literals;
using State = base::ClientProtocol::State;
using Kind = LmtpTrouble::Kind;
using Strings = std::vector<std::string>;

constexpr std::string_view greeting = "220 cluster\r\n", offers = "250-cluster\r\n250-PIPELINING\r\n250 SIZE 1000\r\n",
                           fine = "250 fine\r\n", go_on = "354 go on\r\n";

class Talking {
 public:
  explicit Talking(std::string mail = "Subject: t\n\nhello\n", std::size_t recipients = 2) : message_("/tmp") {
    message_.write(mail);
    for (std::size_t i = 0; i < recipients; ++i) forward_paths_.push_back("user" + std::to_string(i) + "@x.example");
    begin();
  }
  void begin() { conversation.begin({"me@client.example", forward_paths_, &message_}, now); }

  // What it says until it waits.
  std::string heard(std::size_t piece = 1'000'000) {
    std::string octets;
    for (auto output = conversation.output(); is_busy() && !output.empty(); output = conversation.output()) {
      const std::string_view taken = output.substr(0, piece);
      octets += taken;
      conversation.sent(taken.size(), now);
    }
    return octets;
  }
  std::string say(std::string_view octets) {
    conversation.receive(octets, now);
    return heard();
  }
  [[nodiscard]] bool is_busy() const { return conversation.state() == State::busy; }
  [[nodiscard]] base::Interval patience() const { return conversation.deadline() - now; }
  void say_until_data() {
    for (const std::string_view octets : {greeting, offers}) say(octets);
    say("250 me\r\n250 you\r\n250 you too\r\n");
  }
  void say_until_the_dot() {
    say_until_data();
    say(go_on);
  }

  LmtpTimeouts timeouts{.reply_seconds = 60, .delivery_seconds = 600};
  LmtpConversation conversation{"mx.example.org", timeouts};
  base::Time now{};

 private:
  base::MailSpool message_;
  Strings forward_paths_;
};

TEST(LmtpConversation, says_one_thing_after_the_other) {
  Talking talking;
  EXPECT_EQ("", talking.heard()) << "the cluster speaks first";
  EXPECT_EQ("LHLO mx.example.org\r\n", talking.say(greeting));
  EXPECT_EQ("MAIL FROM:<me@client.example> SIZE=21\r\nRCPT TO:<user0@x.example>\r\nRCPT TO:<user1@x.example>\r\n",
            talking.say(offers));
  EXPECT_EQ("", talking.say("250 me\r\n250 you\r\n"));
  EXPECT_EQ("DATA\r\n", talking.say("250 you too\r\n"));
  EXPECT_EQ("Subject: t\r\n\r\nhello\r\n.\r\n", talking.say(go_on));
  EXPECT_EQ("", talking.say("250 kept\r\n"));
  EXPECT_TRUE(talking.is_busy());
  EXPECT_EQ("", talking.say("452 full\r\n"));
  EXPECT_EQ(State::idle, talking.conversation.state());
  const LmtpResult result = talking.conversation.take_result();
  EXPECT_FALSE(result.trouble);
  EXPECT_EQ(250, result.of_each.at(0).code);
  EXPECT_EQ("full", result.of_each.at(1).text);
  talking.begin();
  EXPECT_TRUE(talking.heard().starts_with("MAIL FROM:")) << "the next one over the same connection";
}

// RFC 5321 2.3.8: lines end with CRLF, so no extension is offered behind another octet (fuzz/found/lmtp_replies).
TEST(LmtpConversation, a_bare_lf_begins_no_line_of_offers) {
  for (const char* offered : {"250-cluster\nPIPELINING\r\n250 HELP\nSIZE\r\n", "250-cluster\r\n250 \nSIZE\r\n"}) {
    Talking talking;
    talking.say(greeting);
    EXPECT_EQ("MAIL FROM:<me@client.example>\r\n", talking.say(offered));
  }
}

// The octets of the cluster in two pieces, ours one by one: nothing else changes.
TEST(LmtpConversation, is_the_same_however_octets_are_cut) {
  const std::string all = std::string(greeting) + "|" + std::string(offers) +
                          "|250 me\r\n250-you\r\n250 two lines\r\n250 you too\r\n|" + std::string(go_on) +
                          "|250 kept\r\n550 gone\r\n|";
  for (std::size_t cut = 0; cut < all.size(); ++cut) {
    Talking talking;
    std::string said, group;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i] != '|') group += all[i];
      if (all[i] != '|' && i != cut) continue;
      talking.conversation.receive(group, talking.now);
      group.clear();
      said += talking.heard(1);
    }
    const LmtpResult result = talking.conversation.take_result();
    EXPECT_FALSE(result.trouble);
    EXPECT_EQ("kept", result.of_each.at(0).text);
    EXPECT_EQ(550, result.of_each.at(1).code);
    EXPECT_EQ(State::idle, talking.conversation.state()) << cut;
    EXPECT_TRUE(said.ends_with("hello\r\n.\r\n")) << said;
  }
}

// A cluster that is one reply ahead would answer for a recipient that it has not heard of, and take the message for it.
TEST(LmtpConversation, a_reply_ahead_of_its_command_is_trouble) {
  const Strings ahead{"220 cluster\r\n250 cluster\r\n", "250 cluster\r\n250 me\r\n", "250 me\r\n250 you\r\n",
                      "250 you\r\n250 you too\r\n", "250 you too\r\n354 go on\r\n"};
  const Strings in_turn{"220 cluster\r\n", "250 cluster\r\n", "250 me\r\n", "250 you\r\n"};
  for (std::size_t said = 0; said < ahead.size(); ++said) {
    Talking talking;
    for (std::size_t i = 0; i < said; ++i) talking.say(in_turn[i]);
    EXPECT_EQ("", talking.say(ahead[said])) << said;
    EXPECT_EQ(State::ended, talking.conversation.state()) << said;
    EXPECT_EQ(Kind::garbage, talking.conversation.take_result().trouble.value().kind) << said;
  }
}

TEST(LmtpConversation, the_end_of_the_connection_is_trouble_wherever_it_comes) {
  const Strings all{std::string(greeting), std::string(offers), "250 me\r\n",  "250 you\r\n250 you\r\n",
                    std::string(go_on),    "250 kept\r\n",      "250 kept\r\n"};
  const Strings stages{"LHLO", "LHLO", "MAIL", "MAIL", "DATA", "delivery", "delivery"};
  for (std::size_t said = 0; said < all.size(); ++said) {
    Talking talking;
    for (std::size_t i = 0; i < said; ++i) talking.say(all[i]);
    talking.conversation.fail({.kind = base::StreamFailure::Kind::closed, .error = ECONNRESET});
    EXPECT_EQ(State::ended, talking.conversation.state());
    EXPECT_EQ(said == 2, talking.conversation.may_repeat()) << said << ": after MAIL was said, and nothing answered";
    EXPECT_EQ("", talking.conversation.farewell());
    const LmtpResult result = talking.conversation.take_result();
    ASSERT_TRUE(result.trouble);
    EXPECT_EQ("connection closed, ECONNRESET", describe(*result.trouble));
    EXPECT_EQ(stages[said], result.stage);
    EXPECT_EQ(said > 4, result.has_sent_data);
  }
}

// RFC 5321 3.8: 421 may come at any time. No recipient has taken what was not sent.
TEST(LmtpConversation, a_reply_before_the_final_dot_ends_it) {
  struct Case {
    std::string_view word;
    int of_all;
  };
  for (const auto& [word, of_all] : {Case{"421 closing\r\n", 421}, Case{"451 later\r\n", 451}, Case{"250 kept\r\n", 0},
                                     Case{"550 no\r\n", 0}, Case{"354 again\r\n", 0}}) {
    Talking talking(std::string(300'000, 'x'));
    talking.say_until_data();
    talking.conversation.receive(go_on, talking.now);
    talking.conversation.sent(1000, talking.now);
    talking.conversation.receive(word, talking.now);
    EXPECT_EQ(State::ended, talking.conversation.state()) << word;
    EXPECT_FALSE(talking.conversation.may_repeat()) << "something of it was sent";
    const LmtpResult result = talking.conversation.take_result();
    EXPECT_EQ(of_all, result.of_all.code);
    EXPECT_EQ(of_all == 0, result.trouble.has_value());
    EXPECT_EQ("mail data", result.stage);
    for (const LmtpReply& reply : result.of_each) EXPECT_EQ(0, reply.code);
  }
}

TEST(LmtpConversation, what_is_no_reply_is_garbage_wherever_it_comes) {
  for (const std::string& word : Strings{"hello\r\n", "25\r\n", "250-a\r\n251 b\r\n", std::string(3000, '2')}) {
    for (int said = 0; said < 5; ++said) {
      Talking talking;
      const Strings all{std::string(greeting), std::string(offers), "250 a\r\n250 b\r\n250 c\r\n", std::string(go_on)};
      for (int i = 0; i < said && i < 4; ++i) talking.say(all[static_cast<std::size_t>(i)]);
      talking.say(word);
      EXPECT_EQ(State::ended, talking.conversation.state()) << said << word.substr(0, 10);
      const LmtpResult result = talking.conversation.take_result();
      ASSERT_TRUE(result.trouble);
      EXPECT_EQ(Kind::garbage, result.trouble->kind);
    }
  }
}

TEST(LmtpConversation, more_replies_than_recipients_end_the_connection_and_not_the_message) {
  Talking talking;
  talking.say_until_the_dot();
  talking.say("250 a\r\n250 b\r\n250 c\r\n");
  EXPECT_EQ(State::ended, talking.conversation.state());
  const LmtpResult result = talking.conversation.take_result();
  EXPECT_FALSE(result.trouble);
  EXPECT_EQ("b", result.of_each.at(1).text);
}

TEST(LmtpConversation, a_flood_of_replies_is_bounded) {
  Talking talking;
  talking.say_until_the_dot();
  std::string flood;
  for (int i = 0; i < 99; ++i) flood += "250-" + std::string(2000, 'x') + "\r\n";
  talking.say(flood);
  EXPECT_TRUE(talking.is_busy()) << "as long as a reply may be";
  talking.say("250-and\r\n");
  EXPECT_EQ(State::ended, talking.conversation.state());
  EXPECT_EQ(Kind::garbage, talking.conversation.take_result().trouble->kind);
}

TEST(LmtpConversation, a_421_after_the_final_dot_ends_the_connection) {
  Talking talking;
  talking.say_until_the_dot();
  talking.say("250 kept\r\n421 closing\r\n");
  EXPECT_EQ(State::ended, talking.conversation.state());
  EXPECT_FALSE(talking.conversation.may_repeat());
  EXPECT_FALSE(talking.conversation.take_result().trouble);
}

TEST(LmtpConversation, a_421_to_mail_may_be_repeated) {
  Talking talking;
  for (const std::string_view octets : {greeting, offers}) talking.say(octets);
  talking.say("421 idle too long\r\n503 what\r\n503 what\r\n");
  EXPECT_EQ(State::ended, talking.conversation.state());
  EXPECT_TRUE(talking.conversation.may_repeat());
  EXPECT_EQ("QUIT\r\n", talking.conversation.farewell());
}

TEST(LmtpConversation, after_a_refusal_the_connection_is_cleaned) {
  Talking talking;
  for (const std::string_view octets : {greeting, offers}) talking.say(octets);
  EXPECT_EQ("RSET\r\n", talking.say("250 me\r\n550 no\r\n250 you\r\n"));
  EXPECT_TRUE(talking.is_busy());
  talking.say(fine);
  EXPECT_EQ(State::idle, talking.conversation.state());
  EXPECT_EQ(550, talking.conversation.take_result().of_each.at(0).code);
  Talking other;
  for (const std::string_view octets : {greeting, offers}) other.say(octets);
  other.say("250 me\r\n550 no\r\n250 you\r\n");
  other.conversation.fail({.kind = base::StreamFailure::Kind::timed_out});
  EXPECT_FALSE(other.conversation.take_result().trouble) << "trouble is the connection's alone";
}

// RFC 5321 4.5.3.2
TEST(LmtpConversation, each_reply_has_its_time_and_all_after_the_dot_have_theirs_together) {
  Talking talking;
  EXPECT_EQ(60s, talking.patience());
  talking.now += 10s;
  talking.conversation.receive("2", talking.now);
  EXPECT_EQ(50s, talking.patience()) << "octets that trickle win no time";
  talking.say("20 cluster\r\n");
  EXPECT_EQ(60s, talking.patience());
  talking.say(offers);
  talking.now += 10s;
  talking.say("250 me\r\n");
  EXPECT_EQ(60s, talking.patience());
  talking.say("250 you\r\n250 you\r\n");
  talking.conversation.receive(go_on, talking.now);
  talking.now += 10s;
  talking.conversation.sent(1, talking.now);
  EXPECT_EQ(60s, talking.patience()) << "progress of a write";
  talking.heard();
  EXPECT_EQ(600s, talking.patience());
  talking.now += 100s;
  talking.say("250 kept\r\n");
  EXPECT_EQ(500s, talking.patience());
}

TEST(LmtpConversation, a_message_is_read_as_it_is_sent) {
  Talking talking("Subject: large\n\n" + std::string(1'000'000, '.') + "\n", 1);
  for (const std::string_view octets : {greeting, offers}) talking.say(octets);
  talking.say("250 me\r\n250 you\r\n");
  talking.conversation.receive(go_on, talking.now);
  EXPECT_LE(talking.conversation.output().size(), 64UZ * 1024);
  std::size_t octets = talking.heard(1000).size();
  EXPECT_EQ(18 + 1'000'001 + 2 + 3, octets);
}

}  // namespace
}  // namespace postern::deliver
