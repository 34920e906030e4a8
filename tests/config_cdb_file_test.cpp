#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "config/cdb_file.hpp"
#include "tests/daemon_home.hpp"

namespace postern::config {
namespace {

class Cdb : public ::testing::Test {
 protected:
  tests::Home home_;
};

// All octets of a value, so that a view outside the file would be noticed.
int sum_of(std::string_view value) { return std::accumulate(value.begin(), value.end(), 0); }

TEST_F(Cdb, finds_what_was_put_in) {
  home_.write_cdb("a.cdb", {{"one", "1"}, {"two", ""}, {"", "empty key"}, {std::string("n\0l", 3), "nul"}});
  EXPECT_EQ(CdbCondition::usable, inspect_cdb("a.cdb", CdbLook::header));
  CdbFile file;
  ASSERT_EQ(0, file.open("a.cdb"));
  EXPECT_EQ("1", file.find("one").value());
  EXPECT_EQ("", file.find("two").value());
  EXPECT_EQ("empty key", file.find("").value());
  EXPECT_EQ("nul", file.find(std::string_view("n\0l", 3)).value());
  EXPECT_EQ(std::nullopt, file.find("three").value());
  EXPECT_EQ(std::nullopt, file.find("n").value());
  EXPECT_EQ(std::nullopt, file.find(std::string(100000, 'x')).value());
}

TEST_F(Cdb, gives_the_values_in_their_order) {
  home_.write_cdb("a.cdb", {{"one", "1"}, {"two", "22"}, {"three", "333"}});
  CdbFile file;
  ASSERT_EQ(0, file.open("a.cdb"));
  CdbFile::Values values(file);
  for (const char* expected : {"1", "22", "333"}) EXPECT_EQ(expected, values.next());
  EXPECT_EQ(std::nullopt, values.next());
  EXPECT_EQ(std::nullopt, values.next());
}

TEST_F(Cdb, an_empty_one_is_usable) {
  home_.write_cdb("a.cdb", {});
  EXPECT_EQ(CdbCondition::usable, inspect_cdb("a.cdb", CdbLook::header));
  CdbFile file;
  ASSERT_EQ(0, file.open("a.cdb"));
  EXPECT_EQ(std::nullopt, file.find("one").value());
  EXPECT_EQ(std::nullopt, CdbFile::Values(file).next());
}

// A file of which a crash has kept the length alone.
TEST_F(Cdb, zeros_are_not_an_empty_one) {
  for (const std::size_t octets : {2048U, 2049U, 4096U}) {
    home_.write("zeros", std::string(octets, '\0'));
    for (const CdbLook look : {CdbLook::header, CdbLook::whole})
      EXPECT_EQ(CdbCondition::malformed, inspect_cdb("zeros", look)) << octets;
  }
}

TEST_F(Cdb, what_is_not_there_is_unreadable) {
  home_.write_unreadable("folder");
  ASSERT_EQ(0, ::mkfifo("fifo", 0644));
  for (const char* path : {"", "/nonexistent/users.cdb", "folder", "fifo"})
    EXPECT_EQ(CdbCondition::unreadable, inspect_cdb(path, CdbLook::header)) << path;
  CdbFile file;
  EXPECT_EQ(ENOENT, file.open("absent.cdb"));
}

TEST_F(Cdb, what_is_no_cdb_is_malformed) {
  home_.write("empty", "");
  home_.write("short", std::string(2047, '\0'));
  home_.write("text", std::string(4096, 'x'));
  for (const char* path : {"empty", "short", "text"})
    EXPECT_EQ(CdbCondition::malformed, inspect_cdb(path, CdbLook::header)) << path;
  CdbFile short_file;
  EXPECT_EQ(EPROTO, short_file.open("short"));
  CdbFile text;
  EXPECT_EQ(EPROTO, text.open("text"));
}

TEST_F(Cdb, what_stands_after_the_tables_is_no_part_of_a_whole_file) {
  home_.write_cdb("a.cdb", {{"one", "1"}});
  home_.write("a.cdb", home_.read("a.cdb") + "x");
  EXPECT_EQ(CdbCondition::malformed, inspect_cdb("a.cdb", CdbLook::header));
}

TEST_F(Cdb, a_file_cut_while_it_is_open_cannot_be_read) {
  home_.write_cdb("a.cdb", {{"one", std::string(100'000, '1')}});
  CdbFile file;
  ASSERT_EQ(0, file.open("a.cdb"));
  ASSERT_TRUE(file.find("one").has_value());
  std::filesystem::resize_file("a.cdb", 4096);
  EXPECT_FALSE(file.find("one").has_value());
  EXPECT_EQ(std::nullopt, CdbFile::Values(file).next());
}

// Two files of the same length, each right in itself, written over one another: every answer is of one of them.
TEST_F(Cdb, a_file_written_over_in_place_is_never_read_half_and_half) {
  const auto records = [](char sign) {
    std::vector<std::pair<std::string, std::string>> all;
    for (int i = 0; i < 200; ++i) all.emplace_back("key" + std::to_string(i), std::string(50, sign));
    return all;
  };
  home_.write_cdb("old.cdb", records('o'));
  home_.write_cdb("new.cdb", records('n'));
  const std::string versions[] = {home_.read("old.cdb"), home_.read("new.cdb")};
  home_.write("a.cdb", versions[0]);
  std::atomic<bool> is_over = false;
  std::jthread writer([&] {
    const int file = ::open("a.cdb", O_WRONLY | O_CLOEXEC);
    for (std::size_t round = 1; !is_over; ++round) {
      const std::string& octets = versions[round % 2];
      const int cut = round % 7 == 0 ? ::ftruncate(file, 3000) : 0;
      EXPECT_EQ(0, cut);
      EXPECT_EQ(static_cast<ssize_t>(octets.size()), ::pwrite(file, octets.data(), octets.size(), 0));
      std::this_thread::sleep_for(std::chrono::milliseconds(round % 3 * 30));
    }
    ::close(file);
  });
  int answers = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  for (int i = 0; std::chrono::steady_clock::now() < end; ++i) {
    CdbFile file, copy;
    if (file.open("a.cdb") == 0) {
      const auto found = file.find("key" + std::to_string(i % 200));
      answers += found.has_value() ? 1 : 0;
      EXPECT_TRUE(!found || *found == std::string(50, 'o') || *found == std::string(50, 'n'));
    }
    if (copy.open_copy("a.cdb") != 0) continue;
    const auto first = copy.find("key0"), last = copy.find("key199");
    EXPECT_TRUE(first.has_value() && last.has_value());
  }
  is_over = true;
  EXPECT_LT(0, answers);
}

// A file that has just been written is not read for a moment. A program that sets alarms reads it all the same.
TEST_F(Cdb, a_signal_does_not_make_a_new_file_unreadable) {
  struct sigaction heard{}, before{};
  heard.sa_handler = [](int) {};
  ASSERT_EQ(0, ::sigaction(SIGALRM, &heard, &before));
  constexpr itimerval each_millisecond{.it_interval = {.tv_sec = 0, .tv_usec = 1000},
                                       .it_value = {.tv_sec = 0, .tv_usec = 1000}};
  home_.write_cdb("a.cdb", {{"one", "1"}});
  ASSERT_EQ(0, ::setitimer(ITIMER_REAL, &each_millisecond, nullptr));
  CdbFile file;
  const int error_number = file.open_copy("a.cdb");
  constexpr itimerval never{};
  ASSERT_EQ(0, ::setitimer(ITIMER_REAL, &never, nullptr));
  ASSERT_EQ(0, ::sigaction(SIGALRM, &before, nullptr));
  EXPECT_EQ(0, error_number);
}

TEST_F(Cdb, a_copy_outlives_the_file) {
  home_.write_cdb("a.cdb", {{"one", "1"}, {"two", std::string(100'000, '2')}});
  CdbFile copy;
  ASSERT_EQ(0, copy.open_copy("a.cdb"));
  std::filesystem::resize_file("a.cdb", 0);
  EXPECT_EQ("1", copy.find("one").value());
  EXPECT_EQ(std::string(100'000, '2'), copy.find("two").value());
  const auto one = copy.look_up("one"), two = copy.look_up("two");
  EXPECT_EQ("1", one.value()) << "a value lives as long as the copy";
  EXPECT_EQ(std::string(100'000, '2'), two.value());
  EXPECT_EQ(std::nullopt, copy.look_up("three").value());
}

TEST_F(Cdb, what_is_no_cdb_is_not_copied) {
  home_.write("text", std::string(4096, 'x'));
  home_.write("empty", "");
  home_.write_unreadable("folder");
  CdbFile file;
  EXPECT_EQ(EPROTO, file.open_copy("text"));
  EXPECT_EQ(EPROTO, file.open_copy("empty"));
  EXPECT_EQ(EINVAL, file.open_copy("folder"));
  EXPECT_EQ(ENOENT, file.open_copy("absent"));
}

TEST_F(Cdb, a_file_cut_anywhere_is_not_usable) {
  home_.write_cdb("a.cdb", {{"one", "1"}, {"two", "22"}});
  const std::string whole = home_.read("a.cdb");
  for (std::size_t octets = 0; octets < whole.size(); octets += 7) {
    home_.write("cut.cdb", whole.substr(0, octets));
    EXPECT_EQ(CdbCondition::malformed, inspect_cdb("cut.cdb", CdbLook::header)) << octets;
    CdbFile file;
    if (file.open("cut.cdb") == 0) (void)file.find("two");
  }
}

TEST_F(Cdb, whatever_the_file_holds_nothing_outside_it_is_read) {
  home_.write_cdb("a.cdb", {{"alice", std::string(700, 'a')}, {"bob", std::string(700, 'b')}, {"carol", "c"}});
  std::string whole = home_.read("a.cdb");
  std::mt19937 chance(1);  // the same files at each run
  for (int round = 0; round < 1000; ++round) {
    std::string changed = whole;
    for (int change = 0; change < 4; ++change)
      changed[chance() % changed.size()] = static_cast<char>(chance() % 3 == 0 ? 0xff : chance());
    // Headers and lengths are where it matters, so aim there too.
    changed[2048 + chance() % 8] = static_cast<char>(chance());
    changed[chance() % 16] = static_cast<char>(chance());
    home_.write("changed.cdb", changed);
    (void)inspect_cdb("changed.cdb", CdbLook::header);
    CdbFile file;
    if (file.open("changed.cdb") != 0) continue;
    for (const char* key : {"alice", "bob", "carol", "nobody"})
      if (const auto found = file.find(key); found && found->has_value()) (void)sum_of(**found);
    CdbFile::Values values(file);
    while (const auto value = values.next()) (void)sum_of(*value);
    CdbFile copy;  // which is made when the clock has gone on: now and then is enough
    if (round % 50 != 0 || copy.open_copy("changed.cdb") != 0) continue;
    for (const char* key : {"alice", "bob", "carol", "nobody"})
      if (const auto found = copy.look_up(key); found && found->has_value()) (void)sum_of(**found);
  }
}

// What a crash leaves of a file that was not synced: its length, and zeros in place of its end, of a page or of a record.
TEST_F(Cdb, damage_is_never_an_absent_key) {
  std::vector<std::pair<std::string, std::string>> records;
  for (int i = 0; i < 3000; ++i) records.emplace_back("user" + std::to_string(i) + "@example", "value");
  home_.write_cdb("whole.cdb", records);
  const std::string whole = home_.read("whole.cdb");
  const std::size_t tables = whole.size() - 3000 * std::size_t{16}, page = 4096;
  const auto with_zeros = [&](std::size_t from, std::size_t to) {
    std::string damaged = whole;
    std::fill(damaged.begin() + static_cast<std::ptrdiff_t>(from), damaged.begin() + static_cast<std::ptrdiff_t>(to),
              0);
    return damaged;
  };
  EXPECT_EQ(CdbCondition::usable, inspect_cdb("whole.cdb", CdbLook::whole));
  for (const std::string& damaged :
       {with_zeros(tables, whole.size()), with_zeros(tables + page, tables + 2 * page), with_zeros(page, 2 * page)}) {
    home_.write("damaged.cdb", damaged);
    EXPECT_EQ(CdbCondition::malformed, inspect_cdb("damaged.cdb", CdbLook::whole));
    CdbFile copy;
    EXPECT_EQ(EPROTO, copy.open_copy("damaged.cdb"));
    CdbFile file;
    ASSERT_EQ(0, file.open("damaged.cdb"));
    int errors = 0;
    for (int i = 0; i < 3000; i += 10) {
      const auto found = file.find("user" + std::to_string(i) + "@example");
      EXPECT_TRUE(!found || found->has_value()) << i;
      errors += found ? 0 : 1;
    }
    EXPECT_LT(0, errors);
  }
}

// Each bit of records and tables, and in the header those of each table that is not empty and of some that are: a key that is
// there is found, or the file is damaged.
TEST_F(Cdb, no_bit_that_flips_makes_a_key_absent) {
  std::vector<std::pair<std::string, std::string>> records;
  for (int i = 0; i < 6; ++i) records.emplace_back("user" + std::to_string(i * 37), "v");
  home_.write_cdb("whole.cdb", records);
  const std::string whole = home_.read("whole.cdb");
  const timespec long_ago[2] = {{.tv_sec = 1'000'000, .tv_nsec = 0}, {.tv_sec = 1'000'000, .tv_nsec = 0}};
  int damaged = 0;
  const auto is_empty = [&](std::size_t table) { return whole.substr(table * 8 + 4, 4) == std::string(4, '\0'); };
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    if (const std::size_t table = bit / 64; table < 256 && table % 16 != 0 && is_empty(table)) continue;
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    home_.write("flipped.cdb", flipped);
    ASSERT_EQ(0, ::utimensat(AT_FDCWD, "flipped.cdb", long_ago, 0));
    CdbFile file;
    if (file.open("flipped.cdb") != 0) continue;
    for (const auto& [key, value] : records) {
      const auto found = file.find(key);
      EXPECT_EQ(EPROTO, found ? EPROTO : found.error());
      EXPECT_TRUE(!found || found->has_value()) << key << " at octet " << bit / 8 << ", bit " << bit % 8;
      damaged += found ? 0 : 1;
    }
  }
  EXPECT_LT(1000, damaged);
}

TEST_F(Cdb, lengths_that_wrap_round_end_the_walk) {
  home_.write_cdb("a.cdb", {{"one", "1"}, {"two", "22"}});
  std::string bytes = home_.read("a.cdb");
  const unsigned char key_length[4] = {0xf8, 0xff, 0xff, 0xff};  // 2^32 - 8: back to where the record begins
  for (std::size_t i = 0; i < 4; ++i) bytes[2048 + i] = static_cast<char>(key_length[i]);
  for (std::size_t i = 4; i < 8; ++i) bytes[2048 + i] = '\0';
  home_.write("a.cdb", bytes);
  CdbFile file;
  ASSERT_EQ(0, file.open("a.cdb"));
  CdbFile::Values values(file);
  int count = 0;
  while (values.next() && ++count < 100) {
  }
  EXPECT_LT(count, 2);
}

}  // namespace
}  // namespace postern::config
