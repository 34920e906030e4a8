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
  watch_.watch({path("one"), path("two")});
  EXPECT_FALSE(is_told());
  write("one", "12");
  EXPECT_FALSE(watch_.settled());
  write("one", "123");
  EXPECT_FALSE(watch_.settled());
  EXPECT_TRUE(watch_.settled());
  EXPECT_FALSE(is_told());
}

TEST_F(Watched, a_file_that_comes_goes_or_is_renamed_into_place_has_changed) {
  watch_.watch({path("one"), path("two")});
  write("two", "2");
  EXPECT_TRUE(is_told());
  std::filesystem::remove(path("one"));
  EXPECT_TRUE(is_told());
  write("three", "2");
  std::filesystem::rename(path("three"), path("two"));
  EXPECT_TRUE(is_told());
}

TEST_F(Watched, a_change_while_the_files_are_read_is_told) {
  watch_.watch({path("one")});
  watch_.look();
  write("one", "half");  // and the reader has seen nothing of it, or half of it
  watch_.watch({path("one")});
  EXPECT_TRUE(is_told());
}

TEST_F(Watched, what_is_watched_for_the_first_time_is_known) {
  watch_.watch({path("one")});
  write("two", "2");
  watch_.watch({path("one"), path("two")});
  EXPECT_FALSE(is_told());
}

}  // namespace
}  // namespace postern::config
