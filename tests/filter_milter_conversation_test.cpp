// A milter's side is played: each stage, each verdict, each change, faults at every place, with a given clock.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "filter/milter_conversation.hpp"
#include "milter_talk.hpp"

namespace postern::filter {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Kind = Verdict::Kind;
using Strings = std::vector<std::string>;
namespace protocol = milter_protocol;

const std::string go_on = milter_packet('c');

// All that need not be said, and all that is not answered.
constexpr std::uint32_t all_no = 0x37F, all_silent = 0xF'F080;

Strings without_macros(Strings commands) {
  std::erase_if(commands, [](const std::string& command) { return command[0] == 'D'; });
  return commands;
}

TEST(MilterConversation, says_one_thing_after_the_other) {
  MilterTalk talk;
  EXPECT_EQ(
      (Strings{
          "O |||\x06||\x01\xFF|\x1F\xF7\xFF",
          "D Cj|mx.example.org|_|unknown [192.0.2.7]|{daemon_name}|mx.example.org|v|postern|{client_addr}|192.0.2.7|"
          "{client_name}|unknown|{client_port}|258|{client_ptr}|unknown",
          "C [192.0.2.7]|4\x01\x02"
          "192.0.2.7|",
          "H client.example",
          "D Mi|17.42|{mail_addr}|me@client.example",
          "M <me@client.example>|SIZE=10|BODY=8BITMIME",
          "D Ri|17.42|{rcpt_addr}|you@x.example",
          "R <you@x.example>",
          "D Ri|17.42|{rcpt_addr}|too@x.example",
          "R <too@x.example>",
          "D Ti|17.42",
          "T",
          "L From|a",
          "L Subject|b",
          "D Ni|17.42",
          "N",
          "B hello\r\n",
          "D Ei|17.42",
          "E",
      }),
      talk.say_until_end(milter_terms()));
  EXPECT_TRUE(talk.is_busy());
  EXPECT_EQ((Strings{}), talk.say(go_on));
  EXPECT_EQ(Kind::accept, talk.conversation.take_verdict().kind);
  EXPECT_EQ("\0\0\0\1Q"s, talk.conversation.farewell());
  EXPECT_FALSE(talk.conversation.may_repeat());
}

TEST(MilterConversation, an_ipv6_client_and_one_with_a_name) {
  MilterTalk talk;
  talk.message.client.address = "2001:db8::7";
  talk.message.client.name = "mail.example.net";
  const Strings commands = talk.say_until_end(milter_terms());
  EXPECT_EQ(1, std::ranges::count(commands,
                                  "C mail.example.net|6\x01\x02"
                                  "2001:db8::7|"));
  MilterTalk unknown;
  unknown.message.client = {};
  EXPECT_EQ(1, std::ranges::count(unknown.say_until_end(milter_terms()), "C []|U")) << "and no HELO";
}

// rspamd asks for it: a server that waits for an answer waits for ever.
TEST(MilterConversation, waits_for_no_answer_that_will_not_come) {
  MilterTalk talk;
  talk.begin();
  talk.heard();
  const Strings commands = without_macros(talk.say(milter_terms(milter_action::all, all_silent)));
  EXPECT_EQ((Strings{"C [192.0.2.7]|4\x01\x02"
                     "192.0.2.7|",
                     "H client.example", "M <me@client.example>|SIZE=10|BODY=8BITMIME", "R <you@x.example>",
                     "R <too@x.example>", "T", "L From|a", "L Subject|b", "N", "B hello\r\n", "E"}),
            commands);
  talk.say(go_on);
  EXPECT_EQ(Kind::accept, talk.conversation.take_verdict().kind);
}

TEST(MilterConversation, says_only_what_the_filter_wants) {
  MilterTalk talk;
  EXPECT_EQ((Strings{"O |||\x06||\x01\xFF|\x1F\xF7\xFF", "E"}),
            without_macros(talk.say_until_end(milter_terms(0, all_no))));
  struct Bit {
    std::uint32_t bit;
    char letter;
  };
  for (const Bit each : {Bit{protocol::no_connect, 'C'}, Bit{protocol::no_helo, 'H'}, Bit{protocol::no_mail, 'M'},
                         Bit{protocol::no_rcpt, 'R'}, Bit{protocol::no_data, 'T'}, Bit{protocol::no_header, 'L'},
                         Bit{protocol::no_end_of_header, 'N'}, Bit{protocol::no_body, 'B'}}) {
    MilterTalk other;
    const Strings commands = other.say_until_end(milter_terms(0, each.bit));
    EXPECT_EQ(0, std::ranges::count_if(commands, [each](const auto& c) { return c[0] == each.letter; })) << each.letter;
    EXPECT_LE(15U, commands.size());
  }
  MilterTalk old;
  const Strings commands = without_macros(old.say_until_end(milter_terms(0, 0, 2)));
  EXPECT_EQ(0, std::ranges::count(commands, "T")) << "version 2 knows no DATA";
}

TEST(MilterConversation, the_space_after_the_colon_is_the_filters_choice) {
  const std::string_view mail = "A: one\nB:  two\nC:three\nD:\n E\nF: \n\n";
  MilterTalk eaten(mail), kept(mail);
  const auto fields = [](const Strings& commands) {
    Strings found;
    std::ranges::copy_if(commands, std::back_inserter(found), [](const auto& command) { return command[0] == 'L'; });
    return found;
  };
  EXPECT_EQ((Strings{"L A|one", "L B| two", "L C|three", "L D|\n E", "L F"}),
            fields(eaten.say_until_end(milter_terms())));
  EXPECT_EQ((Strings{"L A| one", "L B|  two", "L C|three", "L D|\n E", "L F| "}),
            fields(kept.say_until_end(milter_terms(milter_action::all, protocol::leading_space))));
  const std::string add = milter_texts('h', {"X", "one"});
  EXPECT_EQ(" one", MilterTalk().verdict_at_end(add + go_on).edits.header.at(0).value);
  EXPECT_EQ("one", MilterTalk()
                       .verdict_at_end(add + go_on, milter_terms(milter_action::all, protocol::leading_space))
                       .edits.header.at(0)
                       .value);
}

// libmilter ends the connection when a packet of the body is empty.
TEST(MilterConversation, an_empty_body_is_no_chunk) {
  MilterTalk talk("A: b\n\n");
  const Strings commands = without_macros(talk.say_until_end(milter_terms()));
  EXPECT_EQ("N", commands.at(commands.size() - 2));
}

TEST(MilterConversation, a_filter_that_skips_hears_no_more_of_the_body) {
  std::string mail = "A: b\n\n";
  for (int i = 0; i < 3000; ++i) mail += std::string(99, 'x') + "\n";
  MilterTalk talk(mail);
  talk.begin();
  talk.heard();
  std::string said = talk.say(milter_terms()).back();
  while (said[0] != 'B') said = talk.say(go_on).back();
  EXPECT_EQ(65'535U + 2, said.size());
  said = talk.say(go_on).back();
  EXPECT_EQ('B', said[0]);
  said = talk.say(milter_packet('s')).back();
  EXPECT_EQ("E", said);
}

TEST(MilterConversation, macros_are_those_that_the_filter_chose) {
  MilterTalk talk;
  const Strings commands =
      talk.say_until_end(milter_terms(0, 0, 6, milter_number(0) + "\0"s + milter_number(3) + "{rcpt_addr}\0"s));
  EXPECT_EQ(1, std::ranges::count(commands, "D R{rcpt_addr}|you@x.example"));
  EXPECT_EQ(0, std::ranges::count_if(commands, [](const auto& c) { return c.starts_with("D C"); }));
  EXPECT_EQ(1, std::ranges::count(commands, "D Ti|17.42")) << "not chosen: as always";
}

// Until the stage with this letter has been said.
bool say_until(MilterTalk& talk, char letter) {
  talk.begin();
  Strings commands = talk.heard();
  if (letter == 'O') return true;
  commands = talk.say(milter_terms());
  for (int turns = 0; turns < 100 && talk.is_busy() && commands.back()[0] != letter; ++turns)
    commands = talk.say(go_on);
  return talk.is_busy() && commands.back()[0] == letter;
}

struct Answer {
  std::string packet;
  Kind kind;
};

// A milter may answer so from MAIL on.
const std::vector<Answer> verdicts{{milter_packet('a'), Kind::accept},
                                   {milter_packet('r'), Kind::refuse},
                                   {milter_packet('t'), Kind::defer},
                                   {milter_packet('d'), Kind::discard},
                                   {milter_packet('4'), Kind::defer},
                                   {milter_packet('f'), Kind::failed},
                                   {milter_texts('y', {"550 5.7.1 no"}), Kind::refuse},
                                   {milter_texts('y', {"421 4.7.1 no"}), Kind::defer},
                                   {milter_texts('y', {"250 2.0.0 fine"}), Kind::failed},
                                   {milter_packet('a', "x"), Kind::failed},
                                   {milter_packet('c', "x"), Kind::failed},
                                   {milter_packet('p', "x"), Kind::failed},
                                   {milter_packet('Z'), Kind::failed},
                                   {milter_packet('l'), Kind::failed},
                                   {milter_terms(), Kind::failed}};

TEST(MilterConversation, each_answer_at_each_stage) {
  for (const char stage : {'C', 'H', 'M', 'R', 'T', 'L', 'N', 'B', 'E'})
    for (const Answer& answer : verdicts) {
      MilterTalk talk;
      ASSERT_TRUE(say_until(talk, stage)) << stage;
      EXPECT_EQ((Strings{}), talk.say(answer.packet));
      const bool is_early_discard = answer.kind == Kind::discard && (stage == 'C' || stage == 'H');
      const Verdict verdict = talk.conversation.take_verdict();
      EXPECT_FALSE(talk.is_busy()) << stage << answer.packet[4];
      EXPECT_EQ(is_early_discard ? Kind::failed : answer.kind, verdict.kind) << stage << answer.packet[4];
      EXPECT_EQ(MilterTalk::State::ended, talk.conversation.state());
    }
}

TEST(MilterConversation, the_words_of_a_refusal_and_its_cause) {
  MilterTalk talk;
  ASSERT_TRUE(say_until(talk, 'R'));
  talk.say(milter_texts('y', {"550 5.1.1 nobody"}));
  const Verdict verdict = talk.conversation.take_verdict();
  EXPECT_EQ("5.1.1 nobody", verdict.words);
  EXPECT_EQ("reply 550, at RCPT", verdict.cause);
}

TEST(MilterConversation, what_belongs_to_another_stage_is_no_answer) {
  const Strings changes{milter_texts('h', {"X", "y"}), milter_texts('+', {"<a@x.example>"}), milter_texts('q', {"why"}),
                        milter_packet('b', "x")};
  for (const char stage : {'C', 'H', 'M', 'R', 'T', 'L', 'N', 'B'})
    for (const std::string& change : changes) {
      MilterTalk talk;
      ASSERT_TRUE(say_until(talk, stage));
      talk.say(change);
      EXPECT_EQ(Kind::failed, talk.conversation.take_verdict().kind) << stage << change[4];
    }
  for (const char stage : {'C', 'H', 'M', 'R', 'T', 'L', 'N'}) {
    MilterTalk talk;
    ASSERT_TRUE(say_until(talk, stage));
    talk.say(milter_packet('s'));
    EXPECT_EQ(Kind::failed, talk.conversation.take_verdict().kind) << "skip, at " << stage;
  }
  for (const std::string& first : {milter_packet('c'), milter_packet('a'), milter_packet('r'),
                                   std::string("220 mx ESMTP\r\n"), milter_packet('O'), milter_terms(0x200)}) {
    MilterTalk talk;
    talk.begin();
    talk.heard();
    talk.say(first);
    if (talk.is_busy()) talk.conversation.fail({.kind = base::StreamFailure::Kind::closed});
    EXPECT_EQ(Kind::failed, talk.conversation.take_verdict().kind) << testing::PrintToString(first);
    EXPECT_EQ("", talk.conversation.farewell());
  }
}

// One answer ahead, a filter would answer for a command that it has not heard.
TEST(MilterConversation, an_answer_before_its_command_is_none) {
  for (const std::string& answers : {go_on + go_on, go_on + milter_packet('a'), milter_packet('p') + go_on + go_on}) {
    MilterTalk talk;
    ASSERT_TRUE(say_until(talk, 'M'));
    talk.say(answers);
    EXPECT_EQ(Kind::failed, talk.conversation.take_verdict().kind);
  }
  MilterTalk half;
  half.begin();
  half.heard();
  half.conversation.receive(milter_terms(), half.now);
  half.conversation.sent(3, half.now);
  half.conversation.receive(go_on, half.now);
  EXPECT_EQ(Kind::failed, half.conversation.take_verdict().kind) << "only half of the command was sent";
  MilterTalk silent;
  silent.begin();
  silent.heard();
  silent.conversation.receive(milter_terms(0, all_silent), silent.now);
  silent.conversation.receive(milter_packet('r'), silent.now);
  EXPECT_EQ(Kind::failed, silent.conversation.take_verdict().kind) << "it said that it does not answer";
  MilterTalk octet;
  ASSERT_TRUE(say_until(octet, 'M'));
  octet.conversation.receive(go_on + "\0"s, octet.now);
  EXPECT_EQ(Kind::failed, octet.conversation.take_verdict().kind) << "the first octet of an answer to RCPT";
}

TEST(MilterConversation, an_acceptance_that_something_follows_is_none) {
  for (const char stage : {'M', 'B', 'E'})
    for (const std::string& more : {milter_packet('r'), go_on, "\0"s}) {
      MilterTalk talk;
      ASSERT_TRUE(say_until(talk, stage));
      talk.say(milter_packet('a') + more);
      EXPECT_EQ(Kind::failed, talk.conversation.take_verdict().kind) << stage;
    }
  EXPECT_EQ(Kind::failed, MilterTalk().verdict_at_end(go_on + milter_packet('r')).kind);
}

TEST(MilterConversation, waits_no_longer_than_it_should) {
  MilterTalk talk;
  ASSERT_TRUE(say_until(talk, 'M'));
  EXPECT_EQ(30s, talk.patience());
  talk.now += 20s;
  talk.conversation.receive("\0\0"s, talk.now);
  EXPECT_EQ(10s, talk.patience()) << "half a packet is no answer";
  talk.conversation.receive("\0\1p"s, talk.now);
  EXPECT_EQ(30s, talk.patience()) << "progress";
  while (talk.is_busy() && talk.patience() == 30s) talk.say(go_on);
  EXPECT_EQ(300s, talk.patience()) << "content";
  talk.conversation.fail({.kind = base::StreamFailure::Kind::timed_out});
  EXPECT_EQ("timed out, at header", talk.conversation.take_verdict().cause);
}

TEST(MilterConversation, a_failure_at_each_stage) {
  for (const char stage : {'O', 'C', 'H', 'M', 'R', 'T', 'L', 'N', 'B', 'E'}) {
    MilterTalk talk;
    ASSERT_TRUE(say_until(talk, stage)) << stage;
    talk.conversation.fail({.kind = base::StreamFailure::Kind::closed, .error = ECONNRESET});
    const Verdict verdict = talk.conversation.take_verdict();
    EXPECT_EQ(Kind::failed, verdict.kind);
    EXPECT_TRUE(verdict.cause.starts_with("connection closed, ECONNRESET, at ")) << verdict.cause;
    EXPECT_TRUE(verdict.is_silent);
  }
}

TEST(MilterConversation, silence_is_told_from_half_an_answer) {
  const auto told_after = [](const std::string& octets) {
    MilterTalk talk;
    EXPECT_TRUE(say_until(talk, 'E'));
    talk.say(octets);
    talk.conversation.fail({.kind = base::StreamFailure::Kind::timed_out});
    return talk.conversation.take_verdict();
  };
  EXPECT_TRUE(told_after("").is_silent);
  EXPECT_TRUE(told_after(milter_packet('p')).is_silent) << "it has said nothing of the message yet";
  for (const std::string& octets :
       {"\0"s, milter_texts('h', {"X", "y"}), milter_packet('r').substr(0, 4), milter_packet('Z')})
    EXPECT_FALSE(told_after(octets).is_silent) << testing::PrintToString(octets);
}

TEST(MilterConversation, a_field_that_fits_in_no_packet_refuses_the_message) {
  MilterTalk talk("A: " + std::string(70'000, 'x') + "\n\nbody\n");
  talk.say_until_end(milter_terms(milter_action::all, protocol::no_header));
  EXPECT_EQ(Kind::refuse, talk.conversation.take_verdict().kind);
}

TEST(MilterConversation, octet_by_octet_it_is_the_same) {
  MilterTalk whole, cut;
  whole.begin();
  cut.begin();
  const std::string change = milter_texts('h', {"X", "y"}) + milter_packet('b', "one\r\n") + go_on;
  for (int turn = 0; turn < 20; ++turn) {
    EXPECT_EQ(whole.octets(), cut.octets(1));
    const std::string answer = turn == 0 ? milter_terms() : turn == 11 ? change : go_on;
    whole.conversation.receive(answer, whole.now);
    for (const char octet : answer) cut.conversation.receive({&octet, 1}, cut.now);
  }
  const Verdict one = whole.conversation.take_verdict(), other = cut.conversation.take_verdict();
  EXPECT_EQ(Kind::accept, one.kind) << one.cause;
  EXPECT_EQ(Kind::accept, other.kind) << other.cause;
  EXPECT_EQ(one.edits.body, other.edits.body);
  EXPECT_EQ(one.edits.header.size(), other.edits.header.size());
}

TEST(MilterConversation, a_probe_agrees_and_leaves) {
  MilterTalk talk;
  talk.conversation.begin_probe(talk.now);
  EXPECT_EQ(1U, talk.heard().size());
  EXPECT_EQ((Strings{}), talk.say(milter_terms()));
  const Verdict verdict = talk.conversation.take_verdict();
  EXPECT_EQ(Kind::accept, verdict.kind);
  EXPECT_EQ("version 6", verdict.cause);
  EXPECT_EQ("\0\0\0\1Q"s, talk.conversation.farewell());
}

}  // namespace
}  // namespace postern::filter
