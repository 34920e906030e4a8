// What engine/conversation.hpp promises: each Want, tickets, secrets, room, and every cut.
#include "engine/trace.hpp"
#include "tests/conversation_ear.hpp"

namespace postern::engine {
namespace {

using spec::Event;
using Kind = Want::Kind;
namespace bit = spec::bit;

TEST_F(ConversationTest, wants_an_opening_then_octets_then_its_end) {
  LoneConversation other(service, patience);
  EXPECT_EQ(other.want().kind, Kind::opening);
  EXPECT_EQ(want_.kind, Kind::octets);
  EXPECT_EQ(talk_.deadline(), now_ + seconds(100));
  EXPECT_TRUE(heard().starts_with("220 mx.example.org"));
  EXPECT_EQ(say("NOOP\r\nQUIT\r\nNOOP\r\n").kind, Kind::end);
  EXPECT_EQ(want_.consumed, 12U) << "what comes after QUIT is read by nobody";
  EXPECT_TRUE(talk_.has_ended_by_quit());
  EXPECT_EQ(ear_.drops, 1);
}

TEST_F(ConversationTest, asks_and_reads_nothing_until_it_is_answered) {
  const std::string_view lines = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n";
  EXPECT_EQ(say(lines).kind, Kind::answer);
  EXPECT_EQ(want_.question, Question::recipient);
  EXPECT_EQ(want_.consumed, lines.size() - 6);
  EXPECT_EQ(talk_.deadline(), now_ + seconds(60));
  EXPECT_EQ(talk_.session().mailbox(), "b@example.org");
  const Ticket ticket = want_.ticket;
  EXPECT_EQ(say("DATA\r\n").consumed, 0U);
  EXPECT_EQ(want_.ticket, ticket);
  now_ = now_ + seconds(7);
  EXPECT_EQ(reply(Event::recipient_ours, "b@example.org").kind, Kind::octets);
  EXPECT_EQ(ear_.waited, seconds(7));
  EXPECT_EQ(say("DATA\r\n").consumed, 6U);
  EXPECT_EQ(ear_.waited, Interval{}) << "nothing was asked";
}

TEST_F(ConversationTest, each_question_has_its_own_ticket) {
  static_cast<void>(say("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"));
  const Ticket first = want_.ticket;
  static_cast<void>(reply(Event::recipient_ours, "b@example.org"));
  static_cast<void>(say("RCPT TO:<c@example.org>\r\n"));
  EXPECT_GT(want_.ticket, first);
  static_cast<void>(reply(Event::recipient_ours, "c@example.org"));
  static_cast<void>(say("DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"));
  EXPECT_EQ(want_.question, Question::hand_over);
  EXPECT_EQ(ear_.message, "Subject: x\n\nx\n");
  const Answer answer = answer_of(HandOverResult::deferred, "not now (#4.3.0)");
  want_ = talk_.answer(want_.ticket, answer, now_, ear_);
  EXPECT_TRUE(heard().ends_with("451 not now (#4.3.0)\r\n")) << heard();
  static_cast<void>(say(auth_plain));
  EXPECT_EQ(want_.question, Question::credentials);
}

TEST_F(ConversationTest, drops_and_counts_an_answer_whose_ticket_is_old) {
  static_cast<void>(say("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"));
  const Ticket old = want_.ticket;
  const Answer yes{Event::recipient_ours, "late@example.org"};
  static_cast<void>(reply(Event::recipient_foreign));
  std::uint32_t stray = 0;
  const auto changes_nothing = [&](Kind kind) {
    const std::size_t events = ear_.events.size();
    const spec::Guards before = talk_.session().guards();
    EXPECT_EQ(talk_.answer(old, yes, now_, ear_).kind, kind);
    EXPECT_EQ(ear_.events.size(), events);
    EXPECT_EQ(talk_.session().guards(), before);
    EXPECT_EQ(talk_.stray_reports(), ++stray);
  };
  changes_nothing(Kind::octets);  // answered already
  static_cast<void>(say("RCPT TO:<c@example.org>\r\n"));
  changes_nothing(Kind::answer);  // another one is open
  static_cast<void>(reply(Event::recipient_ours, "c@example.org"));
  static_cast<void>(say("RSET\r\n"));
  changes_nothing(Kind::octets);
  static_cast<void>(happen(Event::timeout));
  changes_nothing(Kind::end);
  EXPECT_EQ(talk_.session().envelope().recipients(), 0U);
}

TEST_F(ConversationTest, an_answer_to_another_question_and_an_event_while_one_is_open_change_nothing) {
  static_cast<void>(say("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"));
  const Want asked = want_;
  std::uint32_t stray = 0;
  for (const Event event : {Event::credentials_accepted, Event::hand_over_accepted, Event::timeout}) {
    EXPECT_EQ(talk_.answer(asked.ticket, {event}, now_, ear_).ticket, asked.ticket);
    EXPECT_EQ(talk_.stray_reports(), ++stray);
  }
  for (const Event event : {Event::eof, Event::shutting_down, Event::recipient_ours, Event::handshake_done}) {
    EXPECT_EQ(talk_.happen(event, now_, ear_).kind, Kind::answer);
    EXPECT_EQ(talk_.stray_reports(), ++stray);
  }
  EXPECT_EQ(talk_.time_passed(now_ + seconds(59), ear_).kind, Kind::answer) << "it has a limit of its own";
  EXPECT_EQ(reply(Event::recipient_ours, "b@example.org").kind, Kind::octets);
}

// deviation D7
TEST_F(ConversationTest, wants_tls_and_reads_nothing_sent_in_clear) {
  EXPECT_EQ(say("STARTTLS\r\nNOOP\r\n").kind, Kind::tls);
  EXPECT_EQ(want_.consumed, 16U) << "RFC 3207 4.2";
  EXPECT_TRUE(heard().ends_with("220 ready for tls\r\n")) << heard();
  EXPECT_EQ(talk_.deadline(), now_ + seconds(100));
  EXPECT_EQ(say("NOOP\r\n").consumed, 0U);
  EXPECT_EQ(happen(Event::handshake_done).kind, Kind::octets);
  EXPECT_TRUE(trace_of(talk_.session()).has_tls);
  LoneConversation sibling(service, patience, Counters{.errors = 3});
  EXPECT_EQ(sibling.want().kind, Kind::tls);
  EXPECT_EQ(sibling.happen(Event::handshake_done, now_, ear_).kind, Kind::octets);
  EXPECT_EQ(sibling.session().counters().errors, 3U);
}

// deviation D24
// RFC 4954 9; docs/operating.md
TEST_F(ConversationTest, what_held_credentials_is_overwritten) {
  static_cast<void>(say(auth_plain));
  EXPECT_EQ(input_, std::string(auth_plain.size(), '\0'));
  static_cast<void>(reply(Event::credentials_broken));
  static_cast<void>(say("AUTH LOGIN\r\ndGlt\r\ndGFuc3RhYWY=\r\nNOOP\r\n"));
  EXPECT_EQ(want_.question, Question::credentials);
  EXPECT_EQ(input_, std::string(want_.consumed, '\0') + "NOOP\r\n");
}

TEST_F(ConversationTest, wants_room_where_no_reply_fits_and_does_nothing) {
  std::array<char, ReplyWriter::most_octets + 5> little{};
  Ear ear{little};
  std::string lines = "NOOP\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nAUTH\r\n";
  std::string_view rest = lines;
  std::vector<std::string> said;
  const auto feed = [&] {
    std::string unread(rest);
    const Want want = talk_.feed(unread, scratch_, now_, ear);
    rest.remove_prefix(want.consumed);
    said.emplace_back(ear.replies());
    return want;
  };
  EXPECT_EQ(feed().kind, Kind::room);
  EXPECT_EQ(feed().consumed, 0U);
  EXPECT_EQ(talk_.happen(Event::timeout, now_, ear).kind, Kind::room);
  EXPECT_EQ(talk_.time_passed(now_ + seconds(1000), ear).kind, Kind::room);
  ear.clear();
  EXPECT_EQ(feed().kind, Kind::room);
  ear.clear();
  const Want asked = feed();
  EXPECT_EQ(asked.kind, Kind::answer);
  ear.append("250 something that is not sent yet\r\n");
  const Answer answer{Event::recipient_ours, "b@example.org"};
  EXPECT_EQ(talk_.answer(asked.ticket, answer, now_, ear).kind, Kind::room);
  ear.clear();
  EXPECT_EQ(talk_.answer(asked.ticket, answer, now_, ear).kind, Kind::octets);
  EXPECT_EQ(ear.replies(), "250 ok\r\n");
  EXPECT_EQ(talk_.stray_reports(), 0U);
  EXPECT_EQ(said, (std::vector<std::string>{"250 ok\r\n", "250 ok\r\n", "250 ok\r\n", ""}));
}

// The answer and the end do not fit together; the same call again says the end, and is not a stray one.
TEST_F(ConversationTest, says_an_end_that_had_no_room_when_it_is_called_again) {
  static_cast<void>(say("HELO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"));
  const Want asked = want_;
  static_cast<void>(talk_.shut_down(ShutDown::when_idle, now_, ear_));
  std::array<char, ReplyWriter::most_octets> room_for_one{};
  Ear ear(room_for_one);
  const Answer answer{Event::recipient_ours, "b@example.org"};
  EXPECT_EQ(talk_.answer(asked.ticket, answer, now_, ear).kind, Kind::room);
  EXPECT_EQ(ear.replies(), "250 ok\r\n");
  ear.clear();
  EXPECT_EQ(talk_.answer(asked.ticket, answer, now_, ear).kind, Kind::end);
  EXPECT_TRUE(ear.replies().starts_with("421 ")) << ear.replies();
  EXPECT_EQ(talk_.stray_reports(), 0U);
}

TEST_F(ConversationTest, may_be_lent_another_workspace_at_rest) {
  Workspace one{}, other{};
  Conversation lent(service, one, patience);
  static_cast<void>(lent.happen(Event::connect_ready, now_, ear_));
  lent.use(other);
  ear_.clear();
  std::string line = "NOOP\r\n";
  EXPECT_EQ(lent.feed(line, scratch_, now_, ear_).kind, Kind::octets);
  EXPECT_EQ(heard(), "250 ok\r\n");
  EXPECT_LE(sizeof(Conversation), sizeof(Session) + 112);
}

TEST_F(ConversationTest, knows_what_a_trace_field_says_of_the_session) {
  EXPECT_EQ(trace_of(talk_.session()).greeting, SessionTrace::Greeting::none);
  static_cast<void>(say("HELO old.example\r\n"));
  EXPECT_EQ(trace_of(talk_.session()).greeting, SessionTrace::Greeting::helo);
  static_cast<void>(say("EHLO c.example\r\n"));
  static_cast<void>(say(auth_plain));
  static_cast<void>(reply(Event::credentials_accepted));
  const SessionTrace trace = trace_of(talk_.session());
  EXPECT_EQ(trace.helo, "c.example");
  EXPECT_EQ(trace.greeting, SessionTrace::Greeting::ehlo);
  EXPECT_TRUE(trace.is_authenticated);
  EXPECT_FALSE(trace.has_tls);
}

// One shell for all cuts: reads, feeds, answers, waits, sends.
std::string play(std::string_view octets, std::size_t cut, std::size_t room) {
  std::vector<char> output(room), scratch(octets.size() + 2);
  Ear ear{output};
  LoneConversation talk({.settings_and_facts = {bit::AUTH | bit::backend | bit::ALLOW_INSECURE_AUTH}, .host = "mx"},
                        {.silence_seconds = 100});
  Time now{};
  std::string said, unread, asked;
  Want want = talk.happen(Event::connect_ready, now, ear);
  const auto go_on = [&] {
    for (bool goes_on = true; goes_on;) {
      said += ear.replies();
      ear.clear();
      switch (want.kind) {
        case Kind::answer: {
          const Question question = want.question;
          const std::string mailbox(talk.session().mailbox());
          want = talk.answer(want.ticket,
                             question == Question::recipient     ? Answer{Event::recipient_ours, mailbox}
                             : question == Question::credentials ? answer_of(CredentialsResult::rejected)
                                                                 : answer_of(HandOverResult::accepted, "kept"),
                             now, ear);
          continue;
        }
        case Kind::pause:
          now = talk.deadline();
          want = talk.time_passed(now, ear);
          continue;
        default: break;
      }
      want = talk.feed(unread, scratch, now, ear);
      unread.erase(0, want.consumed);
      goes_on = want.kind != Kind::octets && want.kind != Kind::end;
    }
    said += ear.replies();
    ear.clear();
  };
  for (const std::string_view piece : {octets.substr(0, cut), octets.substr(cut)}) {
    unread += piece;
    go_on();
  }
  for (const std::string& event : ear.events) said += event + '\n';
  return said + ear.message;
}

TEST(ConversationCut, anywhere_and_with_any_room_changes_nothing) {
  const std::string octets =
      "EHLO c.example\r\nAUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\nNOOP\r\nMAIL FROM:<a@example.com>\r\n"
      "RCPT TO:<b@example.org>\r\nDATA\r\nSubject: x\r\n\r\n..x\r\n.\r\nXYZZY\r\nRSET\r\nQUIT\r\n";
  const std::string whole = play(octets, 0, 64 * 1024);
  EXPECT_TRUE(whole.contains("535 ")) << whole;
  EXPECT_TRUE(whole.contains("250 ok kept\r\n")) << whole;
  EXPECT_TRUE(whole.ends_with("quit\nSubject: x\n\n.x\n")) << whole;
  for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
    EXPECT_EQ(play(octets, cut, 64 * 1024), whole) << cut;
    EXPECT_EQ(play(octets, cut, ReplyWriter::most_octets), whole) << cut;
  }
}

}  // namespace
}  // namespace postern::engine
