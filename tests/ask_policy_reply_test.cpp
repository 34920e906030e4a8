#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "ask/policy_conversation.hpp"
#include "ask/policy_fields.hpp"
#include "ask/policy_reply.hpp"
#include "spec/limits.hpp"

namespace postern::ask {
namespace {

using Kind = PolicyVerdict::Kind;
using State = base::ClientProtocol::State;
using Failure = base::StreamFailure::Kind;
using ReaderState = PolicyReplyReader::State;

ReaderState state_of(std::string_view octets) {
  PolicyReplyReader reader;
  reader.add(octets);
  return reader.state();
}

TEST(PolicyReply, an_answer_ends_with_an_empty_line_and_is_the_same_octet_by_octet) {
  const std::string answer = "action=DEFER_IF_PERMIT Greylisted, see http://x.example/=a\n\n";
  PolicyReplyReader whole, cut;
  whole.add(answer);
  for (const char octet : answer) {
    EXPECT_EQ(ReaderState::partial, cut.state());
    cut.add({&octet, 1});
  }
  for (const PolicyReplyReader* reader : {&whole, &cut}) {
    EXPECT_EQ(ReaderState::complete, reader->state());
    EXPECT_EQ("DEFER_IF_PERMIT Greylisted, see http://x.example/=a", reader->action());
    EXPECT_FALSE(reader->has_more());
  }
}

TEST(PolicyReply, what_is_no_answer_is_malformed) {
  using namespace std::string_literals;
  for (const std::string& octets :
       {"\n"s, "action\n\n"s, "=OK\n\n"s, "OK\n\n"s, "other=1\n\n"s, "action=OK\naction=OK\n\n"s, "action=O\0K\n\n"s,
        "action=OK\r\n\r\n"s, "\0"s, "action="s + std::string(spec::max_policy_reply_octets, 'x')})
    EXPECT_EQ(ReaderState::malformed, state_of(octets)) << octets;
  EXPECT_EQ(ReaderState::partial, state_of("action=OK\n"));
  EXPECT_EQ(ReaderState::complete, state_of("later=1\naction=OK\nmore=\n\n"));
}

TEST(PolicyReply, each_action_of_access_5) {
  const std::pair<std::string, Kind> actions[] = {{"OK", Kind::permit},
                                                  {"ok", Kind::permit},
                                                  {"PERMIT", Kind::permit},
                                                  {"dunno", Kind::indifferent},
                                                  {"  DUNNO", Kind::indifferent},
                                                  {"REJECT", Kind::refuse},
                                                  {"reject\tno", Kind::refuse},
                                                  {"550", Kind::refuse},
                                                  {"521 go away", Kind::refuse},
                                                  {"DEFER", Kind::defer},
                                                  {"421 later", Kind::defer},
                                                  {"DEFER_IF_PERMIT x", Kind::defer_if_permit},
                                                  {"DEFER_IF_REJECT x", Kind::defer_if_refuse},
                                                  {"PREPEND X: y", Kind::prepend},
                                                  {"WARN x", Kind::remark},
                                                  {"INFO x", Kind::remark},
                                                  {"DISCARD", Kind::another},
                                                  {"HOLD", Kind::another},
                                                  {"FILTER smtp:x", Kind::another},
                                                  {"REDIRECT a@b.example", Kind::another},
                                                  {"BCC a@b.example", Kind::another},
                                                  {"REJECTED", Kind::another},
                                                  {"250 ok", Kind::another},
                                                  {"5555", Kind::another},
                                                  {"55 x", Kind::another},
                                                  {"greylist", Kind::another},
                                                  {"", Kind::another}};
  for (const auto& [action, kind] : actions) EXPECT_EQ(kind, policy_verdict(action).kind) << action;
}

TEST(PolicyReply, words_keep_an_enhanced_code_of_the_right_class_or_get_ours) {
  const std::pair<std::string, std::string> words[] = {
      {"REJECT", "5.7.1 this recipient is refused"},
      {"REJECT no mail here", "5.7.1 no mail here"},
      {"REJECT 5.1.1 no such user", "5.1.1 no such user"},
      {"REJECT 5.1.1", "5.1.1 this recipient is refused"},
      {"REJECT 4.1.1 wrong class", "5.1.1 wrong class"},
      {"550 5.7.23 SPF fail", "5.7.23 SPF fail"},
      {"550 5.7.1234 no code", "5.7.1 5.7.1234 no code"},
      {"550 5.7 no code", "5.7.1 5.7 no code"},
      {"550 192.0.2.1 is listed", "5.7.1 192.0.2.1 is listed"},
      {"450", "4.7.1 this recipient is not taken now, try again later"},
      {"DEFER_IF_PERMIT 4.2.0 Greylisted", "4.2.0 Greylisted"},
      {"DEFER  two  blanks", "4.7.1 two  blanks"},
      {"DEFER one\r250 two\x7F \xC3\xA4", "4.7.1 one?250 two? ??"},
  };
  for (const auto& [action, wanted] : words) EXPECT_EQ(wanted, policy_verdict(action).words) << action;
  EXPECT_EQ(spec::max_verdict_octets, policy_verdict("REJECT " + std::string(3000, 'x')).words.size());
}

TEST(PolicyReply, a_header_field_is_one_line_or_none) {
  EXPECT_EQ("Received-SPF: Pass (x) y=z;\n", policy_verdict("PREPEND Received-SPF: Pass (x) y=z;").words);
  EXPECT_EQ("X: a?b c?\n", policy_verdict("PREPEND X: a\rb\tc\x01").words);
  for (const std::string& none : {std::string("PREPEND"), std::string("PREPEND no field"), std::string("PREPEND : x"),
                                  std::string("PREPEND a b: x"), std::string("PREPEND return-PATH: <a@b>"),
                                  "PREPEND X: " + std::string(1000, 'x')})
    EXPECT_EQ("", policy_verdict(none).words) << none;
}

class PolicyTalk : public ::testing::Test {
 protected:
  void begin() {
    conversation_.begin(request_, now_);
    EXPECT_EQ(State::busy, conversation_.state());
    EXPECT_EQ(request_, conversation_.output());
  }
  void ask() {
    begin();
    conversation_.sent(request_.size(), now_);
  }
  void hear(std::string_view octets) { conversation_.receive(octets, now_); }

  std::string request_ = "request=smtpd_access_policy\n\n";
  base::Time now_{};
  PolicyConversation conversation_{std::chrono::seconds(7)};
};

TEST_F(PolicyTalk, one_question_after_the_other) {
  for (const std::string action : {"OK", "DUNNO"}) {
    ask();
    hear("action=" + action);
    EXPECT_EQ(State::busy, conversation_.state());
    hear("\n\n");
    EXPECT_EQ(State::idle, conversation_.state());
    const PolicyAnswer answer = conversation_.take_answer();
    EXPECT_EQ(action, answer.action);
    EXPECT_EQ("", answer.trouble);
  }
}

TEST_F(PolicyTalk, an_answer_that_trickles_gets_no_more_time) {
  ask();
  const base::Time deadline = conversation_.deadline();
  EXPECT_EQ(now_ + std::chrono::seconds(7), deadline);
  now_ += std::chrono::seconds(6);
  hear("a");
  EXPECT_EQ(deadline, conversation_.deadline());
}

// Postfix: a service in trouble disconnects without a reply.
TEST_F(PolicyTalk, it_may_be_asked_again_only_while_nothing_was_answered) {
  ask();
  conversation_.fail({.kind = Failure::closed});
  EXPECT_TRUE(conversation_.may_repeat());
  const PolicyAnswer closed = conversation_.take_answer();
  EXPECT_EQ("connection closed", closed.trouble);
  EXPECT_FALSE(closed.has_begun);
  for (const std::string begun : {"a", "action=OK\n"}) {
    PolicyConversation other(std::chrono::seconds(7));
    other.begin(request_, now_);
    other.sent(request_.size(), now_);
    other.receive(begun, now_);
    other.fail({.kind = Failure::closed});
    EXPECT_FALSE(other.may_repeat()) << begun;
    const PolicyAnswer cut = other.take_answer();
    EXPECT_EQ("an answer without an end, connection closed", cut.trouble);
    EXPECT_TRUE(cut.has_begun);
  }
  PolicyConversation silent(std::chrono::seconds(7));
  silent.begin(request_, now_);
  silent.fail({.kind = Failure::timed_out});
  EXPECT_FALSE(silent.may_repeat());
  EXPECT_FALSE(silent.take_answer().has_begun);
}

TEST_F(PolicyTalk, an_answer_that_has_begun_is_no_silence_however_it_ends) {
  ask();
  hear("action=REJ");
  conversation_.fail({.kind = Failure::timed_out});
  const PolicyAnswer answer = conversation_.take_answer();
  EXPECT_EQ("an answer without an end, timed out", answer.trouble);
  EXPECT_TRUE(answer.has_begun);
}

TEST_F(PolicyTalk, an_answer_that_comes_too_early_is_none) {
  begin();
  conversation_.sent(5, now_);
  hear("action=OK\n\n");
  EXPECT_EQ(State::ended, conversation_.state());
  EXPECT_FALSE(conversation_.may_repeat());
  const PolicyAnswer answer = conversation_.take_answer();
  EXPECT_EQ("", answer.action);
  EXPECT_EQ("an answer before the question", answer.trouble);
  EXPECT_TRUE(answer.has_begun);
}

TEST_F(PolicyTalk, more_than_an_answer_ends_the_connection_and_changes_nothing) {
  ask();
  hear("action=REJECT no\n\naction=OK\n\n");
  EXPECT_EQ(State::ended, conversation_.state());
  EXPECT_FALSE(conversation_.may_repeat());
  EXPECT_EQ("REJECT no", conversation_.take_answer().action);
}

TEST_F(PolicyTalk, what_is_malformed_ends_the_connection) {
  ask();
  hear("250 ok\n");
  EXPECT_EQ(State::ended, conversation_.state());
  EXPECT_FALSE(conversation_.may_repeat());
  const PolicyAnswer answer = conversation_.take_answer();
  EXPECT_EQ("a malformed answer", answer.trouble);
  EXPECT_TRUE(answer.has_begun);
}

TEST(PolicyFields, are_those_of_one_transaction) {
  PolicyFields fields;
  const std::vector<std::string> first{"A: 1\n", "B: 2\n"}, second{"C: 3\n"};
  EXPECT_TRUE(fields.add(1, first));
  EXPECT_TRUE(fields.add(1, second));
  EXPECT_EQ("A: 1\nB: 2\nC: 3\n", fields.of(1));
  EXPECT_EQ("", fields.of(2));
  EXPECT_TRUE(fields.add(2, {}));
  EXPECT_EQ("", fields.of(1)) << "nor does it come back";
  EXPECT_FALSE(fields.add(3, std::vector<std::string>(spec::max_policy_headers + 1, "X: y\n")));
  EXPECT_EQ(spec::max_policy_headers * 5, fields.of(3).size());
}

}  // namespace
}  // namespace postern::ask
