// A root for Maildirs of a test: a temporary folder, removed at the end; what is in its mailboxes; envelopes.
// errors  a failing test, also when descriptors are left open
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "deliver/maildir/root.hpp"

namespace postern::deliver {

inline std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string envelope_for(const std::vector<std::string>& forward_paths) {
  using namespace std::string_literals;
  std::string octets = "Fsender@client.example\0"s;
  for (const std::string& forward_path : forward_paths) octets += 'T' + forward_path + '\0';
  return octets + '\0';
}

inline std::vector<std::filesystem::path> messages_in(const std::filesystem::path& mailbox) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(mailbox / "new", error)) paths.push_back(entry.path());
  return paths;
}

inline std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

class MaildirPlace : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = ::testing::TempDir() + "postern_maildir_XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    root_ = path;
    descriptors_before_ = open_descriptors();
  }

  void TearDown() override {
    EXPECT_EQ(open_descriptors(), descriptors_before_) << "descriptors are left open";
    std::filesystem::remove_all(root_);
  }

  [[nodiscard]] MaildirSettings settings() const {
    return {.root = root_, .host = "mail.example.com", .default_domain = "example.com"};
  }

  [[nodiscard]] std::size_t files_below_root() const {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_))
      files += entry.is_regular_file() ? 1U : 0U;
    return files;
  }

  std::filesystem::path root_;
  std::size_t descriptors_before_ = 0;
};

// Runs a disabled test of this program under strace, which sees the order of system calls and can make one fail.
class TracedMaildirPlace : public MaildirPlace {
 protected:
  void SetUp() override {
    MaildirPlace::SetUp();
    if (std::system("strace -o /dev/null true 2>/dev/null") != 0) GTEST_SKIP() << "no strace here";
  }

  // What strace saw between the mark of the second message or group (access(2)) and the end; the first one makes the
  // mailboxes. The test finds its root, which is root_/mail, in POSTERN_TEST_ROOT.
  [[nodiscard]] std::string trace(const std::string& suite, const std::string& options) const {
    const std::string log = root_ / "trace";
    const std::string command = "ASAN_OPTIONS=detect_leaks=0 POSTERN_TEST_ROOT=" + root_.string() +
                                "/mail strace -y -o " + log + " " + options + " " +
                                std::filesystem::read_symlink("/proc/self/exe").string() +
                                " --gtest_also_run_disabled_tests --gtest_filter=" + suite + ".* >/dev/null";
    std::filesystem::create_directory(root_ / "mail");
    EXPECT_EQ(std::system(command.c_str()), 0);
    const std::string calls = contents(log);
    const std::size_t begin = calls.find("/second-message");
    return begin == std::string::npos ? calls : calls.substr(calls.find('\n', begin) + 1);
  }
};

}  // namespace postern::deliver
