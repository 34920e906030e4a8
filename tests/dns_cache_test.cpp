// The cache under a given clock: how long an answer stays, and which one goes when there is no more room.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "dns/cache.hpp"

namespace postern::dns {
namespace {

using namespace std::chrono_literals;

constexpr base::SipHash::Key secret{1, 2};

Answer found(std::uint32_t ttl, std::string_view address = "127.0.0.2") {
  return {.kind = Answer::Kind::found, .ttl_seconds = ttl, .addresses = {*base::parse_address(address)}};
}
Answer none(std::uint32_t ttl) { return {.kind = Answer::Kind::none, .ttl_seconds = ttl}; }

class DnsCache : public testing::Test {
 protected:
  void put(std::string_view name, const Answer& answer, Type type = Type::a) {
    cache().put(type, *Name::of(name), answer, now_);
  }
  const Answer* find(std::string_view name, Type type = Type::a) { return cache().find(type, *Name::of(name), now_); }
  // For how long an answer is there.
  std::chrono::seconds life_of(const Answer& answer) {
    put("x.test", answer);
    const base::Time begun = now_;
    const auto is_there_after = [&](std::chrono::seconds time) {
      put("x.test", answer);
      now_ = begun + time;
      const bool is_there = find("x.test") != nullptr;
      now_ = begun;
      return is_there;
    };
    std::chrono::seconds time{0};
    for (std::chrono::seconds step{1 << 20}; step > 0s; step /= 2)
      if (is_there_after(time + step - 1s)) time += step;
    return time;
  }
  Cache& cache() {
    if (!cache_) cache_.emplace(settings_, secret);
    return *cache_;
  }

  CacheSettings settings_;
  base::Time now_ = base::Time(1000s);

 private:
  std::optional<Cache> cache_;
};

TEST_F(DnsCache, gives_back_what_was_put_until_its_time_is_over) {
  put("a.test", found(60));
  ASSERT_TRUE(find("a.test"));
  EXPECT_EQ(found(60), *find("A.Test"));
  now_ += 60s - 1ns;
  EXPECT_TRUE(find("a.test"));
  now_ += 1ns;
  EXPECT_FALSE(find("a.test"));
  EXPECT_EQ(0U, cache().entries());
  EXPECT_EQ(0U, cache().octets());
}

TEST_F(DnsCache, knows_types_apart) {
  put("a.test", found(60));
  put("a.test", none(60), Type::txt);
  EXPECT_EQ(Answer::Kind::found, find("a.test")->kind);
  EXPECT_EQ(Answer::Kind::none, find("a.test", Type::txt)->kind);
  EXPECT_FALSE(find("a.test", Type::ptr));
}

TEST_F(DnsCache, keeps_each_kind_for_its_time) {
  settings_ = {.at_least = 10s, .at_most = 1000s, .none_at_most = 300s, .failed_for = 4s};
  EXPECT_EQ(10s, life_of(found(0)));
  EXPECT_EQ(11s, life_of(found(11)));
  EXPECT_EQ(1000s, life_of(found(0x7fffffff)));
  EXPECT_EQ(1000s, life_of(found(0xffffffff)));
  EXPECT_EQ(10s, life_of(none(0)));
  EXPECT_EQ(250s, life_of(none(250)));
  EXPECT_EQ(300s, life_of(none(0xffffffff)));
  EXPECT_EQ(4s, life_of(failed(Answer::Failure::timed_out)));
}

TEST_F(DnsCache, does_not_keep_what_may_not_be_kept) {
  put("a.test", found(60));
  put("a.test", found(0));  // and forgets what was there before
  EXPECT_FALSE(find("a.test"));
  put("b.test", none(0));
  EXPECT_FALSE(find("b.test"));
  EXPECT_EQ(0U, cache().entries());
}

TEST_F(DnsCache, replaces_an_answer) {
  put("a.test", found(60));
  put("a.test", found(30, "127.0.0.9"));
  EXPECT_EQ(found(30, "127.0.0.9"), *find("a.test"));
  EXPECT_EQ(1U, cache().entries());
}

TEST_F(DnsCache, drops_the_one_that_was_wanted_longest_ago) {
  settings_.max_entries = 3;
  for (const char* name : {"a", "b", "c"}) put(name, found(60));
  EXPECT_TRUE(find("a"));
  put("d", found(60));
  EXPECT_FALSE(find("b"));
  put("c", found(50));  // also put again is wanted
  put("e", found(60));
  EXPECT_FALSE(find("a"));
  for (const char* name : {"c", "d", "e"}) EXPECT_TRUE(find(name)) << name;
}

TEST_F(DnsCache, is_bounded_in_octets) {
  const std::string text(512, 'x');
  const Answer large{.kind = Answer::Kind::found, .ttl_seconds = 60, .texts = std::vector(16, text)};
  settings_.max_octets = 30'000;
  for (int i = 0; i < 100; ++i) {
    put("n" + std::to_string(i), i % 2 == 0 ? large : found(60));
    EXPECT_LE(cache().octets(), 30'000U);
  }
  EXPECT_TRUE(find("n99"));
  EXPECT_TRUE(find("n98"));
  EXPECT_FALSE(find("n0"));
}

TEST_F(DnsCache, does_not_keep_what_is_larger_than_itself) {
  settings_.max_octets = 100;
  put("a", Answer{.kind = Answer::Kind::found, .ttl_seconds = 60, .texts = {std::string(512, 'x')}});
  EXPECT_FALSE(find("a"));
}

TEST(DnsCacheOfNothing, keeps_nothing) {
  Cache cache({.max_entries = 0}, secret);
  cache.put(Type::a, *Name::of("a"), found(60), base::Time(1s));
  EXPECT_FALSE(cache.find(Type::a, *Name::of("a"), base::Time(1s)));
}

// The obvious one: a list of what was wanted, the last one at its end.
class Naive {
 public:
  explicit Naive(std::size_t most) : most_(most) {}
  const Answer* find(const std::string& name, base::Time now) {
    const auto at = std::ranges::find(all_, name, &Entry::name);
    if (at == all_.end()) return nullptr;
    Entry entry = *at;
    all_.erase(at);
    if (entry.until <= now) return nullptr;
    all_.push_back(entry);
    return &all_.back().answer;
  }
  void put(const std::string& name, const Answer& answer, base::Time until, base::Time now) {
    std::erase_if(all_, [&](const Entry& entry) { return entry.name == name; });
    if (until <= now) return;
    if (all_.size() == most_) all_.pop_front();
    all_.push_back({name, answer, until});
  }
  [[nodiscard]] std::size_t size() const { return all_.size(); }

 private:
  struct Entry {
    std::string name;
    Answer answer;
    base::Time until;
  };
  std::size_t most_;
  std::deque<Entry> all_;
};

TEST_F(DnsCache, does_what_an_obvious_one_does) {
  settings_ = {.max_entries = 20, .at_most = 50s, .none_at_most = 50s};
  Naive naive(20);
  std::minstd_rand chance(7);
  for (int i = 0; i < 20'000; ++i) {
    now_ += std::chrono::seconds(chance() % 3 == 0 ? 1 : 0);
    const std::string name = "n" + std::to_string(chance() % 40);
    if (chance() % 2 == 0) {
      const auto ttl = static_cast<std::uint32_t>(chance() % 60);
      put(name, found(ttl));
      naive.put(name, found(ttl), now_ + std::chrono::seconds(std::min(ttl, 50U)), now_);
    } else {
      const Answer* const wanted = naive.find(name, now_);
      const Answer* const got = find(name);
      ASSERT_EQ(wanted != nullptr, got != nullptr) << i;
      if (got != nullptr) {
        ASSERT_EQ(*wanted, *got) << i;
      }
    }
    ASSERT_EQ(naive.size(), cache().entries()) << i;
  }
}

}  // namespace
}  // namespace postern::dns
