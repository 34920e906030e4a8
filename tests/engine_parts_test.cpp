// The parts of a session by themselves: envelope, replies, SASL answers, meaning of command lines.
#include <gtest/gtest.h>

#include <string>

#include "engine/envelope.hpp"
#include "engine/event.hpp"
#include "engine/reply.hpp"
#include "engine/sasl.hpp"
#include "grammar/command.hpp"

namespace postern::engine {
namespace {

using spec::Event;
using spec::Reply;

// qmail-queue(8): F reverse-path NUL, T forward-path NUL for each, NUL; RFC 5321 3.3
TEST(Envelope, is_written_as_qmail_queue_reads_it) {
  Envelope envelope;
  envelope.clear();
  EXPECT_EQ(envelope.octets(), "");
  envelope.begin("a@b");
  EXPECT_EQ(envelope.octets(), std::string_view("Fa@b\0\0", 6));
  EXPECT_TRUE(envelope.add("c@d"));
  EXPECT_TRUE(envelope.add("e@f"));
  EXPECT_EQ(envelope.octets(), std::string_view("Fa@b\0Tc@d\0Te@f\0\0", 16));
  EXPECT_EQ(envelope.reverse_path(), "a@b");
  EXPECT_EQ(envelope.recipients(), 2U);
  envelope.begin("");
  EXPECT_EQ(envelope.octets(), std::string_view("F\0\0", 3)) << "RFC 5321 4.5.5: the null reverse-path";
}

// deviation D6
TEST(Envelope, names_its_first_recipient) {
  Envelope envelope;
  EXPECT_EQ("", envelope.first_recipient());
  for (const std::string_view reverse_path : {"a@b.example", ""}) {
    envelope.begin(reverse_path);
    EXPECT_EQ("", envelope.first_recipient());
    ASSERT_TRUE(envelope.add("c@d.example"));
    ASSERT_TRUE(envelope.add("e@f.example"));
    EXPECT_EQ("c@d.example", envelope.first_recipient());
  }
}

TEST(Envelope, says_when_it_is_full_and_stays_as_it_was) {
  Envelope envelope;
  envelope.begin(std::string(spec::max_address_octets, 'a'));
  const std::string address(spec::max_address_octets, 'b');
  while (envelope.add(address)) {
  }
  const std::string before(envelope.octets());
  EXPECT_FALSE(envelope.has_room(address.size()));
  EXPECT_FALSE(envelope.add(address));
  EXPECT_EQ(envelope.octets(), before);
  EXPECT_LE(before.size(), spec::max_recipient_octets + spec::max_address_octets + 3);
  EXPECT_GE(envelope.recipients(), 100U) << "RFC 5321 4.5.3.1.8";
}

TEST(ReplyWriter, fills_in_host_size_and_verdict) {
  ReplyWriter writer;
  const Fills fills{.host = "mx.example.org", .verdict = "1700000000 qp 7", .size_octets = 1000};
  EXPECT_EQ(writer.write(Reply::greeting, fills, {}), "220 mx.example.org ESMTP\r\n");
  EXPECT_EQ(writer.write(Reply::message_accepted, fills, {}), "250 ok 1700000000 qp 7\r\n");
  EXPECT_EQ(writer.write(Reply::plain_challenge, fills, {}), "334 \r\n") << "RFC 4954 4: an empty challenge";
  EXPECT_EQ(writer.write(Reply::none, fills, {}), "");
  EXPECT_EQ(writer.write(Reply::capabilities, fills, {}),
            "250-mx.example.org\r\n250-SIZE 1000\r\n250-PIPELINING\r\n250-HELP\r\n250 8BITMIME\r\n");
}

// RFC 5321 4.2: a queue program's text must not end the reply, or add one
TEST(ReplyWriter, lets_no_octet_of_a_verdict_break_the_line) {
  ReplyWriter writer;
  EXPECT_EQ(writer.write(Reply::message_refused, {.host = "h", .verdict = "no\r\n250 ok\t\x7f"}, {}),
            "554 no??250 ok??\r\n");
}

// RFC 5321 4.5.3.1.5; spec/limits.hpp: whatever fills it, it fits, and no line has more than 512 octets
TEST(ReplyWriter, fits_whatever_fills_it) {
  ReplyWriter writer;
  const std::string octets(4096, 'x');
  for (std::size_t i = 0; i < spec::reply_count; ++i) {
    std::string_view reply =
        writer.write(static_cast<Reply>(i), {octets, octets, ~std::uint64_t{0}}, {~std::uint64_t{0}});
    while (!reply.empty()) {
      const std::size_t end = reply.find("\r\n");
      ASSERT_NE(end, std::string_view::npos) << "cut short";
      EXPECT_LE(end + 2, 512U);
      reply.remove_prefix(end + 2);
    }
  }
}

// RFC 4616 2: message = [authzid] NUL authcid NUL passwd
TEST(Sasl, takes_a_plain_message_apart) {
  Sasl sasl;
  EXPECT_EQ(sasl.take_plain("AHRpbQB0YW5zdGFhZnRhbnN0YWFm"), ResponseKind::valid);
  EXPECT_EQ(sasl.username(), "tim");
  EXPECT_EQ(sasl.password(), "tanstaaftanstaaf");
  EXPECT_EQ(sasl.take_plain("dGVzdAB0ZXN0ADEyMzQ="), ResponseKind::valid) << "authorization as oneself";
  EXPECT_EQ(sasl.username(), "test");
  EXPECT_EQ(sasl.take_plain("VXJzZWwAS3VydAB4aXBqM3BsbXE="), ResponseKind::malformed) << "as somebody else";
  EXPECT_EQ(sasl.take_plain("*"), ResponseKind::cancelled);
}

// deviations D5, D14: no user, no password, NUL in the password, one NUL only, junk, padding that is missing or alone
TEST(Sasl, refuses_what_is_not_whole) {
  Sasl sasl;
  for (const char* base64 : {"AABwYXNz", "AHRpbQA=", "AHRpbQBhAGI=", "AHRpbQ==", "", "=",
                             "====", "AHRpbQBwYXNz=", "AHRpbQBwYXN", "AHRpb\tQBwYXNz", "AHRpbQBwYX-_"})
    EXPECT_EQ(sasl.take_plain(base64), ResponseKind::malformed) << base64;
}

// deviation D14: spaces and tabs after the answer are forgiven; they neither make nor change a meaning
TEST(Sasl, forgives_blanks_after_an_answer) {
  Sasl sasl;
  for (const std::string blanks : {" ", "\t", " \t  "}) {
    EXPECT_EQ(sasl.take_plain("AHRpbQBwYXNz" + blanks), ResponseKind::valid);
    EXPECT_EQ(sasl.password(), "pass");
    EXPECT_EQ(sasl.take_username("dGlt" + blanks), ResponseKind::valid);
    EXPECT_EQ(sasl.take_password("cGE=" + blanks), ResponseKind::valid);
    EXPECT_EQ(sasl.username(), "tim");
    EXPECT_EQ(sasl.password(), "pa");
    for (const char* bad : {"", "=", "*", "AHRpbQBwYXN", "AHRpbQBwYXNz ="})
      EXPECT_EQ(sasl.take_plain(bad + blanks), ResponseKind::malformed) << bad;
    EXPECT_EQ(sasl.take_username(blanks + "dGlt"), ResponseKind::malformed) << "before it they are not";
  }
}

TEST(Sasl, takes_login_in_two_steps_and_keeps_the_first) {
  Sasl sasl;
  EXPECT_EQ(sasl.take_username("dGlt"), ResponseKind::valid);
  EXPECT_EQ(sasl.take_password("c2VjcmV0"), ResponseKind::valid);
  EXPECT_EQ(sasl.username(), "tim");
  EXPECT_EQ(sasl.password(), "secret");
  EXPECT_EQ(sasl.take_username("="), ResponseKind::malformed);
  EXPECT_EQ(sasl.take_username("YQBi"), ResponseKind::malformed) << "NUL inside";
  sasl.wipe();
  EXPECT_EQ(sasl.username(), "");
}

// RFC 4954 4: the longest answers fit, one after the other
TEST(Sasl, has_room_for_the_longest_answers) {
  Sasl sasl;
  const std::string longest(12284, 'A');  // base64 of NULs
  EXPECT_EQ(sasl.take_username(longest), ResponseKind::malformed);
  const std::string name = [] {
    std::string text;
    for (int i = 0; i < 3071; ++i) text += "YWFh";
    return text;
  }();
  EXPECT_EQ(sasl.take_username(name), ResponseKind::valid);
  EXPECT_EQ(sasl.take_password(name), ResponseKind::valid);
  EXPECT_EQ(sasl.username(), std::string(9213, 'a'));
  EXPECT_EQ(sasl.password(), std::string(9213, 'a'));
}

TEST(Sasl, knows_its_mechanisms_in_any_case) {
  EXPECT_EQ(mechanism_of("plain"), Mechanism::plain);
  EXPECT_EQ(mechanism_of("LogIn"), Mechanism::login);
  for (const char* other : {"", "PLAI", "PLAINX", "CRAM-MD5", "LOGIN="})
    EXPECT_EQ(mechanism_of(other), Mechanism::unknown);
}

Event meaning(std::string_view line, LineFacts facts = {}) { return event_of(grammar::parse_command(line), facts); }

TEST(Event_of, names_what_a_line_is) {
  EXPECT_EQ(meaning("EHLO x"), Event::ehlo);
  EXPECT_EQ(meaning("STARTTLS"), Event::starttls);
  EXPECT_EQ(meaning("STARTTLS x"), Event::starttls_parameter);
  EXPECT_EQ(meaning("AUTH"), Event::auth_unknown_mechanism);
  EXPECT_EQ(meaning("AUTH PLAIN"), Event::auth_plain);
  EXPECT_EQ(meaning("AUTH LOGIN eA==", {.initial_response = ResponseKind::valid}), Event::auth_login_username);
  EXPECT_EQ(meaning("AUTH LOGIN *", {.initial_response = ResponseKind::cancelled}), Event::auth_malformed);
  EXPECT_EQ(meaning("RCPT TO:<a@b>", {.has_room_for_recipient = false}), Event::rcpt_too_many);
  EXPECT_EQ(meaning("MAIL FROM:<a@b> AUTH=<>"), Event::mail_with_auth);
  EXPECT_EQ(meaning("MAIL FROM:<a@b> AUTH=+3d"), Event::mail_malformed);
  EXPECT_EQ(meaning("MAIL FROM:<a@b> X=1"), Event::mail_malformed);
  EXPECT_EQ(meaning("MAIL"), Event::mail_malformed);
  EXPECT_EQ(meaning("RCPT"), Event::rcpt_malformed);
  EXPECT_EQ(meaning("XYZZY"), Event::unknown);
}

// RFC 9110 9.1 has eight methods, RFC 5789 one more; methods are written in capitals, with one space after them.
TEST(Event_of, knows_the_nine_methods_of_http) {
  for (const std::string method : {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}) {
    const std::string request = method + " / HTTP/1.1";
    EXPECT_EQ(meaning(request, {.line = request}), Event::http_request) << method;
    for (const std::string& line : {method, "X" + request, request.substr(1), method + "S / HTTP/1.1"})
      EXPECT_EQ(meaning(line, {.line = line}), Event::unknown) << line;
  }
}

// RFC 5321 4.1.1.1, 4.1.1.4-4.1.1.10; deviation D30
TEST(Event_of, asks_for_the_arguments_of_the_syntax) {
  for (const std::string verb : {"DATA", "RSET", "QUIT"}) {
    EXPECT_EQ(meaning(verb + " x"), Event::argument_not_allowed) << verb;
    EXPECT_EQ(meaning(verb + "  \xFF "), Event::argument_not_allowed) << verb;
  }
  EXPECT_EQ(meaning("DATA  "), Event::data);
  EXPECT_EQ(meaning("DATA  ", {.has_room_for_message = false}), Event::data_no_room);
  EXPECT_EQ(meaning("DATA x", {.has_room_for_message = false}), Event::argument_not_allowed);
  EXPECT_EQ(meaning("DATA", {.asks_at_data = true}), Event::data_to_be_judged);
  EXPECT_EQ(meaning("DATA x", {.asks_at_data = true}), Event::argument_not_allowed);
  EXPECT_EQ(meaning("DATA", {.has_room_for_message = false, .asks_at_data = true}), Event::data_no_room);
  EXPECT_EQ(meaning("RSET "), Event::rset);
  EXPECT_EQ(meaning("QUIT   "), Event::quit);
  for (const std::string verb : {"EHLO", "HELO", "VRFY"}) {
    EXPECT_EQ(meaning(verb), Event::argument_missing) << verb;
    EXPECT_EQ(meaning(verb + "  "), Event::argument_missing) << verb;
  }
  for (const char* name : {"client.example", "[192.0.2.1]", "two words", "my_host", "-"})
    EXPECT_EQ(meaning("EHLO " + std::string(name)), Event::ehlo) << name;
  EXPECT_EQ(meaning("HELO x"), Event::helo);
  EXPECT_EQ(meaning("VRFY x"), Event::vrfy);
  for (const char* argument : {"", " ", " x", " two words"}) {
    EXPECT_EQ(meaning("NOOP" + std::string(argument)), Event::noop);
    EXPECT_EQ(meaning("HELP" + std::string(argument)), Event::help);
  }
}

// deviation D13; STRICT_ADDRESSES
TEST(Event_of, forgives_an_address_only_where_addresses_are_not_strict) {
  for (const char* path : {"<a@b_c>", "<.a@b>", "<a.@b>", "<a..b@c>", "<@b_c:a@b>"}) {
    const std::string mail = "MAIL FROM:" + std::string(path), rcpt = "RCPT TO:" + std::string(path);
    EXPECT_EQ(meaning(mail), Event::mail_valid) << path;
    EXPECT_EQ(meaning(rcpt), Event::rcpt_valid) << path;
    EXPECT_EQ(meaning(mail, {.strict_addresses = true}), Event::mail_malformed) << path;
    EXPECT_EQ(meaning(rcpt, {.strict_addresses = true}), Event::rcpt_malformed) << path;
  }
  EXPECT_EQ(meaning("RCPT TO:<a_b.c@d-e>", {.strict_addresses = true}), Event::rcpt_valid);
  EXPECT_EQ(meaning("RCPT TO:<a@b.>"), Event::rcpt_malformed) << "a domain does not end with a dot";
}

// RFC 4954 5; RFC 3461 4
TEST(Envelope, keeps_the_mailbox_that_a_client_vouches_for) {
  Envelope envelope;
  const auto kept = [&](const std::string& xtext) {
    envelope.begin("a@b.example");
    envelope.keep_auth_mailbox(xtext);
    return std::string(envelope.auth_mailbox());
  };
  EXPECT_EQ(kept("e+3Dmc2@example.com"), "e=mc2@example.com");
  EXPECT_EQ(kept("+2B+2B"), "++");
  EXPECT_EQ(kept("<>"), "");
  EXPECT_EQ(kept("a+0D+0Ab"), "") << "a control octet";
  EXPECT_EQ(kept("a+00"), "");
  EXPECT_EQ(kept(std::string(500, 'a')), std::string(500, 'a'));
  EXPECT_EQ(kept(std::string(501, 'a')), "");
  EXPECT_EQ(kept("a@b.example"), "a@b.example");
  envelope.clear();
  EXPECT_EQ(envelope.auth_mailbox(), "") << "it goes with its transaction";
}

// RFC 1870 6.1; deviation D15
TEST(Event_of, compares_size_with_the_limit) {
  EXPECT_EQ(meaning("MAIL FROM:<a@b> SIZE=11", {.databytes = 10}), Event::mail_too_big);
  EXPECT_EQ(meaning("MAIL FROM:<a@b> SIZE=10", {.databytes = 10}), Event::mail_valid);
  EXPECT_EQ(meaning("MAIL FROM:<a@b> SIZE=11", {.databytes = 0}), Event::mail_valid) << "0: no limit";
}

// deviation D6; RFC 5321 4.5.3.1.3
TEST(Event_of, compares_an_address_with_its_limit) {
  EXPECT_EQ(meaning("MAIL FROM:<a@b>", {.mailbox_octets = 899}), Event::mail_valid);
  EXPECT_EQ(meaning("MAIL FROM:<a@b>", {.mailbox_octets = 900}), Event::mail_malformed);
  EXPECT_EQ(meaning("RCPT TO:<a@b>", {.mailbox_octets = 900}), Event::rcpt_malformed);
}

}  // namespace
}  // namespace postern::engine
