// RFC 6647: which triples are deferred, which are known and for how long, what the table forgets, and what its file keeps.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "limits/greylist.hpp"
#include "limits/greylist_file.hpp"

namespace postern::limits {
namespace {

using namespace std::chrono_literals;
using enum GreylistStanding;

constexpr base::SipHash::Key secret{1, 2};
constexpr auto delay = 300s;
const base::Time start{5000h};

base::Address address(const std::string& text) { return base::parse_address(text).value(); }

struct Asker {
  Greylist& table;
  GreylistStanding operator()(const std::string& client, const std::string& sender, const std::string& recipient,
                              base::Time now) const {
    return table.ask({.client = address(client), .sender = sender, .recipient = recipient}, delay, now);
  }
  GreylistStanding at(base::Time now) const { return (*this)("192.0.2.1", "a@b.example", "c@d.example", now); }
};

// Lets that many triples of a network come, and come again; the last of them at that time.
void pass(const Asker& ask, const std::string& client, int triples, base::Time now) {
  for (int i = 0; i < triples; ++i) {
    const std::string sender = "s" + std::string(static_cast<std::size_t>(i) + 1, 'x') + "@pass.example";
    EXPECT_EQ(first, ask(client, sender, "c@d.example", now - delay));
    EXPECT_EQ(passed, ask(client, sender, "c@d.example", now));
  }
}

TEST(Greylist, a_triple_is_deferred_until_it_comes_again_in_time) {
  Greylist table(secret);
  const Asker ask{table};
  EXPECT_EQ(first, ask.at(start));
  EXPECT_EQ(early, ask.at(start));
  EXPECT_EQ(early, ask.at(start + delay - 1s));
  EXPECT_EQ(passed, ask.at(start + delay));
  EXPECT_EQ(known, ask.at(start + delay));
  EXPECT_EQ(known, ask.at(start + 24h * 30));
  EXPECT_TRUE(is_deferred(first) && is_deferred(early));
  EXPECT_FALSE(is_deferred(passed) || is_deferred(known) || is_deferred(known_network));
}

TEST(Greylist, an_early_retry_does_not_begin_the_delay_again) {
  Greylist table(secret);
  const Asker ask{table};
  static_cast<void>(ask.at(start));
  for (auto at = 10s; at < delay; at += 10s) EXPECT_EQ(early, ask.at(start + at));
  EXPECT_EQ(passed, ask.at(start + delay));
}

TEST(Greylist, a_retry_is_waited_for_two_days_and_what_is_known_stays_for_35) {
  const auto retry = std::chrono::seconds(spec::greylist_retry_seconds),
             stays = std::chrono::seconds(spec::greylist_known_seconds);
  Greylist table(secret);
  const Asker ask{table};
  EXPECT_EQ(first, ask.at(start));
  EXPECT_EQ(first, ask.at(start + retry + 1s));
  base::Time now = start + retry + 1s + retry;
  EXPECT_EQ(passed, ask.at(now));
  EXPECT_EQ(known, ask.at(now += stays));
  EXPECT_EQ(known, ask.at(now += stays));  // since its last mail
  EXPECT_EQ(first, ask.at(now += stays + 1s));
}

TEST(Greylist, each_part_of_the_triple_counts) {
  Greylist table(secret);
  const Asker ask{table};
  static_cast<void>(ask.at(start));
  EXPECT_EQ(first, ask("192.0.3.1", "a@b.example", "c@d.example", start));
  EXPECT_EQ(first, ask("192.0.2.1", "x@b.example", "c@d.example", start));
  EXPECT_EQ(first, ask("192.0.2.1", "", "c@d.example", start));
  EXPECT_EQ(first, ask("192.0.2.1", "a@b.example", "x@d.example", start));
  EXPECT_EQ(early, ask("192.0.2.1", "A@B.Example", "C@D.Example", start));
}

TEST(Greylist, a_client_is_its_network) {
  Greylist table(secret);
  const Asker ask{table};
  const std::string sender = "a@b.example", recipient = "c@d.example";
  EXPECT_EQ(first, ask("192.0.2.1", sender, recipient, start));
  EXPECT_EQ(early, ask("192.0.2.255", sender, recipient, start));
  EXPECT_EQ(early, ask("::ffff:192.0.2.7", sender, recipient, start));
  EXPECT_EQ(early, ask("64:ff9b::192.0.2.7", sender, recipient, start)) << "RFC 6052 2.1";
  EXPECT_EQ(first, ask("192.0.1.255", sender, recipient, start));
  EXPECT_EQ(first, ask("64:ff9b::198.51.100.7", sender, recipient, start));
  EXPECT_EQ(first, ask("64:ff9c::192.0.2.7", sender, recipient, start));
  EXPECT_EQ(first, ask("2001:db8::1", sender, recipient, start));
  EXPECT_EQ(early, ask("2001:db8::ffff:ffff:ffff:ffff", sender, recipient, start));
  EXPECT_EQ(first, ask("2001:db8:0:1::1", sender, recipient, start));
}

TEST(Greylist, what_lists_change_of_a_sender_does_not_count) {
  Greylist table(secret);
  const Asker ask{table};
  auto is_as = [&, number = 0](const std::string& one, const std::string& other) mutable {
    const std::string recipient = "r" + std::to_string(++number) + "@d.example";
    EXPECT_EQ(first, ask("192.0.2.1", one, recipient, start));
    return ask("192.0.2.1", other, recipient, start) == early;
  };
  EXPECT_TRUE(is_as("list+1@b.example", "list+alice=d.example@b.example"));
  EXPECT_TRUE(is_as("bounce-1234-7@b.example", "bounce-99-12345@b.example"));
  EXPECT_TRUE(is_as("12@b.example", "345@b.example"));
  EXPECT_FALSE(is_as("user1@b.example", "user2@b.example"));
  EXPECT_FALSE(is_as("1a@b.example", "2a@b.example"));
  EXPECT_FALSE(is_as("a@b1.example", "a@b2.example"));
  EXPECT_FALSE(is_as("a-1@b.example", "a-@b.example"));
}

TEST(Greylist, a_network_of_which_five_triples_came_again_is_known) {
  Greylist table(secret);
  const Asker ask{table};
  pass(ask, "192.0.2.1", spec::greylist_good_triples - 1, start);
  EXPECT_EQ(first, ask("192.0.2.9", "new@b.example", "c@d.example", start - delay));
  EXPECT_EQ(passed, ask("192.0.2.8", "new@b.example", "c@d.example", start));
  EXPECT_EQ(known_network, ask("192.0.2.7", "other@b.example", "x@d.example", start));
  EXPECT_EQ(first, ask("192.0.3.7", "other@b.example", "x@d.example", start));
  const auto stays = std::chrono::seconds(spec::greylist_known_seconds);
  EXPECT_EQ(known_network, ask("192.0.2.7", "third@b.example", "x@d.example", start + stays));
  EXPECT_EQ(first, ask("192.0.2.7", "fourth@b.example", "x@d.example", start + stays + stays + 1s));
}

TEST(Greylist, one_triple_never_makes_its_network_known) {
  Greylist table(secret);
  const Asker ask{table};
  pass(ask, "192.0.2.1", 1, start);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(known, ask("192.0.2.1", "sx@pass.example", "c@d.example", start + i * 1h));
  EXPECT_EQ(first, ask("192.0.2.1", "other@b.example", "c@d.example", start + 101h));
}

TEST(Greylist, a_flood_is_forgotten_oldest_first_and_never_takes_what_is_known) {
  Greylist table(secret, {.triples = 16 * 8, .networks = 16 * 4});
  const Asker ask{table};
  static_cast<void>(ask.at(start));
  EXPECT_EQ(passed, ask.at(start + delay));
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(first,
              ask("192.0.2.1", "f" + std::string(static_cast<std::size_t>(i), 'x'), "c@d.example", start + delay));
  EXPECT_EQ(known, ask.at(start + delay));
  EXPECT_EQ(early, ask("192.0.2.1", "f" + std::string(999, 'x'), "c@d.example", start + delay));
  EXPECT_EQ(first, ask("192.0.2.1", "f", "c@d.example", start + delay));
  EXPECT_EQ(8, table.contents(start + delay).records[0].size());
}

TEST(Greylist, one_client_pushes_out_nobody_elses) {
  for (const char* const client : {"192.0.2.1", "2001:db8::1"}) {
    Greylist table(secret, {.triples = 16 * 64, .networks = 16 * 4, .waiting_of_client = 8});
    const Asker ask{table};
    const std::string neighbour = client[0] == '1' ? "192.0.2.2" : "2001:db8:0:1::1";  // of the same part
    EXPECT_EQ(first, ask(neighbour, "a@b.example", "c@d.example", start));
    for (int i = 0; i < 1000; ++i)
      EXPECT_EQ(first, ask(client, "f" + std::string(static_cast<std::size_t>(i), 'x'), "c@d.example", start + 1s));
    EXPECT_EQ(early, ask(neighbour, "a@b.example", "c@d.example", start + 2s));
    EXPECT_EQ(1 + 8, table.contents(start + 2s).records[0].size());
  }
}

// Who keeps a queue sends all of it again: were the last ones kept, each retry would find that others had taken its place.
TEST(Greylist, a_client_with_many_new_ones_is_known_by_the_first_of_them) {
  Greylist table(secret, {.triples = 16 * 64, .networks = 16 * 4, .waiting_of_client = 8});
  const Asker ask{table};
  const auto send = [&](base::Time now) {
    int taken = 0;
    for (int i = 0; i < 100; ++i)
      taken += is_deferred(ask("192.0.2.1", "q" + std::string(static_cast<std::size_t>(i), 'x'), "c@d.example", now))
                   ? 0
                   : 1;
    return taken;
  };
  EXPECT_EQ(0, send(start));
  EXPECT_EQ(100, send(start + delay)) << "the fifth makes the network known";
}

TEST(Greylist, what_should_have_come_again_long_ago_gives_way) {
  Greylist table(secret, {.triples = 16 * 64, .networks = 16 * 4, .waiting_of_client = 2});
  const Asker ask{table};
  for (const char* const sender : {"one", "two"}) EXPECT_EQ(first, ask("192.0.2.1", sender, "c@d.example", start));
  EXPECT_EQ(first, ask("192.0.2.1", "three", "c@d.example", start + delay + 1h));
  EXPECT_EQ(first, ask("192.0.2.1", "three", "c@d.example", start + delay + 1h)) << "it was not kept";
  EXPECT_EQ(first, ask("192.0.2.1", "three", "c@d.example", start + delay + 1h + 1s));
  EXPECT_EQ(early, ask("192.0.2.1", "three", "c@d.example", start + delay + 1h + 1s));
  EXPECT_EQ(passed, ask("192.0.2.1", "two", "c@d.example", start + delay + 1h + 2s)) << "the oldest went alone";
  EXPECT_EQ(first, ask("192.0.2.1", "one", "c@d.example", start + delay + 1h + 3s));
}

TEST(Greylist, one_network_floods_one_part_alone) {
  Greylist table(secret, {.triples = 16 * 8, .networks = 16 * 4});
  const Asker ask{table};
  for (int i = 0; i < 200; ++i)
    static_cast<void>(ask("10.0." + std::to_string(i) + ".1", "a@b.example", "c@d.example", start));
  const std::size_t before = table.contents(start).records[0].size();
  for (int i = 0; i < 1000; ++i)
    static_cast<void>(ask("192.0.2.1", "f" + std::string(static_cast<std::size_t>(i), 'x'), "c@d.example", start + 1s));
  const auto after = table.contents(start + 2s).records[0];
  EXPECT_LE(static_cast<std::ptrdiff_t>(before) - 8,
            std::ranges::count(after, 2U, &GreylistContents::Record::age_seconds));
  EXPECT_EQ(8, std::ranges::count(after, 1U, &GreylistContents::Record::age_seconds));
}

TEST(Greylist, has_no_memory_until_somebody_is_asked_about) {
  const Greylist table(secret);
  EXPECT_TRUE(table.contents(start).is_empty());
}

TEST(Greylist, loops_share_it) {
  Greylist table(secret);
  const Asker ask{table};
  std::atomic<int> firsts = 0, passes = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 2000; ++i) {
          const std::string client = "10." + std::to_string(i % 100) + ".0.1",
                            sender = std::string(static_cast<std::size_t>(i % 50), 'x');
          firsts += ask(client, sender, "c@d.example", start) == first ? 1 : 0;
          if (i % 500 == 0) static_cast<void>(table.contents(start));
        }
      });
  }
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] { passes += ask("10.0.0.1", "", "c@d.example", start + delay) == passed ? 1 : 0; });
  }
  EXPECT_EQ(100, firsts);  // i % 100 says i % 50
  EXPECT_EQ(1, passes);
}

// A slow and obvious second opinion.
struct Naive {
  struct Triple {
    base::Time time;
    bool is_known = false;
  };
  struct Network {
    base::Time time;
    unsigned count = 0;
  };
  std::map<std::string, Triple> triples;
  std::map<int, Network> networks;

  GreylistStanding ask(int network, const std::string& triple, base::Time now) {
    const auto stays = std::chrono::seconds(spec::greylist_known_seconds),
               retry = std::chrono::seconds(spec::greylist_retry_seconds);
    Network& whole = networks[network];
    if (now - whole.time >= stays + 1s) whole.count = 0;
    if (whole.count >= spec::greylist_good_triples) return whole.time = now, known_network;
    const auto found = triples.find(triple);
    const bool is_there =
        found != triples.end() && now - found->second.time < (found->second.is_known ? stays : retry) + 1s;
    if (!is_there) return triples[triple] = {.time = now}, first;
    Triple& one = found->second;
    if (one.is_known) return one.time = now, known;
    if (now - one.time < delay) return early;
    one = {.time = now, .is_known = true};
    whole = {.time = now, .count = whole.count + 1};
    return passed;
  }
};

TEST(Greylist, says_what_a_naive_one_says_over_restarts_too) {
  std::mt19937 random(6647);
  for (int round = 0; round < 20; ++round) {
    auto table = std::make_unique<Greylist>(secret);
    Naive naive;
    base::Time now = start;
    for (int step = 0; step < 2000; ++step) {
      const std::array<std::chrono::seconds, 6> waits{0s, 1s, 299s, 301s, 1h, round % 2 == 0 ? 24h * 3 : 24h * 20};
      now += waits[random() % waits.size()];
      const int network = static_cast<int>(random() % 3);
      const std::string sender(random() % 9, 'x');
      const auto standing = Asker{*table}("10.0." + std::to_string(network) + ".1", sender, "c@d.example", now);
      ASSERT_EQ(naive.ask(network, std::to_string(network) + sender, now), standing) << round << ' ' << step;
      if (random() % 50 != 0) continue;
      const auto saved = decode_greylist(encode_greylist({.contents = table->contents(now), .saved_seconds = 7}));
      ASSERT_TRUE(saved);
      table = std::make_unique<Greylist>(saved->contents, 0s, now);
    }
  }
}

class GreylistFile : public testing::Test {
 protected:
  GreylistFile() {
    char name[] = "/tmp/postern-greylist-XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = folder_ + "/greylist";
  }
  ~GreylistFile() override { std::filesystem::remove_all(folder_); }

  static SavedGreylist some() {
    Greylist table(secret);
    const Asker ask{table};
    pass(ask, "192.0.2.1", 5, start);
    pass(ask, "2001:db8::1", 2, start);
    static_cast<void>(ask("198.51.100.1", "w@b.example", "c@d.example", start + 10s));
    return {.contents = table.contents(start + 60s), .saved_seconds = 1'800'000'000};
  }
  void put(const std::string& octets) const { std::ofstream(path_, std::ios::binary) << octets; }
  [[nodiscard]] std::string octets() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string folder_, path_;
};

TEST_F(GreylistFile, keeps_all_that_is_known) {
  const SavedGreylist saved = some();
  ASSERT_TRUE(write_greylist(path_, saved));
  const auto read = read_greylist(path_);
  ASSERT_TRUE(read && *read);
  EXPECT_EQ(saved.contents.secret, (*read)->contents.secret);
  EXPECT_EQ(saved.contents.records, (*read)->contents.records);
  EXPECT_EQ(saved.saved_seconds, (*read)->saved_seconds);
  Greylist table((*read)->contents, 100s, start);
  const Asker ask{table};
  EXPECT_EQ(known_network, ask("192.0.2.1", "new@b.example", "c@d.example", start));
  EXPECT_EQ(known, ask("2001:db8::2", "sx@pass.example", "c@d.example", start));
  EXPECT_EQ(first, ask("2001:db8::2", "new@b.example", "c@d.example", start));
  EXPECT_EQ(early, ask("198.51.100.1", "w@b.example", "c@d.example", start + 149s));
  EXPECT_EQ(passed,
            ask("198.51.100.1", "w@b.example", "c@d.example", start + 150s));  // 50 s before, 100 s while no server ran
}

TEST_F(GreylistFile, is_for_its_user_alone_and_leaves_nothing_beside_it) {
  put("what was there before");
  ASSERT_TRUE(write_greylist(path_, some()));
  struct stat about{};
  ASSERT_EQ(0, ::stat(path_.c_str(), &about));
  EXPECT_EQ(0600U, about.st_mode & 07777U);
  EXPECT_EQ(1, std::distance(std::filesystem::directory_iterator(folder_), {}));
  EXPECT_FALSE(octets().contains("pass.example"));
}

TEST_F(GreylistFile, that_is_not_there_is_no_trouble) {
  const auto read = read_greylist(path_);
  ASSERT_TRUE(read);
  EXPECT_FALSE(*read);
}

TEST_F(GreylistFile, that_is_damaged_anywhere_is_none_of_it) {
  const std::string whole = encode_greylist(some());
  ASSERT_TRUE(decode_greylist(whole));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(decode_greylist(damaged)) << i;
    EXPECT_FALSE(decode_greylist(whole.substr(0, i))) << i;
  }
  EXPECT_FALSE(decode_greylist(whole + '\0'));
  EXPECT_FALSE(decode_greylist(std::string(20'000'000, 'x')));
  for (const std::string& octets :
       {std::string(), std::string("postern greylist 2\n"), whole.substr(1), whole + whole}) {
    put(octets);
    const auto read = read_greylist(path_);
    ASSERT_FALSE(read);
    EXPECT_TRUE(read.error().contains(path_ + ": is damaged, or of another version"));
  }
}

TEST_F(GreylistFile, that_is_no_file_or_cannot_be_written_says_so) {
  EXPECT_TRUE(read_greylist(folder_).error().contains("is no file"));
  EXPECT_TRUE(write_greylist(folder_ + "/nowhere/greylist", some()).error().contains("No such file or directory"));
  EXPECT_TRUE(write_greylist(folder_, some()).error().contains("cannot be written"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + ".new"));
}

TEST(GreylistClock, that_jumped_does_no_harm) {
  EXPECT_EQ(0s, seconds_since(1000, 1000));
  EXPECT_EQ(0s, seconds_since(1000, 0));
  EXPECT_EQ(17s, seconds_since(1000, 1017));
  EXPECT_EQ(24h, seconds_since(1000, 4'000'000'000));
  EXPECT_EQ(24h, seconds_since(INT64_MIN, INT64_MAX));
  EXPECT_EQ(0s, seconds_since(INT64_MAX, INT64_MIN));
}

}  // namespace
}  // namespace postern::limits
