// Mailboxes on another file system than the root, and file systems that link nothing: each recipient has a copy.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>

#include "config/maildir_limits.hpp"
#include "deliver/maildir/maildir.hpp"
#include "tests/in_a_child.hpp"
#include "tests/maildir_place.hpp"

namespace postern::deliver {
namespace {

using Result = Outcome::Result;

class MaildirElsewhere : public MaildirPlace {
 protected:
  [[nodiscard]] Outcome deliver(const std::vector<std::string>& recipients, const std::string& text) const {
    MaildirRoot own_root(settings());
    Maildir maildir(own_root, Maildir::File::at_once);
    maildir.begin({}, "Received: x\n", "a@b.example");
    maildir.append(text);
    return maildir.finish({}, envelope_for(recipients));
  }
  [[nodiscard]] bool holds(const std::string& mailbox, const std::string& text) const {
    const auto messages = messages_in(root_ / mailbox);
    return messages.size() == 1 && contents(messages[0]) == "Return-Path: <a@b.example>\nReceived: x\n" + text &&
           std::filesystem::is_empty(root_ / mailbox / "tmp");
  }
};

// As a file system without hard links answers (link(2)).
bool refuse_links(int error) {
  std::array<sock_filter, 4> code{
      sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_linkat},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  const sock_fprog program{.len = code.size(), .filter = code.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(MaildirElsewhere, a_mount_below_the_root_gets_a_copy) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
  const int code = tests::in_a_child([&] {
    const auto mount_point = root_ / "far.example";
    std::filesystem::create_directory(mount_point);
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 1;
    if (::mount("none", mount_point.c_str(), "tmpfs", 0, nullptr) != 0) return 2;
    const std::string text = std::string(300'000, 'x') + "\n";
    if (deliver({"u@far.example", "u@near.example", "v@far.example"}, text).result != Result::accepted) return 3;
    if (!holds("far.example/u", text) || !holds("far.example/v", text) || !holds("near.example/u", text)) return 4;
    const auto limits = config::maildir_limits(root_);
    return limits.size() == 1 && limits[0].starts_with(mount_point.string() + " is a mount") ? 0 : 5;
  });
  EXPECT_EQ(code, 0);
}

TEST_F(MaildirElsewhere, a_full_file_system_there_leaves_nothing_anywhere) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
  const int code = tests::in_a_child([&] {
    const auto mount_point = root_ / "far.example";
    std::filesystem::create_directory(mount_point);
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 1;
    if (::mount("none", mount_point.c_str(), "tmpfs", 0, "size=64k") != 0) return 2;
    const Outcome outcome = deliver({"u@a.example", "u@far.example"}, std::string(300'000, 'x'));
    if (outcome.result != Result::deferred || !outcome.cause.starts_with("ENOSPC: far.example/u")) return 3;
    return files_below_root() == 0 ? 0 : 4;
  });
  EXPECT_EQ(code, 0);
}

TEST_F(MaildirElsewhere, a_file_system_without_hard_links_gets_a_copy_for_each) {
  for (const int error : {EPERM, EOPNOTSUPP, EMLINK, EXDEV}) {
    const int code = tests::in_a_child([&] {
      if (!refuse_links(error)) return 1;
      if (deliver({"u@x.example", "v@x.example"}, "hello\n").result != Result::accepted) return 2;
      if (!holds("x.example/u", "hello\n") || !holds("x.example/v", "hello\n")) return 3;
      return files_below_root() == 2 ? 0 : 4;
    });
    EXPECT_EQ(code, 0) << error;
    std::filesystem::remove_all(root_ / "x.example");
  }
}

TEST_F(MaildirElsewhere, what_no_copy_can_help_is_still_deferred) {
  const int code = tests::in_a_child([&] {
    if (!refuse_links(EIO)) return 1;
    return deliver({"u@x.example"}, "hello\n").result == Result::deferred && files_below_root() == 0 ? 0 : 2;
  });
  EXPECT_EQ(code, 0);
}

TEST_F(MaildirElsewhere, a_root_that_can_do_all_is_not_told_of) {
  for (const std::string& sentence : config::maildir_limits(root_))
    EXPECT_TRUE(sentence.contains("unnamed files")) << sentence;
  EXPECT_TRUE(config::maildir_limits("/nonexistent").empty());
  const int code = tests::in_a_child([&] {
    const auto before = config::maildir_limits(root_).size();
    if (!refuse_links(EPERM)) return 1;
    const auto limits = config::maildir_limits(root_);
    return limits.size() == before + 1 && limits.back().contains("no hard links") ? 0 : 2;
  });
  EXPECT_EQ(code, 0);
}

// proc(5)
TEST(MaildirLimits, mounts_are_found_below_the_root_alone) {
  const std::string lines =
      "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
      "30 22 8:2 / /srv/mail rw - ext4 /dev/sdb1 rw\n"
      "31 30 8:3 / /srv/mail/a.example rw - ext4 /dev/sdc1 rw\n"
      "32 30 8:4 /x /srv/mail/b\\040c rw - ext4 /dev/sdd1 rw\n"
      "33 22 8:5 / /srv/mailbox rw - ext4 /dev/sde1 rw\n";
  EXPECT_EQ(config::mounts_below("/srv/mail", lines),
            (std::vector<std::string>{"/srv/mail/a.example", "/srv/mail/b c"}));
  EXPECT_TRUE(config::mounts_below("/srv/mail", "").empty());
}

}  // namespace
}  // namespace postern::deliver
