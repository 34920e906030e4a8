// Whether a mail cluster would take a recipient: each reply to each command, each cut, each fault.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/lmtp/probe.hpp"
#include "tests/lmtp_meeting.hpp"

namespace postern::deliver {
namespace {

using namespace std::chrono_literals;
using spec::Event;
using State = base::ClientProtocol::State;

constexpr std::string_view greeting = "220 cluster\r\n", offers = "250-cluster\r\n250-PIPELINING\r\n250 SIZE 1000\r\n",
                           one_by_one = "250 cluster\r\n", fine = "250 fine\r\n",
                           unknown = "550 5.1.1 no such user\r\n", cluster = "unix:/run/lmtp";
constexpr Event ours = Event::recipient_ours, nobody = Event::recipient_unknown, unclear = Event::recipient_unknowable;

class Probing {
 public:
  Probing() { begin(); }
  void begin() { conversation.begin({.reverse_path = {}, .forward_paths = paths_, .message = nullptr}, {}); }
  std::string heard() {
    std::string octets;
    while (is_busy() && !conversation.output().empty()) {
      octets += conversation.output();
      conversation.sent(conversation.output().size(), {});
    }
    said += octets;
    return octets;
  }
  std::string say(std::string_view octets) {
    conversation.receive(octets, {});
    return heard();
  }
  [[nodiscard]] bool is_busy() const { return conversation.state() == State::busy; }
  [[nodiscard]] RecipientStanding standing() { return standing_of(conversation.take_result(), cluster); }

  LmtpTimeouts timeouts{};
  LmtpConversation conversation{"mx.example.org", timeouts};
  std::string said;

 private:
  std::vector<std::string> paths_{"user@x.example"};
};

TEST(LmtpProbe, asks_by_rcpt_and_resets_and_never_says_data) {
  Probing probing;
  EXPECT_EQ("LHLO mx.example.org\r\n", probing.say(greeting));
  EXPECT_EQ("MAIL FROM:<>\r\nRCPT TO:<user@x.example>\r\n", probing.say(offers)) << "no SIZE of nothing";
  EXPECT_EQ("RSET\r\n", probing.say("250 you\r\n250 me\r\n"));
  EXPECT_EQ("", probing.say(fine));
  EXPECT_EQ(State::idle, probing.conversation.state());
  EXPECT_EQ(ours, probing.standing().event);
  probing.begin();
  EXPECT_EQ("MAIL FROM:<>\r\nRCPT TO:<user@x.example>\r\n", probing.heard()) << "over the same connection";
  EXPECT_EQ("RSET\r\n", probing.say("250 you\r\n" + std::string(unknown)));
  probing.say(fine);
  const RecipientStanding refused = probing.standing();
  EXPECT_EQ(nobody, refused.event);
  EXPECT_EQ("550 5.1.1 no such user", refused.words);
}

TEST(LmtpProbe, words_of_a_refusal_are_printable_and_bounded) {
  Probing probing;
  probing.say(greeting);
  probing.say(offers);
  std::string reply = "550-5.1.1 a\033[2Jb\x80\tc\r\n";
  for (int i = 0; i < 20; ++i) reply += "550-" + std::string(100, 'x') + "\r\n";
  probing.say("250 you\r\n" + reply + "550 end\r\n");
  probing.say(fine);
  const RecipientStanding refused = probing.standing();
  ASSERT_EQ(nobody, refused.event);
  EXPECT_TRUE(refused.words.starts_with("550 5.1.1 a?[2Jb??c xxx")) << refused.words;
  EXPECT_EQ(4 + spec::max_verdict_octets, refused.words.size());
}

TEST(LmtpProbe, says_one_command_at_a_time_where_nothing_else_is_offered) {
  Probing probing;
  probing.say(greeting);
  EXPECT_EQ("MAIL FROM:<>\r\n", probing.say(one_by_one));
  EXPECT_EQ("RCPT TO:<user@x.example>\r\n", probing.say(fine));
  EXPECT_EQ("RSET\r\n", probing.say(fine));
}

// What is said as the greeting, and in answer to LHLO, MAIL, RCPT and RSET.
TEST(LmtpProbe, each_reply_to_each_command_is_an_answer) {
  struct Case {
    std::vector<std::string> replies;
    Event event;
    std::string trouble;
  };
  const std::string g(greeting), l(one_by_one), f(fine);
  const std::vector<Case> cases{
      {{g, l, f, f, f}, ours, ""},
      {{g, l, f, "251 will forward\r\n", f}, ours, ""},
      {{g, l, f, "550 5.1.1 no\r\n", f}, nobody, ""},
      {{g, l, f, "501 5.1.3 no\r\n", f}, nobody, ""},
      {{g, l, f, "550-no\r\n550 really\r\n", f}, nobody, ""},
      {{g, l, f, "550\r\n", "500 what?\r\n"}, unclear, "no valid reply, at RCPT"},
      {{g, l, f, f, "550 5.1.1 of RCPT, late\r\n"}, unclear, "no valid reply, at RCPT"},
      {{g, l, f, "450 4.2.1 later\r\n", f}, unclear, "answered 450 4.2.1 later, at RCPT"},
      {{g, l, f, "421 closing\r\n"}, unclear, "answered 421 closing, at RCPT"},
      {{g, l, f, "354 go on\r\n"}, unclear, "no valid reply, at RCPT"},
      {{g, l, f, "yes\r\n"}, unclear, "no valid reply, at MAIL"},
      {{g, l, f, "250-one\r\n251 two\r\n"}, unclear, "no valid reply, at MAIL"},
      {{g, l, f, "550 " + std::string(4000, 'x') + "\r\n"}, unclear, "no valid reply, at MAIL"},
      {{g, l, f, std::string(4000, '5')}, unclear, "no valid reply, at MAIL"},
      {{g, l, "550 5.7.1 not from you\r\n", f}, unclear, "answered 550 5.7.1 not from you, at MAIL"},
      {{g, l, "451\r\n", f}, unclear, "answered 451, at MAIL"},
      {{g, l, "421 closing\r\n"}, unclear, "answered 421 closing, at MAIL"},
      {{g, "550 go away\r\n"}, unclear, "not greeted as LMTP is, at LHLO"},
      {{g, "500 what is LHLO?\r\n"}, unclear, "not greeted as LMTP is, at LHLO"},
      {{"554 no\r\n"}, unclear, "not greeted as LMTP is, at LHLO"},
      {{"421 busy\r\n"}, unclear, "not greeted as LMTP is, at LHLO"},
  };
  for (const Case& each : cases) {
    Probing probing;
    for (const std::string& reply : each.replies) probing.say(reply);
    EXPECT_FALSE(probing.is_busy()) << each.replies.back();
    const RecipientStanding standing = probing.standing();
    EXPECT_EQ(each.event, standing.event) << each.replies.back();
    EXPECT_EQ(each.trouble.empty()
                  ? ""
                  : "mail cluster unix:/run/lmtp: " + each.trouble + ": whether it has a mailbox cannot be known",
              standing.trouble);
    EXPECT_FALSE(probing.said.contains("DATA")) << probing.said;
  }
}

// With PIPELINING the reply to RCPT of a refused MAIL is about MAIL, too.
TEST(LmtpProbe, a_refused_mail_refuses_no_recipient_also_where_both_are_said_at_once) {
  for (const char* replies :
       {"550 not from you\r\n503 MAIL first\r\n", "554 no\r\n550 no\r\n", "452 full\r\n250 fine\r\n"}) {
    Probing probing;
    probing.say(greeting);
    probing.say(offers);
    EXPECT_EQ("RSET\r\n", probing.say(replies));
    probing.say(fine);
    EXPECT_EQ(unclear, probing.standing().event) << replies;
  }
}

TEST(LmtpProbe, is_the_same_however_octets_are_cut) {
  for (const std::string_view answer : {fine, unknown}) {
    const std::vector<std::string> all{std::string(greeting), std::string(offers),
                                       std::string(fine) + std::string(answer), std::string(fine)};
    std::size_t octets = 0;
    for (const std::string& each : all) octets += each.size();
    for (std::size_t cut = 1; cut < octets; ++cut) {
      Probing probing;
      std::size_t at = 0;
      for (const std::string& each : all) {
        const std::size_t within = cut > at && cut < at + each.size() ? cut - at : each.size();
        probing.say(std::string_view(each).substr(0, within));
        if (within < each.size()) probing.say(std::string_view(each).substr(within));
        at += each.size();
      }
      EXPECT_EQ(State::idle, probing.conversation.state()) << cut;
      EXPECT_EQ(answer == fine ? ours : nobody, probing.standing().event) << cut;
    }
  }
}

TEST(LmtpProbe, the_end_and_silence_are_no_answer_wherever_they_come) {
  const std::vector<std::string> all{std::string(greeting), std::string(one_by_one), std::string(fine)};
  for (std::size_t said = 0; said <= all.size(); ++said)
    for (const auto kind : {base::StreamFailure::Kind::closed, base::StreamFailure::Kind::timed_out}) {
      Probing probing;
      for (std::size_t i = 0; i < said; ++i) probing.say(all[i]);
      probing.conversation.fail({.kind = kind});
      EXPECT_EQ(State::ended, probing.conversation.state());
      EXPECT_EQ(unclear, probing.standing().event) << said;
    }
}

// The recipient has its answer, and the connection is of no more use.
TEST(LmtpProbe, the_end_before_the_reply_to_rset_leaves_the_answer) {
  Probing probing;
  for (const std::string_view octets : {greeting, one_by_one, fine, unknown}) probing.say(octets);
  probing.conversation.fail({.kind = base::StreamFailure::Kind::closed});
  EXPECT_EQ(State::ended, probing.conversation.state());
  EXPECT_EQ(nobody, probing.standing().event);
}

// Which of the two is the answer to RCPT, nobody knows.
TEST(LmtpProbe, one_reply_too_many_is_no_answer) {
  for (const char* replies : {"250 me\r\n550 not me\r\n", "550 not me\r\n250 me\r\n"}) {
    Probing probing;
    for (const std::string_view octets : {greeting, one_by_one, fine}) probing.say(octets);
    probing.say(replies);
    EXPECT_EQ(State::ended, probing.conversation.state());
    EXPECT_EQ(unclear, probing.standing().event) << replies;
  }
}

TEST(LmtpProbe, an_idle_connection_that_has_died_is_asked_again) {
  Probing probing;
  for (const std::string_view octets : {greeting, one_by_one, fine, fine, fine}) probing.say(octets);
  ASSERT_EQ(ours, probing.standing().event);
  probing.begin();
  probing.heard();
  probing.conversation.fail({.kind = base::StreamFailure::Kind::closed});
  EXPECT_TRUE(probing.conversation.may_repeat());
}

TEST(LmtpProbe, waits_for_a_cluster_and_uses_its_connection_for_the_message) {
  Cluster peer({{.rcpt = {"250 me\r\n"}}});
  LmtpCluster way(settings_for(peer.address()));
  EXPECT_EQ(ours, probe_by_waiting(way, "postmaster").event);
  Lmtp mail(way);
  mail.begin({}, {}, {});
  EXPECT_EQ(Result::accepted, mail.finish(message, envelope_for({"a@x.example"})).result);
  EXPECT_EQ(1U, peer.connections());
  const std::vector<std::string> commands = peer.commands();
  ASSERT_LE(4U, commands.size());
  EXPECT_EQ("MAIL FROM:<>", commands[1]);
  EXPECT_EQ("RCPT TO:<postmaster@example.org>", commands[2]);
  EXPECT_EQ("RSET", commands[3]);
}

TEST(LmtpProbe, a_cluster_that_closed_its_connection_is_asked_over_another) {
  Cluster peer({{.rcpt = {"550 nobody\r\n"}, .rset = ""}, {.rcpt = {"250 me\r\n"}}});
  LmtpCluster way(settings_for(peer.address()));
  EXPECT_EQ(nobody, probe_by_waiting(way, "a@x.example").event);
  EXPECT_EQ(ours, probe_by_waiting(way, "a@x.example").event);
}

TEST(LmtpProbe, a_cluster_that_is_not_there_or_silent_is_no_answer_in_time) {
  LmtpCluster gone(settings_for("unix:/nonexistent/lmtp"));
  EXPECT_EQ("mail cluster unix:/nonexistent/lmtp: no connection, ENOENT: whether it has a mailbox cannot be known",
            probe_by_waiting(gone, "a@x.example").trouble);
  Cluster peer({{.mail = silence}});
  LmtpCluster silent(settings_for(peer.address(), {.reply_seconds = 600}));
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(unclear, probe_by_waiting(silent, "a@x.example").event);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, (spec::max_probe_seconds + 5) * 1s);
}

TEST(LmtpProbe, a_recipient_that_no_command_can_name_is_not_asked_about) {
  LmtpCluster gone(settings_for("unix:/nonexistent/lmtp"));
  for (const std::string recipient : {"", "a\r\nDATA@x.example"}) {
    EXPECT_EQ(
        "mail cluster unix:/nonexistent/lmtp: a recipient that RCPT cannot name: whether it has a mailbox cannot be "
        "known",
        probe_by_waiting(gone, recipient).trouble);
  }
}

}  // namespace
}  // namespace postern::deliver
