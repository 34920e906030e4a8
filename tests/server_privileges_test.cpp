#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "server/sandbox/privileges.hpp"
#include "tests/in_a_child.hpp"

namespace postern::server {
namespace {

using tests::in_a_child;

std::string error_of(std::string_view user_and_groups) {
  const auto found = look_up(user_and_groups);
  return found ? "" : found.error();
}

TEST(Privileges, names_are_looked_up) {
  const passwd* entry = ::getpwnam("nobody");
  ASSERT_NE(nullptr, entry);
  const auto found = look_up("nobody");
  ASSERT_TRUE(found) << found.error();
  EXPECT_EQ(entry->pw_uid, found->user);
  EXPECT_EQ(entry->pw_gid, found->group);
  EXPECT_EQ(std::vector<gid_t>{entry->pw_gid}, found->groups);
}

TEST(Privileges, groups_follow_the_user) {
  const auto found = look_up("nobody:daemon:mail:daemon");
  ASSERT_TRUE(found) << found.error();
  EXPECT_EQ(::getgrnam("daemon")->gr_gid, found->group);
  EXPECT_EQ((std::vector<gid_t>{::getgrnam("daemon")->gr_gid, ::getgrnam("mail")->gr_gid}), found->groups);
}

TEST(Privileges, numbers_need_no_entry) {
  const auto found = look_up("54321:54322");
  ASSERT_TRUE(found) << found.error();
  EXPECT_EQ(54321U, found->user);
  EXPECT_EQ(54322U, found->group);
}

TEST(Privileges, what_cannot_be_found_is_told_with_a_remedy) {
  EXPECT_TRUE(error_of("no-such-user").contains("no user \"no-such-user\": create it"));
  EXPECT_TRUE(error_of("nobody:no-such-group").contains("no group \"no-such-group\": create it"));
  EXPECT_TRUE(error_of("54321").contains("write a group after it"));
  EXPECT_TRUE(error_of("nobody:").contains("lacks a group"));
  EXPECT_TRUE(error_of("").contains("no user \"\""));
  EXPECT_TRUE(error_of("99999999999:1").contains("no user"));
}

TEST(Privileges, root_is_nobody_to_drop_to) {
  EXPECT_TRUE(error_of("root").contains("is root"));
  EXPECT_TRUE(error_of("0:54322").contains("is root"));
  EXPECT_TRUE(error_of("nobody:root").contains("is root's"));
  EXPECT_TRUE(error_of("nobody:daemon:0").contains("is root's"));
}

class AsRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  }
};

TEST_F(AsRoot, there_is_no_way_back) {
  EXPECT_EQ(0, in_a_child([] {
              if (!drop_privileges(*look_up("54321:54322:54323"))) return 1;
              if (::getuid() != 54321 || ::geteuid() != 54321 || ::getgid() != 54322 || ::getegid() != 54322) return 2;
              gid_t groups[8];
              if (::getgroups(8, groups) != 2 || groups[0] != 54322 || groups[1] != 54323) return 3;
              if (::setuid(0) == 0 || ::setgid(0) == 0 || ::chroot("/") == 0) return 4;
              return ::open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : 5;
            }));
}

TEST_F(AsRoot, kept_capabilities_do_not_survive) {
  EXPECT_EQ(0, in_a_child([] {
              if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return 1;
              if (!drop_privileges(*look_up("54321:54322"))) return 2;
              return ::chroot("/") != 0 ? 0 : 3;
            }));
}

TEST_F(AsRoot, capabilities_that_would_survive_are_found) {
  constexpr unsigned long no_setuid_fixup = 1UL << 2;  // capabilities(7): SECBIT_NO_SETUID_FIXUP
  EXPECT_EQ(0, in_a_child([] {
              if (::prctl(PR_SET_SECUREBITS, no_setuid_fixup, 0, 0, 0) != 0) return 1;
              const auto dropped = drop_privileges(*look_up("54321:54322"));
              return !dropped && dropped.error().contains("could return") ? 0 : 2;
            }));
}

TEST_F(AsRoot, twice_is_as_once) {
  EXPECT_EQ(0, in_a_child([] {
              const auto account = *look_up("54321:54322");
              return drop_privileges(account) && drop_privileges(account) ? 0 : 1;
            }));
}

TEST_F(AsRoot, another_user_cannot_become_it) {
  EXPECT_EQ(0, in_a_child([] {
              if (!drop_privileges(*look_up("54321:54322"))) return 1;
              const auto dropped = drop_privileges(*look_up("54399:54322"));
              return !dropped && dropped.error().contains("started as user 54321; start as root") ? 0 : 2;
            }));
}

TEST_F(AsRoot, a_group_too_many_is_not_kept_silently) {
  EXPECT_EQ(0, in_a_child([] {
              if (!drop_privileges(*look_up("54321:54322:54323"))) return 1;
              const auto dropped = drop_privileges(*look_up("54321:54322"));
              return !dropped && dropped.error().contains("write user = \"54321:54322:54323\"") ? 0 : 2;
            }));
}

TEST_F(AsRoot, a_new_root_hides_everything_else) {
  std::string folder = ::testing::TempDir() + "postern-root-XXXXXX";
  ASSERT_NE(nullptr, ::mkdtemp(folder.data()));
  EXPECT_EQ(0, in_a_child([&] {
              if (!change_root(folder)) return 1;
              if (!drop_privileges(*look_up("54321:54322"))) return 2;
              return ::access("/etc/passwd", F_OK) != 0 && ::access("../../etc/passwd", F_OK) != 0 ? 0 : 3;
            }));
  ::rmdir(folder.c_str());
}

TEST(Privileges, a_root_that_is_none_is_told) {
  const auto changed = change_root("/no/such/folder");
  ASSERT_FALSE(changed);
  EXPECT_EQ("cannot enter the new root /no/such/folder: No such file or directory", changed.error());
}

}  // namespace
}  // namespace postern::server
