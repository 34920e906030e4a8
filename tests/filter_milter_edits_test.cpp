// What a milter changes: every change, in order; half of them, wrong ones and too many change nothing.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "filter/milter_conversation.hpp"
#include "milter_talk.hpp"

namespace postern::filter {
namespace {

using namespace std::string_literals;
using Kind = Verdict::Kind;
using Strings = std::vector<std::string>;

const std::string go_on = milter_packet('c');

TEST(MilterEdits, every_change_at_the_end) {
  MilterTalk talk;
  const Verdict verdict = talk.verdict_at_end(
      milter_texts('h', {"X-Add", "one\n\ttwo"}) + milter_texts('i', {"X-Insert", "top"}, milter_number(0)) +
      milter_texts('m', {"Subject", "new"}, milter_number(1)) + milter_texts('m', {"X-Gone", ""}, milter_number(2)) +
      milter_texts('m', {"X-Null", "first"}, milter_number(0)) + milter_texts('+', {"<more@x.example>"}) +
      milter_texts('2', {"even@x.example", "NOTIFY=NEVER"}) + milter_texts('-', {"<you@x.example>"}) +
      milter_texts('e', {"<>"}) + milter_texts('q', {"looks odd"}) + milter_packet('b', "new\r") +
      milter_packet('b', "\nbody") + milter_packet('p') + milter_packet('b', ".\r\n") + go_on);
  EXPECT_EQ(Kind::accept, verdict.kind) << verdict.cause;
  const auto& header = verdict.edits.header;
  ASSERT_EQ(5U, header.size());
  using Edit = HeaderEdit::Kind;
  EXPECT_EQ(Edit::add, header[0].kind);
  EXPECT_EQ(" one\n\ttwo", header[0].value);
  EXPECT_EQ(Edit::insert, header[1].kind);
  EXPECT_EQ(0, header[1].index);
  EXPECT_EQ(Edit::change, header[2].kind);
  EXPECT_EQ(" new", header[2].value);
  EXPECT_EQ(1, header[2].index);
  EXPECT_EQ(Edit::remove, header[3].kind);
  EXPECT_EQ(2, header[3].index);
  EXPECT_EQ("", header[3].value);
  EXPECT_EQ(1, header[4].index) << "0 means the first, and not all of this name";
  EXPECT_EQ((Strings{"more@x.example", "even@x.example"}), verdict.edits.more_recipients);
  EXPECT_EQ((Strings{"you@x.example"}), verdict.edits.fewer_recipients);
  EXPECT_EQ("", verdict.edits.reverse_path);
  EXPECT_EQ("new\nbody.\n", verdict.edits.body);
  EXPECT_EQ("looks odd", verdict.quarantine);
}

TEST(MilterEdits, a_recipient_added_and_deleted_is_not_added) {
  const Verdict verdict =
      MilterTalk().verdict_at_end(milter_texts('+', {"<a@x.example>"}) + milter_texts('-', {"<a@x.example>"}) +
                                  milter_texts('-', {"<b@x.example>"}) + milter_texts('+', {"<b@x.example>"}) + go_on);
  EXPECT_EQ((Strings{"b@x.example"}), verdict.edits.more_recipients);
  EXPECT_EQ((Strings{"a@x.example", "b@x.example"}), verdict.edits.fewer_recipients);
}

TEST(MilterEdits, changes_count_with_accept_alone) {
  const std::string change = milter_texts('h', {"X", "y"}) + milter_texts('q', {"why"});
  EXPECT_EQ(1U, MilterTalk().verdict_at_end(change + milter_packet('a')).edits.header.size());
  for (const char letter : {'r', 't', 'd', '4'}) {
    const Verdict verdict = MilterTalk().verdict_at_end(change + milter_packet(letter));
    EXPECT_NE(Kind::accept, verdict.kind);
    EXPECT_TRUE(verdict.edits.are_none());
    EXPECT_FALSE(verdict.quarantine);
  }
}

TEST(MilterEdits, a_connection_that_ends_in_the_middle_of_changes_changes_nothing) {
  const std::string all =
      milter_texts('h', {"X", "y"}) + milter_packet('b', "one") + milter_packet('b', "two") + milter_packet('c');
  for (std::size_t octets = 0; octets < all.size(); ++octets) {
    const Verdict verdict = MilterTalk().verdict_at_end(all.substr(0, octets));
    ASSERT_EQ(Kind::failed, verdict.kind) << octets;
    EXPECT_TRUE(verdict.edits.are_none());
  }
  EXPECT_EQ(Kind::accept, MilterTalk().verdict_at_end(all).kind);
}

TEST(MilterEdits, a_change_that_is_none_fails_all) {
  const Strings wrong{
      milter_packet('h', "X\0y"s),  // no NUL
      milter_packet('h', "X"),
      milter_packet('h', "X\0y\0z"s),
      milter_texts('h', {"", "y"}),
      milter_texts('h', {"X Y", "z"}),
      milter_texts('h', {"X:Y", "z"}),
      milter_texts('h', {"X", "a\nBcc: everyone"}),  // another field
      milter_texts('h', {"X", "a\n"}),
      milter_texts('h', {"X", "a\n\n body"}),  // the end of the header
      milter_texts('h', {"X", "a\rb"}),
      milter_texts('i', {"X", "y"}, "\0\0"s),
      milter_texts('i', {"X", "y"}, milter_number(0x8000'0000)),
      milter_texts('m', {"X", "y"}, milter_number(0xFFFF'FFFF)),
      milter_packet('m', milter_number(1)),
      milter_texts('+', {""}),
      milter_texts('+', {"<>"}),
      milter_texts('+', {"<a@x.example>", "<b@x.example>"}),
      milter_packet('+', "<a@x.example>"),
      milter_texts('+', {"<a@x.example> SIZE=1>"}),
      milter_texts('+', {"<a@x\r\nDATA>"}),
      milter_texts('+', {"<" + std::string(1000, 'a') + "@x.example>"}),
      milter_texts('-', {"<a@x\x01.example>"}),
      milter_texts('e', {"<a@x.example\xC3\xA4>"}),
      milter_packet('e', "<a@x.example>\0x"s),
      milter_texts('e', {"<a@x.example>", "SIZE=1", "BODY=8BITMIME"}),
      milter_packet('q', "why\0not\0"s),
      milter_packet('b', "a\0b"s),
      milter_packet('b', "a\rb"),
      milter_packet('b', "a") + milter_texts('h', {"X", "y"}) + milter_packet('b', "b"),
      milter_packet('b', std::string(2'000'000, 'x')),
      milter_packet('l', milter_number(0) + "i\0"s),
  };
  for (const std::string& packets : wrong) {
    const Verdict verdict = MilterTalk().verdict_at_end(packets + go_on);
    EXPECT_EQ(Kind::failed, verdict.kind) << testing::PrintToString(packets.substr(0, 80));
    EXPECT_TRUE(verdict.edits.are_none());
    EXPECT_TRUE(verdict.cause.ends_with(", at end of message")) << verdict.cause;
  }
}

TEST(MilterEdits, a_change_that_was_not_agreed_fails_all) {
  struct Change {
    std::string packet;
    std::uint32_t action;
  };
  for (const Change& change : {Change{milter_texts('h', {"X", "y"}), milter_action::add_header},
                               Change{milter_texts('i', {"X", "y"}, milter_number(0)), milter_action::add_header},
                               Change{milter_texts('m', {"X", "y"}, milter_number(1)), milter_action::change_header},
                               Change{milter_packet('b', "x"), milter_action::replace_body},
                               Change{milter_texts('+', {"a@x.example"}), milter_action::add_recipient},
                               Change{milter_texts('2', {"a@x.example"}), milter_action::add_recipient_with_parameters},
                               Change{milter_texts('-', {"a@x.example"}), milter_action::delete_recipient},
                               Change{milter_texts('e', {"a@x.example"}), milter_action::change_sender},
                               Change{milter_texts('q', {"why"}), milter_action::quarantine}}) {
    EXPECT_EQ(Kind::accept, MilterTalk().verdict_at_end(change.packet + go_on, milter_terms(change.action)).kind);
    const std::uint32_t others = milter_action::all & ~change.action;
    EXPECT_EQ(Kind::failed, MilterTalk().verdict_at_end(change.packet + go_on, milter_terms(others)).kind)
        << change.packet[4];
  }
}

TEST(MilterEdits, too_many_changes_fail) {
  std::string fields;
  for (int i = 0; i < 17; ++i) fields += milter_texts('h', {"X", std::string(65'000, 'x')});
  EXPECT_EQ(Kind::failed, MilterTalk().verdict_at_end(fields + go_on).kind);
  std::string recipients;
  for (int i = 0; i < 1001; ++i) recipients += milter_texts('+', {std::to_string(i) + "@x.example"});
  EXPECT_EQ(Kind::failed, MilterTalk().verdict_at_end(recipients + go_on).kind);
}

TEST(MilterEdits, a_new_body_may_be_empty_and_large) {
  EXPECT_EQ("", MilterTalk().verdict_at_end(milter_packet('b') + go_on).edits.body);
  EXPECT_EQ(1'000'001U,
            MilterTalk().verdict_at_end(milter_packet('b', std::string(1'000'000, 'x')) + go_on).edits.body->size())
      << "in one packet, as rspamd sends it; with a LF at its end";
}

}  // namespace
}  // namespace postern::filter
