// What Dovecot's userdb says of a user: each reply, each cut, each fault; and the name that it is asked about.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "ask/userdb.hpp"
#include "spec/limits.hpp"

namespace postern::ask {
namespace {

using namespace std::chrono_literals;
using Kind = UserdbAnswer::Kind;
using State = base::ClientProtocol::State;
using Failure = base::StreamFailure::Kind;

const std::string greeting = "VERSION\t1\t2\nSPID\t4711\n";

class Asking {
 public:
  Asking() { conversation.begin("user@x.example", {}); }
  std::string heard() {
    std::string octets(conversation.output());
    conversation.sent(octets.size(), {});
    return octets;
  }
  UserdbAnswer say(const std::string& octets) {
    heard();
    conversation.receive(octets, {});
    return conversation.state() == State::busy ? UserdbAnswer{.trouble = "busy"} : conversation.take_answer();
  }

  UserdbConversation conversation{5s};
};

TEST(Userdb, is_asked_by_name_with_one_handshake_and_new_numbers) {
  Asking asking;
  EXPECT_EQ("VERSION\t1\t0\nUSER\t1\tuser@x.example\tservice=smtp\n", asking.heard());
  EXPECT_EQ(Kind::user, asking.say(greeting + "USER\t1\tuser\tuid=1\thome=/a\n").kind);
  asking.conversation.begin("other@x.example", {});
  EXPECT_EQ("USER\t2\tother@x.example\tservice=smtp\n", asking.heard());
  EXPECT_EQ(Kind::no_user, asking.say("NOTFOUND\t2\n").kind);
  EXPECT_EQ(State::idle, asking.conversation.state());
}

TEST(Userdb, no_octet_of_a_name_is_another_field_or_line) {
  using namespace std::string_literals;
  UserdbConversation conversation(1s);
  conversation.begin("a\tb\nc\rd\001e\0f=\xE4"s, {});
  EXPECT_EQ("VERSION\t1\t0\nUSER\t1\ta\001tb\001lc\001rd\0011e\0010f=\xE4\tservice=smtp\n"s, conversation.output());
}

TEST(Userdb, each_reply_is_an_answer) {
  struct Reply {
    std::string octets;
    Kind kind;
    State state;
    std::string trouble;
  };
  const std::string long_line(spec::max_userdb_reply_octets, 'x');
  const Reply replies[] = {
      {greeting + "USER\t1\tu\n", Kind::user, State::idle, ""},
      {greeting + "NOTFOUND\t1\n", Kind::no_user, State::idle, ""},
      {greeting + "NOTFOUND\t1\tmore\n", Kind::no_user, State::idle, ""},
      {greeting + "FAIL\t1\n", Kind::failed, State::idle, "answered FAIL"},
      {greeting + "FAIL\t1\treason=it \001\xE4\n", Kind::failed, State::idle, "answered FAIL reason=it   "},
      {greeting + "LATER\t1\nUSER\t1\tu\n", Kind::user, State::idle, ""},
      {greeting + "USER\t1\tu\nUSER\t1\tu\n", Kind::user, State::ended, ""},
      {greeting + "USER\t2\tu\n", Kind::failed, State::ended, "an answer to another question"},
      {greeting + "NOTFOUND\t\n", Kind::failed, State::ended, "an answer to another question"},
      {greeting + "NOTFOUND\n", Kind::failed, State::ended, "an answer to another question"},
      {greeting + "NOTFOUND\t11\n", Kind::failed, State::ended, "an answer to another question"},
      {greeting + "USER\t1\n", Kind::failed, State::ended, "an answer without a name"},
      {greeting + "USER\t1\t\tuid=1\n", Kind::failed, State::ended, "an answer without a name"},
      {greeting + "NOTFOUND 1\n", Kind::failed, State::busy, "busy"},
      {greeting + "NOTFOUND\t1", Kind::failed, State::busy, "busy"},
      {greeting + "user\t1\tu\n", Kind::failed, State::busy, "busy"},
      {"", Kind::failed, State::busy, "busy"},
      {greeting + long_line, Kind::failed, State::ended, "an answer without an end"},
      {"USER\t1\tu\n", Kind::failed, State::ended, "it does not speak version 1 of Dovecot's auth protocol"},
      {"VERSION\t2\t0\nUSER\t1\tu\n", Kind::failed, State::ended,
       "it does not speak version 1 of Dovecot's auth protocol"},
      {"220 mail cluster\r\n", Kind::failed, State::ended, "it does not speak version 1 of Dovecot's auth protocol"},
  };
  for (const Reply& reply : replies) {
    Asking whole;
    const UserdbAnswer answer = whole.say(reply.octets);
    EXPECT_EQ(reply.kind, answer.kind) << reply.octets;
    EXPECT_EQ(reply.trouble, answer.trouble) << reply.octets;
    EXPECT_EQ(reply.state, whole.conversation.state()) << reply.octets;
    Asking cut;
    cut.heard();
    for (const char& octet : reply.octets) cut.conversation.receive({&octet, 1}, {});
    if (reply.state != State::ended) EXPECT_EQ(reply.state, cut.conversation.state()) << reply.octets;
  }
}

TEST(Userdb, what_comes_unasked_ends_the_connection) {
  Asking early;
  early.conversation.receive(greeting + "USER\t1\tu\n", {});  // nothing of the question has gone
  EXPECT_EQ("an answer before the question", early.conversation.take_answer().trouble);
  Asking late;
  EXPECT_EQ(Kind::user, late.say(greeting + "USER\t1\tu\n").kind);
  late.conversation.receive("NOTFOUND\t2\n", {});
  EXPECT_EQ(State::ended, late.conversation.state());
  Asking greeted;
  greeted.conversation.receive(greeting, {});  // Dovecot speaks first
  EXPECT_EQ(Kind::no_user, greeted.say("NOTFOUND\t1\n").kind);
}

TEST(Userdb, a_connection_that_ends_says_nothing_and_may_be_replaced) {
  for (const std::string& octets : {std::string(), greeting, greeting + "USER\t1\t"}) {
    Asking asking;
    asking.say(octets);
    asking.conversation.fail({.kind = Failure::closed});
    EXPECT_TRUE(asking.conversation.may_repeat());
    EXPECT_EQ("connection closed", asking.conversation.take_answer().trouble);
    EXPECT_TRUE(asking.conversation.output().empty());
  }
  Asking slow;
  EXPECT_EQ(base::Time{} + 5s, slow.conversation.deadline());
  slow.conversation.fail({.kind = Failure::timed_out});
  EXPECT_FALSE(slow.conversation.may_repeat());
  EXPECT_EQ(State::ended, slow.conversation.state());
}

TEST(Userdb, is_asked_about_a_mailbox_without_its_detail) {
  for (const auto& [recipient, name] : {std::pair{"user@x.example", "user@x.example"},
                                        {"user+a+b@x.example", "user@x.example"},
                                        {"+a@x.example", "+a@x.example"},
                                        {"a@b+c@x.example", "a@b@x.example"},
                                        {"user", "user"},
                                        {"user@x+y.example", "user@x+y.example"},
                                        {"", ""}})
    EXPECT_EQ(name, userdb_name_of(recipient));
}

TEST(Userdb, what_it_says_is_a_standing) {
  EXPECT_EQ(spec::Event::recipient_ours, standing_of({.kind = Kind::user}, "unix:/a").event);
  EXPECT_EQ(spec::Event::recipient_unknown, standing_of({.kind = Kind::no_user}, "unix:/a").event);
  const limits::RecipientStanding failed = standing_of({.trouble = "answered FAIL"}, "unix:/a");
  EXPECT_EQ(spec::Event::recipient_unknowable, failed.event);
  EXPECT_EQ("userdb unix:/a: answered FAIL: whether there is such a user cannot be known", failed.trouble);
}

}  // namespace
}  // namespace postern::ask
