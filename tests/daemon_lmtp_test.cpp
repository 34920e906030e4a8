// Hand-over to a mail cluster: what it says becomes one outcome, nobody loses mail, and as few as can be get it twice.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/lmtp.hpp"
#include "spec/limits.hpp"
#include "spec/policy_row.hpp"
#include "tests/lmtp_cluster.hpp"

namespace postern::daemon {
namespace {

using Result = Outcome::Result;
using namespace std::string_literals;
using Strings = std::vector<std::string>;

const std::string message = "Subject: t\n\nhello\n";

std::string envelope_for(const Strings& forward_paths, const std::string& reverse_path = "me@client.example") {
  std::string octets = 'F' + reverse_path + '\0';
  for (const std::string& forward_path : forward_paths) octets += 'T' + forward_path + '\0';
  return octets + '\0';
}

LmtpSettings settings_for(const std::string& address) {
  LmtpSettings settings{.address = parse_lmtp_address(address).value(),
                        .host = "mx.example.org",
                        .default_domain = "example.org",
                        .file_folder = testing::TempDir()};
  settings.timeouts = {.connect_seconds = 1, .reply_seconds = 1, .delivery_seconds = 1};
  return settings;
}

Outcome deliver(LmtpPool& pool, const Strings& forward_paths = {"a@x.example"}, const std::string& mail = message) {
  Lmtp lmtp(pool);
  lmtp.begin("Received: x\n", "me@client.example");
  lmtp.write(mail);
  return lmtp.finish(envelope_for(forward_paths));
}

struct Meeting {
  explicit Meeting(std::vector<Manner> manners) : cluster(std::move(manners)), pool(settings_for(cluster.address())) {}

  [[nodiscard]] Outcome deliver(const Strings& forward_paths = {"a@x.example"}, const std::string& mail = message) {
    return daemon::deliver(pool, forward_paths, mail);
  }

  Cluster cluster;
  LmtpPool pool;
};

void expect_deferred(const Outcome& outcome, spec::HandOverText text) {
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.verdict, spec::text_of(text));
  EXPECT_FALSE(outcome.cause.empty());
}

Manner with_rcpt(Strings replies) { return {.rcpt = std::move(replies)}; }
Manner with_delivery(Strings replies) { return {.delivery = std::move(replies)}; }

// RFC 2033 4.1, 4.2; RFC 1870 6; RFC 6152 2
TEST(Lmtp, says_what_is_to_be_said) {
  Meeting meeting({Manner{}});
  const Outcome outcome = meeting.deliver({"a@x.example", "b c@x.example"});
  EXPECT_EQ(outcome.result, Result::accepted);
  EXPECT_TRUE(std::regex_match(outcome.verdict, std::regex(R"(\d{10} lmtp 2\.0\.0 Saved)"))) << outcome.verdict;
  EXPECT_EQ(meeting.cluster.commands(),
            (Strings{"LHLO mx.example.org", "MAIL FROM:<me@client.example> SIZE=34 BODY=8BITMIME",
                     "RCPT TO:<a@x.example>", "RCPT TO:<\"b c\"@x.example>", "DATA"}));
  EXPECT_EQ(meeting.cluster.mails(), Strings{"Received: x\r\nSubject: t\r\n\r\nhello\r\n.\r\n"});
}

TEST(Lmtp, asks_for_nothing_that_is_not_offered) {
  Meeting meeting({Manner{.lhlo = "250 cluster\r\n"}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example"}).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.commands()[1], "MAIL FROM:<me@client.example>");
  EXPECT_FALSE(meeting.cluster.was_hasty()) << "without PIPELINING, one command at a time";
}

// RFC 2920 3.1
TEST(Lmtp, sends_the_envelope_at_once_where_pipelining_is_offered) {
  Meeting meeting({Manner{.answers_after_recipients = 3}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example", "c@x.example"}).result, Result::accepted);
}

TEST(Lmtp, serves_a_thousand_recipients_of_any_length) {
  Meeting meeting({Manner{}});
  Strings forward_paths;
  for (int i = 0; i < 1000; ++i) forward_paths.push_back(std::to_string(i) + std::string(80, 'a') + "@x.example");
  EXPECT_EQ(meeting.deliver(forward_paths).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.commands().size(), 1003U);
}

TEST(Lmtp, the_null_reverse_path_is_empty) {
  Meeting meeting({Manner{}});
  Lmtp lmtp(meeting.pool);
  lmtp.begin("Received: x\n", "");
  EXPECT_EQ(lmtp.finish(envelope_for({"a@x.example"}, "")).result, Result::accepted);
  EXPECT_TRUE(meeting.cluster.commands()[1].starts_with("MAIL FROM:<> "));
}

TEST(Lmtp, names_each_recipient_once_and_with_a_domain) {
  Meeting meeting({Manner{}});
  EXPECT_EQ(meeting.deliver({"postmaster", "a@x.example", "postmaster", "postmaster@example.org"}).result,
            Result::accepted);
  const Strings commands = meeting.cluster.commands();
  EXPECT_EQ(Strings(commands.begin() + 2, commands.end()),
            (Strings{"RCPT TO:<postmaster@example.org>", "RCPT TO:<a@x.example>", "DATA"}));
}

TEST(Lmtp, takes_replies_in_any_pieces) {
  Meeting meeting({Manner{.delivery = {"250-2.0.0 one\r\n250 2.0.0 two\r\n"}, .answers_octet_by_octet = true}});
  const Outcome outcome = meeting.deliver();
  EXPECT_EQ(outcome.result, Result::accepted);
  EXPECT_TRUE(outcome.verdict.ends_with(" lmtp 2.0.0 one 2.0.0 two")) << outcome.verdict;
}

// RFC 5321 4.5.2
TEST(Lmtp, stuffs_dots_and_passes_every_other_octet) {
  Meeting meeting({Manner{}});
  const std::string odd = ".\n..\nx.\n.a\n\n\x00\xff\x80 \t\n.\n"s;
  EXPECT_EQ(meeting.deliver({"a@x.example"}, odd).result, Result::accepted);
  EXPECT_EQ(meeting.deliver({"a@x.example"}, "no end of line").result, Result::accepted);
  EXPECT_EQ(meeting.cluster.mails(),
            (Strings{"Received: x\r\n..\r\n...\r\nx.\r\n..a\r\n\r\n\x00\xff\x80 \t\r\n..\r\n.\r\n"s,
                     "Received: x\r\nno end of line\r\n.\r\n"}));
}

TEST(Lmtp, a_large_message_goes_through_a_file_and_comes_out_the_same) {
  Meeting meeting({Manner{}});
  std::string large, wire = "Received: x\r\n";
  for (int i = 0; i < 100'000; ++i) {
    const std::string line = (i % 7 == 0 ? "." : "") + std::to_string(i);
    large += line + "\n";
    wire += (i % 7 == 0 ? "." : "") + line + "\r\n";
  }
  EXPECT_EQ(meeting.deliver({"a@x.example"}, large).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.mails().at(0) == wire + ".\r\n", true);
  EXPECT_TRUE(meeting.cluster.commands()[1].contains(" SIZE=" + std::to_string(12 + 1 + large.size() + 100'000) + " "));
}

TEST(Lmtp, without_room_for_a_file_the_message_is_deferred) {
  Cluster cluster({Manner{}});
  LmtpSettings settings = settings_for(cluster.address());
  settings.file_folder = "/nonexistent";
  LmtpPool pool(std::move(settings));
  const Outcome outcome = deliver(pool, {"a@x.example"}, std::string(200'000, 'x'));
  expect_deferred(outcome, spec::HandOverText::cannot_store);
  EXPECT_TRUE(outcome.cause.contains("ENOENT")) << outcome.cause;
  EXPECT_EQ(deliver(pool).result, Result::accepted) << "small ones need none";
}

// RFC 5321 4.2.5: each kind of answer, wherever it comes
TEST(Lmtp, one_outcome_for_all_recipients) {
  struct Case {
    Manner manner;
    Result result;
    std::string verdict;
  };
  const std::string gone = "550 5.1.1 gone\r\n", full = "452 4.2.2 full\r\n", fine = "250 fine\r\n";
  const std::vector<Case> cases{
      {with_rcpt({fine, gone}), Result::refused, "<b@x.example>: 550 5.1.1 gone"},
      {with_rcpt({"550 <a@x.example> is gone\r\n"}), Result::refused, "550 <a@x.example> is gone"},
      {with_rcpt({fine, full}), Result::deferred, "<b@x.example>: 452 4.2.2 full"},
      {with_rcpt({gone, full}), Result::deferred, "<b@x.example>: 452 4.2.2 full"},
      {with_delivery({fine, gone}), Result::refused, "<b@x.example>: 550 5.1.1 gone"},
      {with_delivery({fine, full}), Result::deferred, "<b@x.example>: 452 4.2.2 full"},
      {with_delivery({gone, full}), Result::deferred, "<b@x.example>: 452 4.2.2 full"},
      {with_delivery({full, gone}), Result::deferred, "<a@x.example>: 452 4.2.2 full"},
      {Manner{.mail = "552 5.3.4 too big\r\n"}, Result::refused, "552 5.3.4 too big"},
      {Manner{.mail = "451 later\r\n"}, Result::deferred, "451 later"},
      {Manner{.data = "554 no\r\n"}, Result::refused, "554 no"},
      {Manner{.data = "451 not now\r\n"}, Result::deferred, "451 not now"},
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

TEST(Lmtp, nobody_gets_anything_when_one_is_refused_at_rcpt) {
  Meeting meeting({Manner{.rcpt = {"250 ok\r\n", "550 gone\r\n", "250 ok\r\n"}}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example", "c@x.example"}).result, Result::refused);
  EXPECT_TRUE(meeting.cluster.mails().empty());
  EXPECT_EQ(meeting.cluster.commands().back(), "RSET");
  EXPECT_EQ(meeting.deliver().result, Result::accepted) << "the connection goes on behind RSET";
  EXPECT_EQ(meeting.cluster.connections(), 1U);
}

TEST(Lmtp, what_does_not_speak_lmtp_refuses_no_message) {
  for (const Manner& manner : {Manner{.greeting = "554 go away\r\n"}, Manner{.greeting = "421 busy\r\n"},
                               Manner{.lhlo = "500 what?\r\n"}, Manner{.greeting = "SSH-2.0-x\r\n"}}) {
    Meeting meeting({manner});
    expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
  }
}

TEST(Lmtp, garbage_is_deferred_wherever_it_comes) {
  const std::vector<std::string> garbage{
      "hello\r\n",          "25\r\n",        "250_ok\r\n",
      "999 x\r\n",          "354 again\r\n", "250-a\r\n251 b\r\n",
      "250 bare\n250 lf\n", "160 x\r\n",     "250 " + std::string(3000, 'x') + "\r\n"};
  for (const std::string& reply : garbage) {
    for (const Manner& manner : {Manner{.mail = reply}, with_rcpt({reply}), with_delivery({reply})}) {
      Meeting meeting({manner});
      expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
      EXPECT_EQ(meeting.pool.idle(), 0U) << "such a connection is not used again";
    }
  }
}

TEST(Lmtp, a_reply_without_end_is_deferred) {
  std::string endless;
  for (int i = 0; i < 101; ++i) endless += "250-more\r\n";
  Meeting meeting({with_delivery({endless + "250 end\r\n"})});
  expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
}

TEST(Lmtp, the_end_of_the_connection_is_deferred_wherever_it_comes) {
  for (const Manner& manner :
       {Manner{.greeting = ""}, Manner{.lhlo = ""}, Manner{.mail = ""}, with_rcpt({""}), Manner{.data = ""},
        with_delivery({""}), with_delivery({"250 ok\r\n", ""}), Manner{.dies_after_data_octets = 100}}) {
    Meeting meeting({manner});
    const Outcome outcome = meeting.deliver({"a@x.example", "b@x.example"}, std::string(2'000'000, 'x'));
    expect_deferred(outcome, spec::HandOverText::cluster_failed);
    EXPECT_TRUE(outcome.cause.contains(meeting.cluster.address())) << outcome.cause;
  }
}

// RFC 5321 4.5.3.2
TEST(Lmtp, silence_is_deferred_wherever_it_comes) {
  for (const Manner& manner : {Manner{.greeting = silence}, Manner{.lhlo = silence}, Manner{.mail = silence},
                               with_rcpt({silence}), Manner{.data = silence}, with_delivery({silence})}) {
    Meeting meeting({manner});
    const auto begun = std::chrono::steady_clock::now();
    const Outcome outcome = meeting.deliver();
    expect_deferred(outcome, spec::HandOverText::cluster_failed);
    EXPECT_TRUE(outcome.cause.starts_with("timed out: unix:")) << outcome.cause;
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(4));
  }
}

TEST(Lmtp, a_reply_that_trickles_does_not_last_longer_than_its_time) {
  Meeting meeting({Manner{
      .greeting = "220 " + std::string(100, 'x') + "\r\n", .answers_octet_by_octet = true, .octet_milliseconds = 100}});
  const auto begun = std::chrono::steady_clock::now();
  expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(3));
}

TEST(Lmtp, a_cluster_that_is_down_is_deferred_at_once) {
  LmtpPool nowhere(settings_for("unix:/nonexistent/lmtp"));
  expect_deferred(deliver(nowhere), spec::HandOverText::cluster_unreachable);
  LmtpPool refused(settings_for("tcp:127.0.0.1:1"));
  const Outcome outcome = deliver(refused);
  expect_deferred(outcome, spec::HandOverText::cluster_unreachable);
  EXPECT_EQ(outcome.cause, "no connection, ECONNREFUSED: tcp:127.0.0.1:1");
}

TEST(Lmtp, what_the_cluster_says_is_one_printable_line) {
  Meeting meeting({with_delivery({"550-\x1b[2J\"quoted\"\xff\r\n550 " + std::string(1000, 'y') + "\r\n"})});
  const Outcome outcome = meeting.deliver();
  EXPECT_EQ(outcome.verdict.size(), spec::max_verdict_octets);
  EXPECT_TRUE(outcome.verdict.starts_with("<a@x.example>: 550 ?[2J\"quoted\"? yyy")) << outcome.verdict;
}

TEST(Lmtp, an_address_that_cannot_be_written_goes_nowhere) {
  Meeting meeting({Manner{}});
  expect_deferred(meeting.deliver({"a@x.example\r\nRCPT TO:<b@x.example>"}), spec::HandOverText::cannot_store);
  expect_deferred(meeting.deliver({}), spec::HandOverText::cannot_store);
  Lmtp lmtp(meeting.pool);
  expect_deferred(lmtp.finish(envelope_for({"a@x.example"})), spec::HandOverText::cannot_store);
  EXPECT_EQ(meeting.cluster.connections(), 0U);
}

TEST(Lmtp, an_abandoned_message_is_gone) {
  Meeting meeting({Manner{}});
  Lmtp lmtp(meeting.pool);
  lmtp.begin("Received: x\n", "me@client.example");
  lmtp.write(std::string(200'000, 'x'));
  lmtp.abandon();
  expect_deferred(lmtp.finish(envelope_for({"a@x.example"})), spec::HandOverText::cannot_store);
  lmtp.begin("Received: y\n", "me@client.example");
  EXPECT_EQ(lmtp.finish(envelope_for({"a@x.example"})).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.mails(), Strings{"Received: y\r\n.\r\n"});
}

// ---- connections

TEST(LmtpConnections, are_used_again) {
  Meeting meeting({Manner{}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(meeting.deliver().result, Result::accepted);
  EXPECT_EQ(meeting.cluster.connections(), 1U);
  EXPECT_EQ(std::ranges::count(meeting.cluster.commands(), "LHLO mx.example.org"), 1);
}

TEST(LmtpConnections, one_that_ended_while_idle_is_replaced) {
  Cluster other({Manner{}});
  LmtpPool pool(settings_for(other.address()));
  EXPECT_EQ(deliver(pool).result, Result::accepted);
  other.stop();
  EXPECT_EQ(pool.idle(), 1U);
  expect_deferred(deliver(pool), spec::HandOverText::cluster_unreachable);
  EXPECT_EQ(pool.idle(), 0U);
}

TEST(LmtpConnections, one_that_ends_at_mail_is_replaced_once) {
  for (const std::string last_word : {"", "421 4.4.2 idle too long\r\n"}) {  // until its second MAIL it looks alive
    Meeting meeting({Manner{.second = {last_word, ""}}, Manner{}});
    EXPECT_EQ(meeting.deliver().result, Result::accepted);
    EXPECT_EQ(meeting.deliver().result, Result::accepted);
    EXPECT_EQ(meeting.cluster.connections(), 2U);
    EXPECT_EQ(meeting.cluster.mails().size(), 2U);
  }
}

TEST(LmtpConnections, one_that_ends_later_is_not_replaced) {
  Meeting meeting({Manner{.second = {"250 ok\r\n", ""}}, Manner{}});
  EXPECT_EQ(meeting.deliver().result, Result::accepted);
  expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
  EXPECT_EQ(meeting.cluster.connections(), 1U);
}

TEST(LmtpConnections, a_new_one_that_ends_at_mail_is_not_replaced) {
  Meeting meeting({Manner{.mail = ""}, Manner{}});
  expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
  EXPECT_EQ(meeting.cluster.connections(), 1U);
}

TEST(LmtpConnections, one_with_an_unasked_word_is_not_used_again) {
  Meeting meeting({with_delivery({"250 ok\r\n250 and more\r\n"})});
  EXPECT_EQ(meeting.deliver().result, Result::accepted);
  EXPECT_EQ(meeting.deliver().result, Result::accepted);
  EXPECT_EQ(meeting.cluster.connections(), 2U);
}

TEST(LmtpConnections, only_so_many_are_kept_and_only_so_long) {
  Cluster cluster({Manner{}});
  LmtpSettings settings = settings_for(cluster.address());
  settings.max_idle = 2;
  settings.idle_seconds = 1;
  LmtpPool pool(settings);
  const auto fresh = [&] { return LmtpLink::open(settings.address, settings.host, settings.timeouts).value(); };
  for (int i = 0; i < 3; ++i) pool.give_back(fresh());
  EXPECT_EQ(pool.idle(), 2U);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  pool.close_old();
  EXPECT_EQ(pool.idle(), 0U);
  EXPECT_FALSE(pool.take().has_value());
}

TEST(LmtpConnections, many_threads_share_them) {
  Meeting meeting({Manner{}});
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        for (int j = 0; j < 20; ++j) EXPECT_EQ(meeting.deliver().result, Result::accepted);
      });
  }
  EXPECT_EQ(meeting.cluster.mails().size(), 160U);
  EXPECT_LE(meeting.cluster.connections(), 160U / 2) << "they are used again";
  EXPECT_LE(meeting.pool.idle(), meeting.pool.settings().max_idle);
}

// ---- RFC 2033 4.2, RFC 5321 6.1: sent again, and not taken twice

const std::string kept = "250 kept\r\n", full = "452 full\r\n", refused = "550 gone\r\n";

// Who is named by RCPT in each transaction.
std::vector<Strings> transactions(Cluster& cluster) {
  std::vector<Strings> all;
  for (const std::string& command : cluster.commands()) {
    if (command.starts_with("MAIL ")) all.emplace_back();
    if (command.starts_with("RCPT ")) all.back().push_back(command.substr(9, command.size() - 10));
  }
  return all;
}

Manner one_transaction(Strings delivery) { return {.delivery = std::move(delivery), .closes_after_mail = true}; }

const Strings three{"a@x.example", "b@x.example", "c@x.example"};

TEST(LmtpTakenBefore, those_who_took_it_are_spared_when_it_comes_again) {
  Meeting meeting({one_transaction({kept, full, kept}), one_transaction({full}), Manner{}});
  EXPECT_EQ(meeting.deliver(three).result, Result::deferred);
  EXPECT_EQ(meeting.deliver(three).result, Result::deferred);
  EXPECT_EQ(meeting.deliver(three).result, Result::accepted);
  EXPECT_EQ(meeting.deliver(three).result, Result::accepted) << "once accepted, the same message is a new one";
  EXPECT_EQ(transactions(meeting.cluster), (std::vector<Strings>{three, {"b@x.example"}, {"b@x.example"}, three}));
}

TEST(LmtpTakenBefore, nobody_is_asked_when_everybody_has_it) {
  Meeting meeting({one_transaction({kept, full}), Manner{}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example"}).result, Result::deferred);
  const Outcome outcome = meeting.deliver({"a@x.example"});  // a client that sends to each by itself
  EXPECT_EQ(outcome.result, Result::accepted);
  EXPECT_TRUE(std::regex_match(outcome.verdict, std::regex(R"(\d{10} lmtp)"))) << outcome.verdict;
  EXPECT_EQ(meeting.cluster.connections(), 1U);
  EXPECT_EQ(meeting.deliver({"b@x.example"}).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.mails().size(), 2U);
}

TEST(LmtpTakenBefore, another_message_sender_or_recipient_is_not_spared) {
  Meeting meeting({one_transaction({kept, full}), Manner{}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example"}).result, Result::deferred);
  EXPECT_EQ(meeting.deliver({"a@x.example"}, message + "!").result, Result::accepted);
  EXPECT_EQ(meeting.deliver({"A@x.example"}).result, Result::accepted);
  Lmtp lmtp(meeting.pool);
  lmtp.begin("Received: x\n", "other@client.example");
  lmtp.write(message);
  EXPECT_EQ(lmtp.finish(envelope_for({"a@x.example"}, "other@client.example")).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.mails().size(), 4U);
}

TEST(LmtpTakenBefore, another_received_field_is_the_same_message) {
  Meeting meeting({one_transaction({kept, full}), Manner{}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example"}).result, Result::deferred);
  Lmtp lmtp(meeting.pool);
  lmtp.begin("Received: at another time\n", "me@client.example");
  for (const char octet : message) lmtp.write({&octet, 1});
  EXPECT_EQ(lmtp.finish(envelope_for({"a@x.example", "b@x.example"})).result, Result::accepted);
  EXPECT_EQ(transactions(meeting.cluster).back(), Strings{"b@x.example"});
}

TEST(LmtpTakenBefore, the_log_hears_how_many_took_it) {
  Meeting meeting({one_transaction({kept, full, kept}), one_transaction({refused}), Manner{.delivery = {kept, ""}}});
  EXPECT_EQ(meeting.deliver(three).cause, "2 of 3 recipients took it");
  EXPECT_EQ(meeting.deliver(three).result, Result::refused);
  const Outcome outcome = meeting.deliver(three);
  EXPECT_TRUE(outcome.cause.ends_with("at delivery, 1 of 3 recipients took it")) << outcome.cause;
  EXPECT_EQ(transactions(meeting.cluster).back(), three) << "a refusal ends it, too";
  EXPECT_EQ(meeting.deliver(three).result, Result::deferred);
  EXPECT_EQ(transactions(meeting.cluster).back(), (Strings{"b@x.example", "c@x.example"}));
}

}  // namespace
}  // namespace postern::daemon
