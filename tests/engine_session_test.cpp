// What engine/session.hpp promises besides its dialogues: order, limits, secrets, what survives STARTTLS.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "engine/session.hpp"

namespace postern::engine {
namespace {

using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

class SessionTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t everything = bit::AUTH | bit::backend | bit::certificate | bit::ALLOW_INSECURE_AUTH;

  explicit SessionTest(std::uint64_t settings_and_facts = everything)
      : session_({.settings_and_facts = {settings_and_facts}, .host = "mx.example.org"}) {
    static_cast<void>(session_.report(Event::connect_ready));
  }
  Step say(std::string_view octets) { return session_.step(octets, scratch_); }
  Step say_mail_and(std::string_view octets) {
    static_cast<void>(say("MAIL FROM:<a@example.com>\r\n"));
    return say(octets);
  }
  void begin_message() {
    static_cast<void>(say_mail_and("RCPT TO:<b@example.org>\r\n"));
    static_cast<void>(session_.report(Event::recipient_ours, "b@example.org"));
    ASSERT_EQ(say("DATA\r\n").code, 354);
  }

  LoneSession session_;
  std::array<char, 64 * 1024> scratch_{};
};

// RFC 3207 4.2: but STARTTLS takes the plaintext after it along, and it is never served.
TEST_F(SessionTest, takes_one_line_a_step) {
  const std::string_view lines = "NOOP\r\nSTARTTLS\r\nMAIL FROM:<a@example.com>\r\n";
  EXPECT_EQ(say(lines).consumed, 6U);
  const Step step = say(lines.substr(6));
  EXPECT_EQ(step.consumed, lines.size() - 6);
  EXPECT_EQ(step.effect, Effect::start_tls);
  EXPECT_EQ(say(lines.substr(16)).consumed, 0U) << "nothing is read in clear any more";
  EXPECT_FALSE(say(lines.substr(16)).is_decision);
}

TEST_F(SessionTest, reads_nothing_while_an_outcome_is_awaited) {
  ASSERT_EQ(say_mail_and("RCPT TO:<b@example.org>\r\n").effect, Effect::check_recipient);
  EXPECT_EQ(session_.mailbox(), "b@example.org");
  const Step step = say("DATA\r\n");
  EXPECT_EQ(step.consumed, 0U);
  EXPECT_FALSE(step.is_decision);
  EXPECT_EQ(session_.report(Event::recipient_ours, "b@example.org.gateway").reply, "250 ok\r\n");
  EXPECT_EQ(session_.envelope().octets(), std::string_view("Fa@example.com\0Tb@example.org.gateway\0\0", 39));
}

// spec/events.toml, `while`: a late answer authenticates no client, opens no transaction, and ends nothing
class SessionThatWaits : public SessionTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(SessionThatWaits, changes_nothing_at_a_report_of_what_may_not_happen_now) {
  const std::string& lines = GetParam();
  std::string_view unread = lines;
  while (!unread.empty()) {
    const Step step = say(unread.substr(0, unread.find('\n') + 1));
    unread.remove_prefix(unread.find('\n') + 1);
    if (unread.empty() || !session_.guards().has(bit::waiting_recipient)) continue;
    ASSERT_EQ(step.effect, Effect::check_recipient);
    static_cast<void>(session_.report(Event::recipient_ours, "b@example.org"));
  }
  const spec::Guards before = session_.guards();
  const std::string envelope(session_.envelope().octets());
  std::uint32_t stray = 0;
  for (std::size_t i = 0; i < spec::event_count; ++i) {
    const auto event = static_cast<Event>(i);
    if (before.has(spec::waiting_for(event))) continue;
    const Step step = session_.report(event, "late@example.org");
    EXPECT_FALSE(step.is_decision) << spec::name_of(event);
    EXPECT_TRUE(step.code == 0 && step.reply.empty() && step.effect == Effect::none) << spec::name_of(event);
    EXPECT_EQ(session_.guards(), before) << spec::name_of(event);
    EXPECT_EQ(session_.counters().errors, 0U) << spec::name_of(event);
    EXPECT_EQ(session_.stray_reports(), ++stray);
  }
  EXPECT_EQ(session_.envelope().octets(), envelope);
  EXPECT_GT(stray, 0U);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, SessionThatWaits,
                         ::testing::Values("NOOP\r\n", "MAIL FROM:<a@example.com>\r\n",
                                           "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n",
                                           "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n",
                                           "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n.\r\n",
                                           "AUTH PLAIN\r\n", "AUTH LOGIN\r\n", "AUTH LOGIN dGlt\r\n",
                                           "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n", "STARTTLS\r\n", "QUIT\r\n"));

TEST_F(SessionTest, does_not_look_twice_at_a_partial_line) {
  const Step step = say("NOO");
  EXPECT_FALSE(step.is_decision);
  EXPECT_EQ(step.consumed, 0U);
  EXPECT_EQ(say("NOOP\r\n").consumed, 6U);
}

// RFC 5321 4.5.3.1.2: 255 octets of a domain are enough
// What a driver does that keeps thousands of sessions: only those in a transaction or an AUTH exchange keep a workspace.
TEST_F(SessionTest, leaves_its_workspace_at_rest) {
  Workspace first, second;
  Session session({.settings_and_facts = {everything}, .host = "mx.example.org"}, first);
  EXPECT_TRUE(session.is_at_rest());
  EXPECT_EQ(220, session.report(Event::connect_ready).code);
  EXPECT_EQ(250, session.step("EHLO a\r\n", scratch_).code);
  EXPECT_TRUE(session.is_at_rest());
  session.use(second);
  EXPECT_EQ(250, session.step("MAIL FROM:<a@b.c>\r\n", scratch_).code);
  EXPECT_FALSE(session.is_at_rest());
  EXPECT_EQ("a@b.c", session.envelope().reverse_path());
  EXPECT_EQ("", first.envelope.reverse_path());
  EXPECT_EQ(250, session.step("RSET\r\n", scratch_).code);
  EXPECT_TRUE(session.is_at_rest());
  EXPECT_EQ(334, session.step("AUTH LOGIN\r\n", scratch_).code);
  EXPECT_FALSE(session.is_at_rest());
}

// RFC 4954 5: of a client that is not authenticated AUTH= is as good as `<>`; the mailbox goes with its transaction
TEST_F(SessionTest, keeps_auth_of_mail_only_from_who_is_authenticated) {
  const auto kept_after = [&](const std::string& mail) {
    EXPECT_EQ(say(mail + "\r\n").code, 250) << mail;
    std::string mailbox(session_.envelope().auth_mailbox());
    EXPECT_EQ(say("MAIL FROM:<x@y> AUTH=other\r\n").code, 503);
    EXPECT_EQ(session_.envelope().auth_mailbox(), mailbox) << "a refused MAIL changes nothing";
    EXPECT_EQ(say("RSET\r\n").code, 250);
    EXPECT_EQ(session_.envelope().auth_mailbox(), "");
    return mailbox;
  };
  EXPECT_EQ(kept_after("MAIL FROM:<a@b.c> AUTH=e+3Dmc2@example.com"), "");
  ASSERT_EQ(say("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n").effect, Effect::check_credentials);
  ASSERT_EQ(session_.report(Event::credentials_accepted).code, 235);
  EXPECT_EQ(kept_after("MAIL FROM:<a@b.c> AUTH=e+3Dmc2@example.com SIZE=1"), "e=mc2@example.com");
  EXPECT_EQ(kept_after("MAIL FROM:<a@b.c> AUTH=<>"), "");
  EXPECT_EQ(kept_after("MAIL FROM:<a@b.c>"), "");
}

TEST_F(SessionTest, keeps_255_octets_of_the_clients_name) {
  static_cast<void>(say("EHLO " + std::string(300, 'x') + "\r\n"));
  EXPECT_EQ(session_.client_name(), std::string(255, 'x'));
  static_cast<void>(say("HELO client.example\r\n"));
  EXPECT_EQ(session_.client_name(), "client.example");
}

// RFC 5321 4.5.3.1.8, 4.5.3.1.10; deviation D6: at least 100 recipients; 1000 are taken, the next is 452 and the others
// stay
TEST_F(SessionTest, takes_a_thousand_recipients) {
  static_cast<void>(say("MAIL FROM:<a@example.com>\r\n"));
  for (std::size_t i = 0; i < spec::max_recipients; ++i) {
    ASSERT_EQ(say("RCPT TO:<b@example.org>\r\n").effect, Effect::check_recipient) << i;
    ASSERT_EQ(session_.report(Event::recipient_ours, session_.mailbox()).code, 250);
  }
  EXPECT_EQ(say("RCPT TO:<b@example.org>\r\n").code, 452);
  EXPECT_EQ(session_.envelope().recipients(), spec::max_recipients);
  EXPECT_EQ(say("DATA\r\n").code, 354);
}

// deviation D6: long addresses fill the room first; with rewriting (RELAYCLIENT) they still fit
TEST_F(SessionTest, has_room_for_what_it_lets_through) {
  const std::string address = std::string(893, 'x') + "@b.com";
  const std::string rewritten = address + std::string(2 * spec::max_host_octets, 'y');
  static_cast<void>(say("MAIL FROM:<" + address + ">\r\n"));
  std::size_t taken = 0;
  while (say("RCPT TO:<" + address + ">\r\n").effect == Effect::check_recipient) {
    static_cast<void>(session_.report(Event::recipient_ours, rewritten));
    ++taken;
    ASSERT_EQ(session_.envelope().recipients(), taken) << "a recipient was lost";
  }
  EXPECT_GT(taken, 50U);
}

// deviation D7; RFC 4954 9
TEST_F(SessionTest, marks_and_wipes_secrets) {
  EXPECT_FALSE(say("NOOP\r\n").holds_secret);
  Step step = say("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
  EXPECT_TRUE(step.holds_secret);
  ASSERT_EQ(step.effect, Effect::check_credentials);
  EXPECT_EQ(session_.username(), "tim");
  EXPECT_EQ(session_.password(), "tanstaaftanstaaf");
  const std::string_view password = session_.password();
  static_cast<void>(session_.report(Event::credentials_rejected));
  EXPECT_TRUE(session_.password().empty());
  EXPECT_EQ(password, std::string(16, '\0')) << "the octets themselves are overwritten";
  static_cast<void>(say("AUTH LOGIN\r\n"));
  EXPECT_TRUE(say("dGl").holds_secret) << "half an answer is a secret too";
  EXPECT_TRUE(say("dGlt\r\n").holds_secret);
  EXPECT_TRUE(say("*\r\n").holds_secret);
  EXPECT_TRUE(session_.username().empty());
}

// semantics 3: an initial response in clear with a refused AUTH is wiped, and nothing sees it
TEST_F(SessionTest, forgets_the_initial_response_of_a_refused_auth) {
  LoneSession session({.settings_and_facts = {bit::AUTH | bit::backend}, .host = "mx.example.org"});
  static_cast<void>(session.report(Event::connect_ready));
  const Step step = session.step("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n", scratch_);
  EXPECT_EQ(step.code, 504);
  EXPECT_TRUE(step.holds_secret);
  EXPECT_TRUE(session.username().empty() && session.password().empty());
}

TEST_F(SessionTest, has_new_limits_once_it_is_told) {
  session_.set_limits(10, 1);
  EXPECT_EQ(say("MAIL FROM:<a@example.com> SIZE=11\r\n").code, 552);
  EXPECT_EQ(say_mail_and("RCPT TO:<b@example.org>\r\n").effect, Effect::check_recipient);
  static_cast<void>(session_.report(Event::recipient_ours, session_.mailbox()));
  EXPECT_EQ(say("RCPT TO:<b@example.org>\r\n").code, 452);
}

// RFC 3207 4.2; deviations D1, D6, D7: nothing survives STARTTLS but the counts
TEST_F(SessionTest, goes_on_in_another_session_with_its_counts) {
  for (std::uint32_t i = 0; i < spec::max_errors; ++i) EXPECT_EQ(say("XYZZY\r\n").code, 502);
  LoneSession sibling({.settings_and_facts = {everything}, .host = "mx.example.org"});
  sibling.resume_after_starttls(session_.counters());
  const Step step = sibling.report(Event::handshake_done);
  EXPECT_EQ(step.code, 0);
  EXPECT_TRUE(sibling.guards().has(bit::channel_starttls));
  EXPECT_EQ(sibling.step("NOOP\r\n", scratch_).code, 421) << "a client cannot start over by STARTTLS";
}

// RFC 1870 6.2; deviation D4: what will be refused is not kept
TEST_F(SessionTest, gives_no_more_data_of_a_message_that_it_will_refuse) {
  begin_message();
  EXPECT_EQ(say("kept\r\n").data, "kept\n");
  EXPECT_EQ(say("bare\nlf\r\n").data, "");
  EXPECT_EQ(say("not kept\r\n").data, "");
  const Step step = say(".\r\n");
  EXPECT_EQ(step.code, 550);
  EXPECT_EQ(step.effect, Effect::abandon_message);
  EXPECT_TRUE(session_.envelope().octets().empty());
}

// RFC 5321 4.3.2: before 354
TEST_F(SessionTest, asks_for_room_at_each_data_and_nowhere_else) {
  class Counted final : public Room {
   public:
    [[nodiscard]] bool reserve() override { return ++asked > 1; }
    int asked = 0;
  } room;
  session_.set_room(room);
  static_cast<void>(say_mail_and("RCPT TO:<b@example.org>\r\n"));
  static_cast<void>(session_.report(Event::recipient_ours, "b@example.org"));
  for (const char* const line : {"DATA x\r\n", "XYZZY\r\n", "NOOP\r\n"}) static_cast<void>(say(line));
  EXPECT_EQ(room.asked, 0);
  EXPECT_EQ(say("DATA\r\n").code, 451);
  EXPECT_EQ(session_.envelope().recipients(), 1U) << "the client may try again";
  EXPECT_EQ(say("DATA\r\n").code, 354);
  EXPECT_EQ(room.asked, 2);
}

TEST_F(SessionTest, names_the_rule_of_every_decision) {
  EXPECT_EQ(spec::name_of(say("RCPT TO:<b@example.org>\r\n").rule), "rcpt.no_mail");
  EXPECT_EQ(spec::name_of(say("NOOP\r\n").rule), "noop");
}

}  // namespace
}  // namespace postern::engine
