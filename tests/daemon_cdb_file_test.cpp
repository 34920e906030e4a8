#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "daemon/cdb_file.hpp"
#include "tests/daemon_home.hpp"

namespace postern::daemon {
namespace {

class Cdb : public testing::Test {
 protected:
  tests::Home home_;
};

// All octets of a value, so that a view outside the file would be noticed.
int sum_of(std::string_view value) { return std::accumulate(value.begin(), value.end(), 0); }

TEST_F(Cdb, finds_what_was_put_in) {
  home_.write_cdb("a.cdb", {{"one", "1"}, {"two", ""}, {"", "empty key"}, {std::string("n\0l", 3), "nul"}});
  EXPECT_EQ(CdbCondition::usable, inspect_cdb("a.cdb"));
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
  EXPECT_EQ(CdbCondition::usable, inspect_cdb("a.cdb"));
  CdbFile file;
  ASSERT_EQ(0, file.open("a.cdb"));
  EXPECT_EQ(std::nullopt, file.find("one").value());
  EXPECT_EQ(std::nullopt, CdbFile::Values(file).next());
}

TEST_F(Cdb, what_is_not_there_is_unreadable) {
  home_.write_unreadable("folder");
  ASSERT_EQ(0, ::mkfifo("fifo", 0644));
  for (const char* path : {"", "/nonexistent/users.cdb", "folder", "fifo"})
    EXPECT_EQ(CdbCondition::unreadable, inspect_cdb(path)) << path;
  CdbFile file;
  EXPECT_EQ(ENOENT, file.open("absent.cdb"));
}

TEST_F(Cdb, what_is_no_cdb_is_malformed) {
  home_.write("empty", "");
  home_.write("short", std::string(2047, '\0'));
  home_.write("text", std::string(4096, 'x'));
  for (const char* path : {"empty", "short", "text"}) EXPECT_EQ(CdbCondition::malformed, inspect_cdb(path)) << path;
  CdbFile short_file;
  EXPECT_EQ(EPROTO, short_file.open("short"));
  CdbFile text;
  ASSERT_EQ(0, text.open("text"));  // the tables are looked at by each search
  EXPECT_EQ(EPROTO, text.find("alice").error());
}

TEST_F(Cdb, a_copy_outlives_the_file) {
  home_.write_cdb("a.cdb", {{"one", "1"}, {"two", std::string(100'000, '2')}});
  CdbFile copy;
  ASSERT_EQ(0, copy.open_copy("a.cdb"));
  std::filesystem::resize_file("a.cdb", 0);
  EXPECT_EQ("1", copy.find("one").value());
  EXPECT_EQ(std::string(100'000, '2'), copy.find("two").value());
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
    EXPECT_EQ(CdbCondition::malformed, inspect_cdb("cut.cdb")) << octets;
    CdbFile file;
    if (file.open("cut.cdb") == 0) (void)file.find("two");
  }
}

TEST_F(Cdb, whatever_the_file_holds_nothing_outside_it_is_read) {
  // Values that fill the file to the end of a page: what lies behind it is not ours.
  home_.write_cdb("a.cdb", {{"alice", std::string(700, 'a')}, {"bob", std::string(700, 'b')}, {"carol", "c"}});
  std::string whole = home_.read("a.cdb");
  whole.resize(4096);
  std::mt19937 chance(1);  // the same files at each run
  for (int round = 0; round < 1000; ++round) {
    std::string changed = whole;
    for (int change = 0; change < 4; ++change)
      changed[chance() % changed.size()] = static_cast<char>(chance() % 3 == 0 ? 0xff : chance());
    // Headers and lengths are where it matters, so aim there too.
    changed[2048 + chance() % 8] = static_cast<char>(chance());
    changed[chance() % 16] = static_cast<char>(chance());
    home_.write("changed.cdb", changed);
    (void)inspect_cdb("changed.cdb");
    CdbFile file;
    if (file.open("changed.cdb") != 0) continue;
    for (const char* key : {"alice", "bob", "carol", "nobody"})
      if (const auto found = file.find(key); found && found->has_value()) (void)sum_of(**found);
    CdbFile::Values values(file);
    while (const auto value = values.next()) (void)sum_of(*value);
  }
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
}  // namespace postern::daemon
