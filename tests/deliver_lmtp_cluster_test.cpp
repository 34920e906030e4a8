// Connections to a mail cluster are used again, and no recipient gets a message twice that comes twice.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "deliver/lmtp/lmtp.hpp"
#include "tests/lmtp_meeting.hpp"

namespace postern::deliver {
namespace {

class LmtpConnections : public ::testing::TestWithParam<By> {};
INSTANTIATE_TEST_SUITE_P(By, LmtpConnections, both_ways, name_of);

class LmtpTakenBefore : public ::testing::TestWithParam<By> {};
INSTANTIATE_TEST_SUITE_P(By, LmtpTakenBefore, both_ways, name_of);

// ---- connections

TEST_P(LmtpConnections, are_used_again) {
  Meeting meeting({Manner{}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(meeting.deliver().result, Result::accepted);
  EXPECT_EQ(meeting.cluster.connections(), 1U);
  EXPECT_EQ(std::ranges::count(meeting.cluster.commands(), "LHLO mx.example.org"), 1);
}

TEST_P(LmtpConnections, one_that_ended_while_idle_is_replaced) {
  Cluster other({Manner{}});
  Way way(settings_for(other.address()));
  EXPECT_EQ(deliver(way).result, Result::accepted);
  other.stop();
  expect_deferred(deliver(way), spec::HandOverText::cluster_unreachable);
}

TEST_P(LmtpConnections, one_that_ends_at_mail_is_replaced_once) {
  for (const std::string last_word : {"", "421 4.4.2 idle too long\r\n"}) {  // until its second MAIL it looks alive
    Meeting meeting({Manner{.second = {last_word, ""}}, Manner{}});
    EXPECT_EQ(meeting.deliver().result, Result::accepted);
    EXPECT_EQ(meeting.deliver().result, Result::accepted);
    EXPECT_EQ(meeting.cluster.connections(), 2U);
    EXPECT_EQ(meeting.cluster.mails().size(), 2U);
  }
}

TEST_P(LmtpConnections, one_that_ends_later_is_not_replaced) {
  Meeting meeting({Manner{.second = {"250 ok\r\n", ""}}, Manner{}});
  EXPECT_EQ(meeting.deliver().result, Result::accepted);
  expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
  EXPECT_EQ(meeting.cluster.connections(), 1U);
}

TEST_P(LmtpConnections, a_new_one_that_ends_at_mail_is_not_replaced) {
  Meeting meeting({Manner{.mail = ""}, Manner{}});
  expect_deferred(meeting.deliver(), spec::HandOverText::cluster_failed);
  EXPECT_EQ(meeting.cluster.connections(), 1U);
}

TEST_P(LmtpConnections, one_with_an_unasked_word_is_not_used_again) {
  Meeting meeting({with_delivery({"250 ok\r\n250 and more\r\n"})});
  EXPECT_EQ(meeting.deliver().result, Result::accepted);
  EXPECT_TRUE(meeting.cluster.has_open(0));
  EXPECT_EQ(meeting.deliver().result, Result::accepted);
  EXPECT_EQ(meeting.cluster.connections(), 2U);
}

TEST_P(LmtpConnections, a_word_said_while_idle_answers_no_command) {
  Meeting meeting({Manner{.late_word = "250 as if asked\r\n"}, Manner{.mail = "451 no\r\n"}});
  EXPECT_EQ(meeting.deliver().result, Result::accepted);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(meeting.deliver().verdict, "no");
  EXPECT_EQ(meeting.cluster.connections(), 2U);
}

TEST_P(LmtpConnections, one_that_says_421_is_left_at_once) {
  Meeting meeting({Manner{.rcpt = {"421 closing\r\n"}, .rset = silence}});
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(meeting.deliver().verdict, "<a@x.example>: closing");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  EXPECT_TRUE(meeting.cluster.has_open(0));
}

TEST_P(LmtpConnections, are_kept_only_so_long) {
  Cluster cluster({Manner{}});
  LmtpSettings settings = settings_for(cluster.address());
  settings.idle_seconds = 1;
  Way way(settings);
  EXPECT_EQ(deliver(way).result, Result::accepted);
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  EXPECT_EQ(deliver(way).result, Result::accepted);
  EXPECT_EQ(cluster.connections(), 2U);
}

// ---- RFC 2033 4.2, RFC 5321 6.1: sent again, and not taken twice

const std::string kept = "250 kept\r\n", full = "452 full\r\n", refused = "550 gone\r\n";

// The recipients that RCPT names in each transaction.
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

TEST_P(LmtpTakenBefore, those_who_took_it_are_spared_when_it_comes_again) {
  Meeting meeting({one_transaction({kept, full, kept}), one_transaction({full}), Manner{}});
  EXPECT_EQ(meeting.deliver(three).result, Result::deferred);
  EXPECT_EQ(meeting.deliver(three).result, Result::deferred);
  EXPECT_EQ(meeting.deliver(three).result, Result::accepted);
  EXPECT_EQ(meeting.deliver(three).result, Result::accepted) << "once accepted, the same message is a new one";
  EXPECT_EQ(transactions(meeting.cluster), (std::vector<Strings>{three, {"b@x.example"}, {"b@x.example"}, three}));
}

TEST_P(LmtpTakenBefore, nobody_is_asked_when_everybody_has_it) {
  Meeting meeting({one_transaction({kept, full}), Manner{}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example"}).result, Result::deferred);
  const Outcome outcome = meeting.deliver({"a@x.example"});  // a client that sends to each by itself
  EXPECT_EQ(outcome.result, Result::accepted);
  EXPECT_TRUE(std::regex_match(outcome.verdict, std::regex(R"(\d{10} lmtp)"))) << outcome.verdict;
  EXPECT_EQ(meeting.cluster.connections(), 1U);
  EXPECT_EQ(meeting.deliver({"b@x.example"}).result, Result::accepted);
  EXPECT_EQ(meeting.deliver({"a@x.example"}).result, Result::accepted);
  EXPECT_EQ(transactions(meeting.cluster).back(), Strings{"a@x.example"}) << "spared once, and no more";
}

// What would be lost mail: RCPT was taken, and nothing was delivered.
TEST_P(LmtpTakenBefore, who_was_only_taken_at_rcpt_is_not_spared) {
  Meeting meeting({with_rcpt({kept, full, kept, kept})});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example"}).result, Result::deferred);
  Meeting other({Manner{.delivery = {""}}, Manner{}});
  EXPECT_EQ(other.deliver({"a@x.example", "b@x.example"}).result, Result::deferred);
  for (Meeting* each : {&meeting, &other}) {
    EXPECT_EQ(each->deliver({"a@x.example"}).result, Result::accepted);
    EXPECT_EQ(each->cluster.mails().size(), each == &other ? 2U : 1U);
    EXPECT_EQ(transactions(each->cluster).back(), Strings{"a@x.example"});
  }
}

TEST_P(LmtpTakenBefore, one_hand_over_serves_one_message_after_the_other) {
  Meeting meeting({one_transaction({kept, full}), Manner{}});
  Sending lmtp(meeting.way);
  const auto send = [&](const std::string& mail) {
    lmtp.begin({}, "Received: x\n", "me@client.example");
    lmtp.append(mail);
    return lmtp.finish({}, envelope_for({"a@x.example", "b@x.example"})).result;
  };
  EXPECT_EQ(send(message), Result::deferred);
  EXPECT_EQ(send("another\n"), Result::accepted);
  EXPECT_EQ(send(message), Result::accepted);
  EXPECT_EQ(transactions(meeting.cluster).back(), Strings{"b@x.example"});
}

TEST_P(LmtpTakenBefore, are_remembered_as_long_as_the_client_tries_again) {
  Cluster cluster({one_transaction({kept, full}), one_transaction({full}), Manner{}});
  LmtpSettings settings = settings_for(cluster.address());
  settings.taken_seconds = 4;
  Way way(std::move(settings));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(deliver(way, {"a@x.example", "b@x.example"}).result, Result::deferred);
    std::this_thread::sleep_for(std::chrono::seconds(3));
  }
  EXPECT_EQ(deliver(way, {"a@x.example", "b@x.example"}).result, Result::accepted);
  EXPECT_EQ(transactions(cluster).back(), Strings{"b@x.example"});
}

TEST_P(LmtpTakenBefore, another_message_sender_or_recipient_is_not_spared) {
  Meeting meeting({one_transaction({kept, full}), Manner{}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example"}).result, Result::deferred);
  EXPECT_EQ(meeting.deliver({"a@x.example"}, message + "!").result, Result::accepted);
  EXPECT_EQ(meeting.deliver({"A@x.example"}).result, Result::accepted);
  Sending lmtp(meeting.way);
  lmtp.begin({}, "Received: x\n", "other@client.example");
  lmtp.append(message);
  EXPECT_EQ(lmtp.finish({}, envelope_for({"a@x.example"}, "other@client.example")).result, Result::accepted);
  EXPECT_EQ(meeting.cluster.mails().size(), 4U);
}

TEST_P(LmtpTakenBefore, another_received_field_is_the_same_message) {
  Meeting meeting({one_transaction({kept, full}), Manner{}});
  EXPECT_EQ(meeting.deliver({"a@x.example", "b@x.example"}).result, Result::deferred);
  Sending lmtp(meeting.way);
  lmtp.begin({}, "Received: at another time\n", "me@client.example");
  for (const char octet : message) lmtp.append({&octet, 1});
  EXPECT_EQ(lmtp.finish({}, envelope_for({"a@x.example", "b@x.example"})).result, Result::accepted);
  EXPECT_EQ(transactions(meeting.cluster).back(), Strings{"b@x.example"});
}

TEST_P(LmtpTakenBefore, the_log_hears_how_many_took_it) {
  Meeting meeting({one_transaction({kept, full, kept}), one_transaction({refused}), Manner{.delivery = {kept, ""}}});
  EXPECT_EQ(meeting.deliver(three).cause, "mail cluster answered 452, 2 of 3 recipients took it");
  EXPECT_EQ(meeting.deliver(three).result, Result::refused);
  const Outcome outcome = meeting.deliver(three);
  EXPECT_TRUE(outcome.cause.ends_with("at delivery, 1 of 3 recipients took it")) << outcome.cause;
  EXPECT_EQ(transactions(meeting.cluster).back(), three) << "a refusal ends it, too";
  EXPECT_EQ(meeting.deliver(three).result, Result::deferred);
  EXPECT_EQ(transactions(meeting.cluster).back(), (Strings{"b@x.example", "c@x.example"}));
}

}  // namespace
}  // namespace postern::deliver
