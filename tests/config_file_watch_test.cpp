#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "config/file_watch.hpp"

namespace postern::config {
namespace {

class Watched : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "postern-watch-XXXXXX";
    ASSERT_NE(nullptr, ::mkdtemp(folder_.data()));
    write("one", "1");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  // Another size each time: two writes may have the same moment.
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
  [[nodiscard]] bool is_told() { return watch_.settled() || watch_.settled(); }

  std::string folder_;
  FileWatch watch_;
};

TEST_F(Watched, a_change_is_told_once_and_only_when_it_has_settled) {
  watch_.watch(path("one"));
  watch_.watch(path("two"));
  EXPECT_FALSE(is_told());
  write("one", "12");
  EXPECT_FALSE(watch_.settled());
  write("one", "123");
  EXPECT_FALSE(watch_.settled());
  EXPECT_TRUE(watch_.settled());
  EXPECT_FALSE(is_told());
}

TEST_F(Watched, a_file_that_comes_goes_or_is_renamed_into_place_has_changed) {
  watch_.watch(path("one"));
  watch_.watch(path("two"));
  write("two", "2");
  EXPECT_TRUE(is_told());
  std::filesystem::remove(path("one"));
  EXPECT_TRUE(is_told());
  write("three", "2");
  std::filesystem::rename(path("three"), path("two"));
  EXPECT_TRUE(is_told());
}

TEST_F(Watched, a_change_after_it_is_watched_is_reported_though_another_has_read_it) {
  EXPECT_TRUE(watch_.watch(path("one")));
  write("one", "half");  // and the reader has seen nothing of it, or half of it
  EXPECT_FALSE(watch_.watch(path("one"))) << "it stays known as it was";
  EXPECT_TRUE(watch_.watch(path("two")));
  EXPECT_TRUE(is_told());
  EXPECT_FALSE(is_told()) << "once";
}

TEST_F(Watched, a_change_before_it_is_watched_is_told_where_its_state_from_before_is_given) {
  const FileWatch::State before = FileWatch::state_of(path("one"));
  write("one", "half");
  watch_.watch(path("one"), before);
  EXPECT_TRUE(is_told());
  EXPECT_FALSE(is_told());
  watch_.watch(path("two"), FileWatch::state_of(path("two")));
  EXPECT_FALSE(is_told()) << "nothing has changed";
}

TEST_F(Watched, what_is_looked_at_again_is_known) {
  watch_.watch(path("one"));
  write("one", "half");
  watch_.look();
  EXPECT_FALSE(is_told());
  write("one", "whole");
  EXPECT_TRUE(is_told());
}

TEST_F(Watched, of_a_name_it_counts_only_where_it_leads) {
  EXPECT_TRUE(watch_.watch_name(path("link")));
  EXPECT_FALSE(watch_.watch_name(path("link")));
  write("link", "1");
  EXPECT_FALSE(is_told());
  std::filesystem::remove(path("link"));
  std::filesystem::create_symlink(path("one"), path("link"));
  EXPECT_TRUE(is_told());
}

}  // namespace
}  // namespace postern::config
