// A conversation on a given clock: the pause after a wrong password, patience, and how it ends.
#include "tests/conversation_ear.hpp"

namespace postern::engine {
namespace {

using spec::Event;
using Kind = Want::Kind;

TEST_F(ConversationTest, a_wrong_password_is_answered_after_a_pause) {
  static_cast<void>(say(auth_plain));
  want_ = talk_.answer(want_.ticket, answer_of(CredentialsResult::rejected), now_, ear_);
  const std::string before = heard();
  EXPECT_EQ(want_.kind, Kind::pause);
  EXPECT_EQ(talk_.deadline(), now_ + seconds(spec::auth_failure_delay_seconds));
  EXPECT_EQ(last_event(), "credentials.rejected");
  EXPECT_TRUE(talk_.session().is_at_rest()) << "nothing is kept for it in the workspace";
  EXPECT_EQ(say("NOOP\r\n").consumed, 0U);
  EXPECT_EQ(wait(spec::auth_failure_delay_seconds - 1).kind, Kind::pause);
  EXPECT_EQ(heard(), before);
  EXPECT_EQ(wait(1).kind, Kind::octets);
  EXPECT_TRUE(heard().substr(before.size()).starts_with("535 ")) << heard();
  EXPECT_EQ(talk_.deadline(), now_ + seconds(100));
  EXPECT_EQ(say("NOOP\r\n").consumed, 6U);
  EXPECT_EQ(talk_.lost_replies(), 0U);
}

TEST_F(ConversationTest, a_reply_that_waits_is_lost_when_the_session_ends) {
  static_cast<void>(say(auth_plain));
  static_cast<void>(reply(Event::credentials_rejected));
  EXPECT_EQ(talk_.shut_down(ShutDown::when_idle, now_, ear_).kind, Kind::end);
  EXPECT_FALSE(heard().contains("535")) << heard();
  EXPECT_TRUE(heard().contains("421")) << heard();
  EXPECT_EQ(talk_.lost_replies(), 1U);
  talk_.end();
  EXPECT_EQ(talk_.lost_replies(), 1U);
}

TEST_F(ConversationTest, a_question_that_nobody_answers_in_time_is_answered_for) {
  static_cast<void>(say("HELO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"));
  ASSERT_EQ(want_.kind, Kind::answer);
  const Ticket ticket = want_.ticket;
  EXPECT_EQ(talk_.deadline(), now_ + seconds(60));
  EXPECT_EQ(wait(59).kind, Kind::answer);
  EXPECT_EQ(wait(1).kind, Kind::octets);
  EXPECT_EQ(last_event(), "recipient.unknowable");
  EXPECT_TRUE(heard().contains("\r\n451 ")) << heard();
  EXPECT_EQ(talk_.deadline(), now_ + seconds(100)) << "patience begins again";
  want_ = talk_.answer(ticket, {Event::recipient_ours, "b@example.org"}, now_, ear_);
  EXPECT_EQ(talk_.stray_reports(), 1U);
  static_cast<void>(say("DATA\r\n"));
  EXPECT_FALSE(heard().contains("354")) << heard();
}

TEST_F(ConversationTest, a_message_that_was_handed_over_is_waited_for) {
  begin_message();
  static_cast<void>(say(".\r\n"));
  ASSERT_EQ(want_.kind, Kind::answer);
  EXPECT_EQ(talk_.deadline(), never);
  EXPECT_EQ(wait(100'000).kind, Kind::answer);
}

TEST_F(ConversationTest, silence_is_a_timeout) {
  EXPECT_EQ(wait(99).kind, Kind::octets);
  EXPECT_EQ(wait(1).kind, Kind::end);
  EXPECT_EQ(last_event(), "timeout");
  LoneConversation other(service, {});
  static_cast<void>(other.happen(Event::connect_ready, now_, ear_));
  EXPECT_EQ(other.deadline(), never) << "the transport gives up";
}

TEST_F(ConversationTest, a_line_that_grows_without_end_is_too_slow_and_one_that_stops_is_silence) {
  static_cast<void>(say("NO"));
  EXPECT_EQ(want_.consumed, 0U);
  now_ = now_ + seconds(60);
  static_cast<void>(say("NOO"));
  EXPECT_EQ(talk_.deadline(), now_ + seconds(40)) << "that a line goes on is no progress";
  static_cast<void>(wait(40));
  EXPECT_EQ(last_event(), "too_slow");

  LoneConversation other(service, patience);
  static_cast<void>(other.happen(Event::connect_ready, now_, ear_));
  now_ = now_ + seconds(60);
  std::string begun = "NO";
  static_cast<void>(other.feed(begun, scratch_, now_, ear_));
  EXPECT_EQ(other.deadline(), now_ + seconds(100)) << "that one begins is";
  static_cast<void>(other.feed(begun, scratch_, now_, ear_));
  EXPECT_EQ(other.deadline(), now_ + seconds(100)) << "nothing more has come";
  static_cast<void>(other.time_passed(now_ + seconds(100), ear_));
  EXPECT_EQ(last_event(), "timeout");
}

TEST_F(ConversationTest, a_line_that_drips_and_ends_is_forgotten) {
  static_cast<void>(say("NO"));
  static_cast<void>(say("NOO"));
  now_ = now_ + seconds(99);
  static_cast<void>(say("NOOP\r\n"));
  EXPECT_EQ(talk_.deadline(), now_ + seconds(100));
  static_cast<void>(wait(100));
  EXPECT_EQ(last_event(), "timeout");
}

TEST_F(ConversationTest, mail_data_that_comes_too_slowly_ends_the_session) {
  begin_message();
  EXPECT_EQ(talk_.deadline(), now_ + seconds(30));
  static_cast<void>(say(std::string(300, 'x')));
  EXPECT_EQ(wait(30).kind, Kind::octets) << "ten octets a second are enough";
  EXPECT_EQ(talk_.deadline(), now_ + seconds(30));
  static_cast<void>(say(std::string(299, 'x')));
  EXPECT_EQ(wait(29).kind, Kind::octets);
  EXPECT_EQ(wait(1).kind, Kind::end);
  EXPECT_EQ(last_event(), "too_slow");
}

TEST_F(ConversationTest, a_time_in_which_nobody_listened_is_not_the_clients) {
  begin_message();
  now_ = now_ + seconds(1000);
  talk_.begin_patience(now_, seconds(1000));
  EXPECT_EQ(talk_.deadline(), now_ + seconds(30));
  EXPECT_EQ(wait(29).kind, Kind::octets);
  EXPECT_EQ(wait(1).kind, Kind::end);
}

TEST_F(ConversationTest, ends_with_the_server_when_nothing_is_in_hand) {
  begin_message();
  EXPECT_EQ(talk_.shut_down(ShutDown::when_idle, now_, ear_).kind, Kind::octets);
  EXPECT_EQ(say("x\r\n.\r\nNOOP\r\n").kind, Kind::answer);
  EXPECT_EQ(talk_.shut_down(ShutDown::at_once, now_, ear_).kind, Kind::answer);
  EXPECT_EQ(reply(Event::hand_over_accepted, "kept").kind, Kind::end);
  EXPECT_TRUE(heard().contains("250 ok kept\r\n421 ")) << heard();
  EXPECT_EQ(last_event(), "shutting_down");
}

TEST_F(ConversationTest, ends_with_the_server_at_once_where_nothing_waits_for_an_answer) {
  begin_message();
  EXPECT_EQ(talk_.shut_down(ShutDown::at_once, now_, ear_).kind, Kind::end);
  EXPECT_EQ(last_event(), "shutting_down");
  LoneConversation other(service, patience, Counters{});
  EXPECT_EQ(other.shut_down(ShutDown::at_once, now_, ear_).kind, Kind::tls) << "nobody could be told";
  EXPECT_EQ(other.happen(Event::handshake_done, now_, ear_).kind, Kind::end);
}

TEST_F(ConversationTest, says_so_when_memory_ends) {
  EXPECT_EQ(talk_.run_out(now_, ear_).kind, Kind::end);
  EXPECT_EQ(last_event(), "exhausted");
  const std::string reply = heard().substr(heard().find("421"));

  std::array<char, 4096> room{};
  Ear ear{room};
  LoneConversation asking(service, patience);
  static_cast<void>(asking.happen(Event::connect_ready, now_, ear));
  std::string lines = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n";
  const Want asked = asking.feed(lines, scratch_, now_, ear);
  EXPECT_EQ(asking.run_out(now_, ear).kind, Kind::end);
  EXPECT_TRUE(std::string(ear.replies()).ends_with("250 ok\r\n" + reply));
  EXPECT_EQ(asking.answer(asked.ticket, {Event::recipient_ours, "b@example.org"}, now_, ear).kind, Kind::end);
  EXPECT_EQ(asking.stray_reports(), 1U);

  ear.clear();
  LoneConversation sibling(service, patience, Counters{});
  EXPECT_EQ(sibling.run_out(now_, ear).kind, Kind::end);
  EXPECT_TRUE(ear.replies().empty()) << "a handshake hears nobody";
}

TEST_F(ConversationTest, counts_what_nobody_heard) {
  talk_.lose("250-mx\r\n250-SIZE\r\n250 STARTTLS\r\n250 ok\r\n");
  EXPECT_EQ(talk_.lost_replies(), 2U);
  talk_.lose("TLS\r\n");
  talk_.lose("");
  EXPECT_EQ(talk_.lost_replies(), 3U);
}

}  // namespace
}  // namespace postern::engine
