// Hand-over to a mail cluster: what it says becomes one outcome, and no message is lost.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "deliver/lmtp/lmtp.hpp"
#include "spec/limits.hpp"
#include "tests/lmtp_meeting.hpp"

namespace postern::deliver {
namespace {

using namespace std::string_literals;

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

class LmtpOutcomes : public ::testing::TestWithParam<By> {};
INSTANTIATE_TEST_SUITE_P(By, LmtpOutcomes, both_ways, name_of);

// RFC 2033 4.1, 4.2; RFC 1870 6; RFC 6152 2
TEST_P(LmtpOutcomes, says_what_is_to_be_said) {
  Meeting meeting({Manner{}});
  const Outcome outcome = meeting.deliver({"a@x.example", "b c@x.example"});
  EXPECT_EQ(outcome.result, Result::accepted);
  EXPECT_TRUE(std::regex_match(outcome.verdict, std::regex(R"(\d{10} lmtp 2\.0\.0 Saved)"))) << outcome.verdict;
  EXPECT_EQ(meeting.cluster.commands(), (Strings{"LHLO mx.example.org", "MAIL FROM:<me@client.example> SIZE=34",
                                                 "RCPT TO:<a@x.example>", "RCPT TO:<\"b c\"@x.example>", "DATA"}));
  EXPECT_EQ(meeting.cluster.mails(), Strings{"Received: x\r\nSubject: t\r\n\r\nhello\r\n.\r\n"});
}

TEST_P(LmtpOutcomes, asks_for_nothing_that_is_not_offered) {
  Meeting meeting({Manner{.lhlo = "250 cluster\r\n"}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example"}).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.commands()[1], "MAIL FROM:<me@client.example>");
  EXPECT_FALSE(meeting.cluster.was_hasty()) << "without PIPELINING, one command at a time";
}

// RFC 2920 3.1
TEST_P(LmtpOutcomes, sends_the_envelope_at_once_where_pipelining_is_offered) {
  Meeting meeting({Manner{.answers_after_recipients = 3}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example", "c@x.example"}).result, Result::accepted);
}

TEST_P(LmtpOutcomes, serves_a_thousand_recipients_of_any_length) {
  Meeting meeting({Manner{}});
  Strings forward_paths;
  for (int i = 0; i < 1000; ++i) forward_paths.push_back(std::to_string(i) + std::string(80, 'a') + "@x.example");
  EXPECT_EQ(meeting.deliver(forward_paths).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.commands().size(), 1003U);
}

TEST_P(LmtpOutcomes, the_null_reverse_path_is_empty) {
  Meeting meeting({Manner{}});
  Sending lmtp(meeting.way);
  lmtp.begin({}, "Received: x\n", "");
  EXPECT_EQ(lmtp.finish({}, envelope_for({"a@x.example"}, "")).result, Result::accepted);
  EXPECT_TRUE(meeting.cluster.commands()[1].starts_with("MAIL FROM:<> "));
}

TEST_P(LmtpOutcomes, names_each_recipient_once_and_with_a_domain) {
  Meeting meeting({Manner{}});
  EXPECT_EQ(meeting.deliver({"postmaster", "a@x.example", "postmaster", "postmaster@example.org"}).result,
            Result::accepted);
  const Strings commands = meeting.cluster.commands();
  EXPECT_EQ(Strings(commands.begin() + 2, commands.end()),
            (Strings{"RCPT TO:<postmaster@example.org>", "RCPT TO:<a@x.example>", "DATA"}));
}

TEST_P(LmtpOutcomes, takes_replies_in_any_pieces) {
  Meeting meeting({Manner{.delivery = {"250-2.0.0 one\r\n250 2.0.0 two\r\n"}, .answers_octet_by_octet = true}});
  const Outcome outcome = meeting.deliver();
  EXPECT_EQ(outcome.result, Result::accepted);
  EXPECT_TRUE(outcome.verdict.ends_with(" lmtp 2.0.0 one 2.0.0 two")) << outcome.verdict;
}

// RFC 5321 4.5.2
TEST_P(LmtpOutcomes, stuffs_dots_and_passes_every_other_octet) {
  Meeting meeting({Manner{}});
  const std::string odd = ".\n..\nx.\n.a\n\n\x00\xff\x80 \t\n.\n"s;
  EXPECT_EQ(meeting.deliver({"a@x.example"}, odd).result, Result::accepted);
  EXPECT_EQ(meeting.deliver({"a@x.example"}, "no end of line").result, Result::accepted);
  EXPECT_EQ(meeting.cluster.mails(),
            (Strings{"Received: x\r\n..\r\n...\r\nx.\r\n..a\r\n\r\n\x00\xff\x80 \t\r\n..\r\n.\r\n"s,
                     "Received: x\r\nno end of line\r\n.\r\n"}));
}

TEST_P(LmtpOutcomes, a_large_message_goes_through_a_file_and_comes_out_the_same) {
  Meeting meeting({Manner{}});
  std::string large, wire = "Received: x\r\n";
  for (int i = 0; i < 100'000; ++i) {
    const std::string line = (i % 7 == 0 ? "." : "") + std::to_string(i);
    large += line + "\n";
    wire += (i % 7 == 0 ? "." : "") + line + "\r\n";
  }
  EXPECT_EQ(meeting.deliver({"a@x.example"}, large).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.mails().at(0) == wire + ".\r\n", true);
  EXPECT_TRUE(meeting.cluster.commands()[1].ends_with(" SIZE=" + std::to_string(12 + 1 + large.size() + 100'000)));
}

TEST_P(LmtpOutcomes, without_room_for_a_file_the_message_is_deferred) {
  Cluster cluster({Manner{}});
  LmtpSettings settings = settings_for(cluster.address());
  settings.file_folder = "/nonexistent";
  LmtpSettings early = settings;
  early.opens_file_at_once = true;
  Way way(std::move(settings));
  LmtpCluster early_cluster(std::move(early));
  EXPECT_TRUE(Lmtp(early_cluster).begin({}, "", "").contains("ENOENT")) << "which the client is to hear at DATA";
  const Outcome outcome = deliver(way, {"a@x.example"}, std::string(200'000, 'x'));
  expect_deferred(outcome, spec::HandOverText::cannot_store);
  EXPECT_TRUE(outcome.cause.contains("ENOENT")) << outcome.cause;
  EXPECT_EQ(deliver(way).result, Result::accepted) << "small ones need none";
}

TEST_P(LmtpOutcomes, a_file_that_cannot_grow_defers_the_message_and_is_given_back) {
  Meeting meeting({Manner{}});
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{.rlim_cur = 100'000, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  Sending lmtp(meeting.way);
  lmtp.begin({}, "Received: x\n", "me@client.example");
  const std::size_t open_before = open_descriptors();
  lmtp.append(std::string(300'000, 'x'));
  EXPECT_EQ(open_descriptors(), open_before);
  const Outcome outcome = lmtp.finish({}, envelope_for({"a@x.example"}));
  setrlimit(RLIMIT_FSIZE, &before);
  expect_deferred(outcome, spec::HandOverText::cannot_store);
  EXPECT_TRUE(outcome.cause.contains("EFBIG")) << outcome.cause;
  EXPECT_EQ(meeting.cluster.connections(), 0U);
}

// RFC 6152 2, 3; RFC 3463 3.7
TEST_P(LmtpOutcomes, octets_above_ascii_go_only_where_they_are_welcome) {
  const std::string wide = "Subject: t\n\nh\xc3\xa9llo\n";
  Meeting meeting({Manner{}});
  EXPECT_EQ(meeting.deliver({"a@x.example"}, wide).result, Result::accepted);
  EXPECT_TRUE(meeting.cluster.commands()[1].ends_with(" BODY=8BITMIME"));
  EXPECT_EQ(meeting.deliver({"a@x.example"}).result, Result::accepted)
      << "the mark of one message is not the next one's";
  Meeting narrow({Manner{.lhlo = "250-cluster\r\n250 PIPELINING\r\n"}});
  const Outcome outcome = narrow.deliver({"a@x.example"}, wide);
  EXPECT_EQ(outcome.result, Result::refused);
  EXPECT_EQ(outcome.verdict, spec::text_of(spec::HandOverText::no_8bitmime));
  EXPECT_EQ(narrow.deliver({"a@x.example"}).result, Result::accepted);
  EXPECT_EQ(narrow.cluster.mails().size(), 1U);
  EXPECT_EQ(narrow.cluster.connections(), 1U) << "nothing was said that would have to be taken back";
}

// RFC 5321 4.2.5: each kind of answer, wherever it comes
TEST_P(LmtpOutcomes, one_outcome_for_all_recipients) {
  struct Case {
    Manner manner;
    Result result;
    std::string verdict;
  };
  const std::string gone = "550 5.1.1 gone\r\n", full = "452 4.2.2 full\r\n", fine = "250 fine\r\n";
  const std::vector<Case> cases{
      {with_rcpt({fine, gone}), Result::refused, "<b@x.example>: 5.1.1 gone"},
      {with_rcpt({"550 <a@x.example> is gone\r\n"}), Result::refused, "<a@x.example> is gone"},
      {with_rcpt({fine, full}), Result::deferred, "<b@x.example>: 4.2.2 full"},
      {with_rcpt({gone, full}), Result::deferred, "<b@x.example>: 4.2.2 full"},
      {with_delivery({fine, gone}), Result::refused, "<b@x.example>: 5.1.1 gone"},
      {with_delivery({fine, full}), Result::deferred, "<b@x.example>: 4.2.2 full"},
      {with_delivery({gone, full}), Result::deferred, "<b@x.example>: 4.2.2 full"},
      {with_delivery({full, gone}), Result::deferred, "<a@x.example>: 4.2.2 full"},
      {Manner{.mail = "552 5.3.4 too big\r\n"}, Result::refused, "5.3.4 too big"},
      {Manner{.mail = "451 later\r\n"}, Result::deferred, "later"},
      {Manner{.data = "554 no\r\n"}, Result::refused, "no"},
      {Manner{.data = "451 not now\r\n"}, Result::deferred, "not now"},
      {Manner{.data = "554\r\n"}, Result::refused, "mail cluster gives no reason"},
      {with_delivery({"250\r\n", "250\r\n"}), Result::accepted, ""},
  };
  for (const Case& each : cases) {
    Meeting meeting({each.manner});
    const Outcome outcome = meeting.deliver({"a@x.example", "b@x.example"});
    EXPECT_EQ(outcome.result, each.result) << each.verdict;
    if (each.result != Result::accepted) {
      EXPECT_EQ(outcome.verdict, each.verdict);
    }
  }
}

TEST_P(LmtpOutcomes, nobody_gets_anything_when_one_is_refused_at_rcpt) {
  Meeting meeting({Manner{.rcpt = {"250 ok\r\n", "550 gone\r\n", "250 ok\r\n"}}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example", "c@x.example"}).result, Result::refused);
  EXPECT_TRUE(meeting.cluster.mails().empty());
  EXPECT_EQ(meeting.cluster.commands().back(), "RSET");
  EXPECT_EQ(meeting.deliver().result, Result::accepted) << "the connection goes on after RSET";
  EXPECT_EQ(meeting.cluster.connections(), 1U);
}

TEST_P(LmtpOutcomes, what_does_not_speak_lmtp_refuses_no_message) {
  for (const Manner& manner : {Manner{.greeting = "554 go away\r\n"}, Manner{.greeting = "421 busy\r\n"},
                               Manner{.lhlo = "500 what?\r\n"}, Manner{.greeting = "SSH-2.0-x\r\n"}}) {
    Meeting meeting({manner});
    expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
  }
}

TEST_P(LmtpOutcomes, garbage_is_deferred_wherever_it_comes) {
  const std::vector<std::string> garbage{"hello\r\n",     "25\r\n",
                                         "250_ok\r\n",    "999 x\r\n",
                                         "354 again\r\n", "250-a\r\n251 b\r\n",
                                         "160 x\r\n",     "250 " + std::string(3000, 'x') + "\r\n"};
  for (const std::string& reply : garbage) {
    for (const Manner& manner : {Manner{.mail = reply}, with_rcpt({reply}), with_delivery({reply})}) {
      Meeting meeting({manner});
      expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
      EXPECT_TRUE(meeting.cluster.has_open(0)) << "such a connection is not used again";
    }
  }
}

TEST_P(LmtpOutcomes, a_reply_without_end_is_deferred) {
  std::string endless;
  for (int i = 0; i < 101; ++i) endless += "250-more\r\n";
  Meeting meeting({with_delivery({endless + "250 end\r\n"})});
  expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
}

TEST_P(LmtpOutcomes, the_end_of_the_connection_is_deferred_wherever_it_comes) {
  for (const Manner& manner :
       {Manner{.greeting = ""}, Manner{.lhlo = ""}, Manner{.mail = ""}, with_rcpt({""}), Manner{.data = ""},
        with_delivery({""}), with_delivery({"250 ok\r\n", ""}), Manner{.dies_after_data_octets = 100}}) {
    Meeting meeting({manner});
    const Outcome outcome = meeting.deliver({"a@x.example", "b@x.example"}, std::string(2'000'000, 'x'));
    expect_deferred(outcome, spec::HandOverText::cluster_failed);
    EXPECT_TRUE(outcome.cause.contains(meeting.cluster.address())) << outcome.cause;
  }
}

// RFC 5321 3.8
// RFC 5321 3.8. The log says why the connection ended, and not only that it did.
TEST_P(LmtpOutcomes, a_421_before_an_end_is_told) {
  const std::string word = "421 4.3.2 going down\r\n";
  for (const Manner& manner : {with_rcpt({word, ""}), with_delivery({word, ""})}) {
    Meeting meeting({manner});
    const Outcome outcome = meeting.deliver({"a@x.example", "b@x.example"});
    expect_deferred(outcome, spec::HandOverText::cluster_failed);
    EXPECT_TRUE(outcome.cause.starts_with("mail cluster answered 421 4.3.2 going down, connection closed"))
        << outcome.cause;
  }
}

TEST_P(LmtpOutcomes, a_421_in_the_middle_of_mail_data_is_heard) {
  Meeting meeting({Manner{.dies_after_data_octets = 100, .early_word = "421 4.3.2 closing\r\n"}, Manner{}});
  const Outcome outcome = meeting.deliver({"a@x.example"}, std::string(2'000'000, 'x'));
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.verdict, "4.3.2 closing");
  EXPECT_EQ(outcome.cause, "mail cluster answered 421");
  EXPECT_EQ(meeting.cluster.connections(), 1U) << "something of it was sent";
}

// RFC 5321 4.5.3.2
TEST_P(LmtpOutcomes, silence_is_deferred_wherever_it_comes) {
  for (const Manner& manner :
       {Manner{.mail = "250 a bare LF ends no line\n"}, Manner{.greeting = silence}, Manner{.lhlo = silence},
        Manner{.mail = silence}, with_rcpt({silence}), Manner{.data = silence}, with_delivery({silence})}) {
    Meeting meeting({manner}, impatient);
    const auto begun = std::chrono::steady_clock::now();
    const Outcome outcome = meeting.deliver();
    expect_deferred(outcome, spec::HandOverText::cluster_failed);
    EXPECT_TRUE(outcome.cause.starts_with("timed out: unix:")) << outcome.cause;
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(4));
  }
}

TEST_P(LmtpOutcomes, a_reply_that_trickles_does_not_last_longer_than_its_time) {
  Meeting meeting({Manner{.greeting = "220 " + std::string(100, 'x') + "\r\n",
                          .answers_octet_by_octet = true,
                          .octet_milliseconds = 100}},
                  impatient);
  const auto begun = std::chrono::steady_clock::now();
  expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(3));
}

// RFC 3463 3.5
TEST_P(LmtpOutcomes, a_cluster_that_is_down_is_deferred_at_once) {
  Way nowhere(settings_for("unix:/nonexistent/lmtp"));
  expect_deferred(deliver(nowhere), spec::HandOverText::cluster_unreachable);
  Way refused(settings_for("tcp:127.0.0.1:1"));
  const Outcome outcome = deliver(refused);
  expect_deferred(outcome, spec::HandOverText::cluster_unreachable);
  EXPECT_EQ(outcome.cause, "no connection, ECONNREFUSED: tcp:127.0.0.1:1");
}

TEST_P(LmtpOutcomes, what_the_cluster_says_is_one_printable_line) {
  Meeting meeting({with_delivery({"550-\x1b[2J\"quoted\"\xff\r\n550 " + std::string(1000, 'y') + "\r\n"})});
  const Outcome outcome = meeting.deliver();
  EXPECT_EQ(outcome.verdict.size(), spec::max_verdict_octets);
  EXPECT_TRUE(outcome.verdict.starts_with("<a@x.example>: ?[2J\"quoted\"? yyy")) << outcome.verdict;
}

TEST_P(LmtpOutcomes, an_address_that_cannot_be_written_goes_nowhere) {
  Meeting meeting({Manner{}});
  expect_deferred(meeting.deliver({"a@x.example\r\nRCPT TO:<b@x.example>"}), spec::HandOverText::cannot_store);
  expect_deferred(meeting.deliver({}), spec::HandOverText::cannot_store);
  Sending lmtp(meeting.way);
  expect_deferred(lmtp.finish({}, envelope_for({"a@x.example"})), spec::HandOverText::cannot_store);
  EXPECT_EQ(meeting.cluster.connections(), 0U);
}

TEST_P(LmtpOutcomes, an_abandoned_message_is_gone) {
  Meeting meeting({Manner{}});
  Sending lmtp(meeting.way);
  lmtp.begin({}, "Received: x\n", "me@client.example");
  lmtp.append(std::string(200'000, 'x'));
  lmtp.abandon();
  expect_deferred(lmtp.finish({}, envelope_for({"a@x.example"})), spec::HandOverText::cannot_store);
  lmtp.begin({}, "Received: y\n", "me@client.example");
  EXPECT_EQ(lmtp.finish({}, envelope_for({"a@x.example"})).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.mails(), Strings{"Received: y\r\n.\r\n"});
}

}  // namespace
}  // namespace postern::deliver
