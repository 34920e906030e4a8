// Each question ends exactly once and within its bound, whatever the transport does: it is made up here, and so is the clock.
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "dns/channel.hpp"
#include "tests/dns_scripted.hpp"

namespace postern::dns {
namespace {

using namespace std::chrono_literals;
using enum Answer::Failure;

class Asking final : public Request {
 public:
  void ended(const Answer& heard) override {
    answers.push_back(heard);
    if (then) then();
  }
  std::vector<Answer> answers;
  std::function<void()> then;
};

class DnsChannel : public testing::Test {
 protected:
  Channel& channel() {
    if (channel_ == nullptr) {
      auto transport = std::make_unique<Scripted>();
      transport_ = transport.get();
      channel_ = std::make_unique<Channel>(settings_, std::move(transport), base::SipHash::Key{3, 4});
    }
    return *channel_;
  }
  Scripted& transport() {
    channel();
    return *transport_;
  }
  const Answer* ask(std::string_view name, Request& request) { return channel().ask({Type::a, name}, request, now_); }
  void process(base::Interval later = {}) {
    now_ += later;
    channel().process(now_);
  }
  void answer_all() {
    for (const Sending& one : std::exchange(transport().sent, {}))
      transport().to_say.emplace_back([one] { one.answer(); });
    process();
  }

  ChannelSettings settings_{.patience = 5s, .max_in_flight = 4, .max_requests = 8};
  base::Time now_ = base::Time(1000s);

 private:
  Scripted* transport_ = nullptr;
  std::unique_ptr<Channel> channel_;
};

TEST_F(DnsChannel, a_question_is_answered_once_and_then_known) {
  Asking first, second;
  EXPECT_FALSE(ask("a.test", first));
  EXPECT_TRUE(first.is_waiting());
  answer_all();
  ASSERT_EQ(1U, first.answers.size());
  EXPECT_EQ(Answer::Kind::found, first.answers[0].kind);
  EXPECT_FALSE(first.is_waiting());
  const Answer* const known = ask("A.test", second);
  ASSERT_TRUE(known);
  EXPECT_EQ(first.answers[0], *known);
  EXPECT_TRUE(transport().sent.empty());
  process(60s);
  EXPECT_FALSE(ask("a.test", second));
}

TEST_F(DnsChannel, who_asks_the_same_meanwhile_waits_for_the_same) {
  Asking first, second, other_type;
  EXPECT_FALSE(ask("a.test", first));
  EXPECT_FALSE(ask("A.TEST", second));
  EXPECT_FALSE(channel().ask({Type::txt, "a.test"}, other_type, now_));
  EXPECT_EQ(2U, transport().sent.size());
  EXPECT_EQ(2U, channel().in_flight());
  EXPECT_EQ(3U, channel().requests());
  answer_all();
  for (const Asking* const one : {&first, &second}) EXPECT_EQ(1U, one->answers.size());
  EXPECT_EQ(failed(malformed), other_type.answers.at(0));  // an address is no answer to it
  EXPECT_EQ(0U, channel().in_flight());
  EXPECT_EQ(0U, channel().requests());
}

TEST_F(DnsChannel, nothing_ends_later_than_its_time) {
  Asking early, late;
  EXPECT_FALSE(ask("a.test", early));
  process(3s);
  EXPECT_FALSE(ask("a.test", late));
  EXPECT_FALSE(ask("b.test", late));  // instead
  EXPECT_EQ(now_ + 2s, channel().deadline(now_));
  process(2s - 1ns);
  EXPECT_TRUE(early.answers.empty());
  process(1ns);
  EXPECT_EQ(failed(timed_out), early.answers.at(0));
  EXPECT_TRUE(late.answers.empty());
  EXPECT_EQ(now_ + 3s, channel().deadline(now_));
}

TEST_F(DnsChannel, an_answer_that_came_while_nobody_looked_is_in_time) {
  Asking one;
  EXPECT_FALSE(ask("a.test", one));
  now_ += 1h;
  answer_all();
  EXPECT_EQ(Answer::Kind::found, one.answers.at(0).kind);
}

TEST_F(DnsChannel, what_nobody_waits_for_counts_until_the_transport_ends_it) {
  std::vector<Asking> many(4);
  for (std::size_t i = 0; i < many.size(); ++i) EXPECT_FALSE(ask("n" + std::to_string(i), many[i]));
  process(5s);
  for (const Asking& one : many) EXPECT_EQ(failed(timed_out), one.answers.at(0));
  Asking next;
  EXPECT_EQ(failed(crowded), *ask("next", next));
  EXPECT_EQ(4U, channel().in_flight());
  answer_all();  // late
  EXPECT_EQ(0U, channel().in_flight());
  EXPECT_FALSE(ask("next", next));
  for (const Asking& one : many) EXPECT_EQ(1U, one.answers.size());
}

TEST_F(DnsChannel, one_question_or_request_too_many_fails_at_once) {
  std::vector<Asking> many(9);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_FALSE(ask("n" + std::to_string(i), many[i]));
  EXPECT_EQ(failed(crowded), *ask("n4", many[4]));
  for (std::size_t i = 4; i < 8; ++i) EXPECT_FALSE(ask("n0", many[i]));  // on its way already
  EXPECT_EQ(failed(crowded), *ask("n0", many[8]));
  EXPECT_FALSE(many[8].is_waiting());
}

// Each new address is asked about once, as clients come: a silent zone leaves room for those that answer.
TEST_F(DnsChannel, a_silent_zone_has_its_share) {
  settings_ = {.patience = 5s, .max_in_flight = 256, .max_requests = 4096, .zones = {.silent_before_rest = 100'000}};
  std::deque<Asking> all;
  std::deque<std::pair<base::Time, Sending>> silent;
  transport().on_send = [&](const Sending& sent) {
    if (sent.name().ends_with(".good"))
      transport().to_say.emplace_back([sent] { sent.answer(); });
    else
      silent.emplace_back(now_ + 5s, sent);
  };
  std::map<std::string, int> refused;
  const auto come = [&](const std::string& zone, int client) {
    const std::string name = "n" + std::to_string(client) + "." + zone;
    const Answer* const answer = channel().ask({Type::a, name, zone}, all.emplace_back(), now_);
    if (answer != nullptr) ++refused[zone];
  };
  for (int client = 0; client < 1000; ++client) {  // 100 a second
    for (const char* zone : {"silent", "mute", "good"}) come(zone, client);
    for (; !silent.empty() && silent.front().first <= now_ + 10ms; silent.pop_front())
      transport().to_say.emplace_back(
          [sent = silent.front().second] { sent.receiver->heard_nothing(sent.token, timed_out); });
    process(10ms);
  }
  EXPECT_EQ(0, refused["good"]);
  EXPECT_LT(0, refused["silent"]);
  EXPECT_NEAR(refused["silent"], refused["mute"], 10) << "and they share alike";
}

TEST_F(DnsChannel, a_zone_that_does_not_answer_rests) {
  settings_.zones = {.silent_before_rest = 3, .rest = 10s};
  std::deque<Asking> all;
  const auto ask_in = [&](const std::string& name) {
    return channel().ask({Type::a, name + ".bl", "bl"}, all.emplace_back(), now_);
  };
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_FALSE(ask_in(name));
    process(5s);
    EXPECT_EQ(failed(timed_out), all.back().answers.at(0));
    transport().sent.back().receiver->heard_nothing(transport().sent.back().token, timed_out);
  }
  EXPECT_EQ(failed(resting), *ask_in("d"));
  EXPECT_FALSE(ask("e.other", all.emplace_back())) << "others are asked";
  process(10s);
  EXPECT_FALSE(ask_in("f")) << "it is tried again";
  EXPECT_EQ(failed(resting), *ask_in("g")) << "by one question";
  transport().sent.back().answer();
  process();
  EXPECT_FALSE(ask_in("h"));
  EXPECT_FALSE(ask_in("i"));
}

TEST_F(DnsChannel, what_is_no_name_is_not_asked) {
  Asking one;
  for (const std::string_view name : {"", "a..b", "a.", "a b", "a\r\nb"}) EXPECT_EQ(failed(no_name), *ask(name, one));
  EXPECT_TRUE(transport().sent.empty());
}

TEST_F(DnsChannel, a_request_that_is_cancelled_or_gone_is_not_called) {
  Asking stays;
  Asking cancelled;
  {
    Asking gone;
    EXPECT_FALSE(ask("a.test", gone));
    EXPECT_FALSE(ask("a.test", cancelled));
    EXPECT_FALSE(ask("a.test", stays));
    cancelled.cancel();
    cancelled.cancel();
  }
  EXPECT_EQ(1U, channel().requests());
  answer_all();
  EXPECT_TRUE(cancelled.answers.empty());
  EXPECT_EQ(1U, stays.answers.size());
}

TEST_F(DnsChannel, an_answer_that_nobody_waits_for_any_more_is_kept) {
  {
    Asking gone;
    EXPECT_FALSE(ask("a.test", gone));
  }
  EXPECT_EQ(1U, channel().in_flight());
  answer_all();
  Asking next;
  EXPECT_TRUE(ask("a.test", next));
}

TEST_F(DnsChannel, a_failure_is_kept_for_a_moment) {
  Asking first, second;
  EXPECT_FALSE(ask("a.test", first));
  const Sending sent = transport().sent.at(0);
  transport().to_say.emplace_back([sent] { sent.receiver->heard_nothing(sent.token, no_server); });
  process();
  EXPECT_EQ(failed(no_server), first.answers.at(0));
  EXPECT_EQ(failed(no_server), *ask("a.test", second));
  now_ += settings_.cache.failed_for;
  EXPECT_FALSE(ask("a.test", second));
}

TEST_F(DnsChannel, what_ends_within_ask_is_told_by_process) {
  transport().on_send = [](const Sending& sent) { sent.receiver->heard_nothing(sent.token, no_server); };
  Asking one;
  EXPECT_FALSE(ask("a.test", one));
  EXPECT_TRUE(one.answers.empty());
  EXPECT_EQ(now_, channel().deadline(now_));
  process();
  EXPECT_EQ(failed(no_server), one.answers.at(0));
  EXPECT_EQ(base::Time::max(), channel().deadline(now_));
}

TEST_F(DnsChannel, a_request_that_asks_again_and_again_keeps_nobody_in_process) {
  settings_.cache.failed_for = 0s;
  transport().on_send = [](const Sending& sent) { sent.receiver->heard_nothing(sent.token, no_server); };
  Asking one;
  one.then = [&] { EXPECT_FALSE(ask("a.test", one)); };
  EXPECT_FALSE(ask("a.test", one));
  for (std::size_t i = 1; i <= 3; ++i) {
    process();
    EXPECT_EQ(i, one.answers.size());
  }
  one.then = nullptr;
}

TEST_F(DnsChannel, a_request_may_cancel_and_destroy_others_when_it_ends) {
  Asking first, second;
  auto third = std::make_unique<Asking>();
  EXPECT_FALSE(ask("a.test", first));
  EXPECT_FALSE(ask("a.test", second));
  EXPECT_FALSE(ask("a.test", *third));
  first.then = [&] {
    second.cancel();
    third.reset();
    EXPECT_FALSE(ask("b.test", second));
  };
  answer_all();
  EXPECT_TRUE(second.answers.empty());
  answer_all();
  EXPECT_EQ(1U, second.answers.size());
}

TEST_F(DnsChannel, a_request_may_destroy_itself_when_it_ends) {
  auto one = std::make_unique<Asking>();
  one->then = [&] {
    const auto then = std::move(one->then);
    one.reset();
  };
  EXPECT_FALSE(ask("a.test", *one));
  answer_all();
  EXPECT_FALSE(one);
}

TEST_F(DnsChannel, a_request_without_memory_has_ended_and_so_have_the_others) {
  Asking first, second;
  first.then = [] { throw std::bad_alloc(); };
  EXPECT_FALSE(ask("a.test", first));
  EXPECT_FALSE(ask("a.test", second));
  answer_all();
  EXPECT_EQ(1U, second.answers.size());
}

TEST_F(DnsChannel, identifiers_follow_no_order) {
  settings_.max_in_flight = settings_.max_requests = 300;
  std::deque<Asking> many;
  std::set<int> identifiers, steps;
  int before = 0;
  for (int i = 0; i < 256; ++i) {
    EXPECT_FALSE(ask("n" + std::to_string(i), many.emplace_back()));
    const std::vector<std::uint8_t>& octets = transport().sent.back().octets;
    const int identifier = octets[0] * 256 + octets[1];
    identifiers.insert(identifier);
    steps.insert(identifier - before);
    before = identifier;
  }
  EXPECT_GT(identifiers.size(), 250U);
  EXPECT_GT(steps.size(), 250U);
}

// Whatever happens in whatever order: each request ends once, in time, and nothing is left.
TEST_F(DnsChannel, everything_ends_exactly_once) {
  settings_.cache.max_entries = 3;
  std::minstd_rand chance(11);
  std::deque<Asking> all;
  std::vector<base::Time> asked;
  std::vector<Sending> pending;
  std::vector<std::size_t> waiting;
  transport().on_send = [&](const Sending& sent) {
    if (chance() % 8 == 0)
      sent.receiver->heard_nothing(sent.token, no_server);
    else
      pending.push_back(sent);
  };
  for (int i = 0; i < 5000; ++i) {
    Asking& one = all.emplace_back();
    if (ask("n" + std::to_string(chance() % 12), one) == nullptr) {
      waiting.push_back(all.size() - 1);
      asked.push_back(now_);
    }
    while (!pending.empty() && chance() % 3 == 0) {
      const auto at = pending.begin() + static_cast<std::ptrdiff_t>(chance() % pending.size());
      transport().to_say.emplace_back([sent = *at] { sent.answer(); });
      pending.erase(at);
    }
    process(std::chrono::milliseconds(chance() % 1500));
    ASSERT_LE(channel().in_flight(), 4U);
    for (std::size_t w = 0; w < waiting.size(); ++w)
      if (now_ - asked[w] >= 5s) {
        ASSERT_EQ(1U, all[waiting[w]].answers.size());
      }
  }
  for (const Sending& sent : pending) sent.answer();
  process();
  EXPECT_EQ(0U, channel().in_flight());
  EXPECT_EQ(0U, channel().requests());
  for (const std::size_t w : waiting) ASSERT_EQ(1U, all[w].answers.size());
}

}  // namespace
}  // namespace postern::dns
