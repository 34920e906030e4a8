#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "ask/mailboxes.hpp"
#include "config/maildir_name.hpp"
#include "spec/limits.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

namespace fs = std::filesystem;
using Standing = ValidRecipients::Standing;

class Mailboxes : public ::testing::Test {
 protected:
  Mailboxes() { fs::create_directories("mail/example.org/user"); }

  Standing standing_of(const std::string& address, const std::string& root = "mail") {
    problem_.clear();
    const Standing standing = mailbox_standing(root, address, problem_);
    EXPECT_EQ(standing == Standing::unknowable, !problem_.empty()) << address;
    return standing;
  }

  tests::Home home_;
  std::string problem_;
};

TEST_F(Mailboxes, whose_folder_is_there_exists) {
  EXPECT_EQ(Standing::valid, standing_of("user@example.org"));
  EXPECT_EQ(Standing::valid, standing_of("USER@Example.ORG"));
  EXPECT_EQ(Standing::unknown, standing_of("nobody@example.org"));
  EXPECT_EQ(Standing::unknown, standing_of("user@other.example"));
  EXPECT_EQ(Standing::unknown, standing_of("user-x@example.org"));
  EXPECT_EQ(Standing::unknown, standing_of("../example.org/user@example.org")) << "no way around";
  EXPECT_EQ(Standing::unknown, standing_of("@example.org"));
}

// RFC 5321 4.5.1: the first message makes its folder.
TEST_F(Mailboxes, postmaster_needs_none) {
  for (const char* address : {"postmaster", "Postmaster", "postmaster@example.org", "PostMaster@other.example"})
    EXPECT_EQ(Standing::valid, standing_of(address)) << address;
  EXPECT_EQ(Standing::unknown, standing_of("postmasters@example.org"));
}

TEST_F(Mailboxes, a_long_name_is_looked_for_where_it_is_delivered) {
  const std::string local_part(spec::max_address_octets - 12, '/');
  EXPECT_EQ(Standing::unknown, standing_of(local_part + "@example.org"));
  fs::create_directories("mail/" + config::mailbox_path(local_part + "@example.org", ""));
  EXPECT_EQ(Standing::valid, standing_of(local_part + "@example.org"));
  EXPECT_EQ(Standing::unknown, standing_of(local_part + "x@example.org"));
}

TEST_F(Mailboxes, what_cannot_be_looked_at_is_unknowable) {
  EXPECT_EQ(Standing::unknowable, standing_of("user@example.org", "nowhere"));
  EXPECT_EQ("POSTERN_MAILDIR=\"nowhere\": No such file or directory: whether a recipient has a mailbox cannot be known",
            problem_);
  home_.write("file", "");
  EXPECT_EQ(Standing::unknowable, standing_of("user@example.org", "file"));
  fs::create_symlink("../gone", "mail/example.org/moved");
  EXPECT_EQ(Standing::unknowable, standing_of("moved@example.org")) << "its file system may be away";
  fs::create_symlink("gone", "mail/moved.example");
  EXPECT_EQ(Standing::unknowable, standing_of("user@moved.example"));
  fs::create_symlink("loop", "mail/example.org/loop");
  EXPECT_EQ(Standing::unknowable, standing_of("loop@example.org"));
  home_.write("mail/example.org/list", "not a folder");
  EXPECT_EQ(Standing::unknowable, standing_of("list@example.org")) << "the delivery would defer, too";
  home_.write("mail/file.example", "not a folder");
  EXPECT_EQ(Standing::unknowable, standing_of("user@file.example"));
  EXPECT_EQ(Standing::valid, standing_of("user@example.org")) << "the others are known";
  EXPECT_EQ(Standing::valid, standing_of("postmaster@example.org", "nowhere"));
}

TEST_F(Mailboxes, a_link_to_a_folder_is_a_folder) {
  fs::create_directories("elsewhere/user");
  fs::create_symlink("../../elsewhere/user", "mail/example.org/linked");
  fs::create_symlink("../elsewhere", "mail/linked.example");
  EXPECT_EQ(Standing::valid, standing_of("linked@example.org"));
  EXPECT_EQ(Standing::valid, standing_of("user@linked.example"));
  EXPECT_EQ(Standing::unknown, standing_of("nobody@linked.example"));
}

// A mount point without its file system must refuse nobody for good.
TEST_F(Mailboxes, a_folder_with_nothing_in_it_knows_nobody) {
  fs::create_directory("point");
  EXPECT_EQ(Standing::unknowable, standing_of("user@example.org", "point"));
  EXPECT_TRUE(problem_.starts_with("POSTERN_MAILDIR=\"point\": nothing is in it (is it mounted?)")) << problem_;
  fs::create_directory("point/example.org");
  EXPECT_EQ(Standing::unknowable, standing_of("user@example.org", "point")) << "a domain may have its own file system";
  EXPECT_TRUE(problem_.starts_with("point/example.org: nothing is in it (is it mounted?)")) << problem_;
  EXPECT_EQ(Standing::unknown, standing_of("user@other.example", "point"));
  fs::create_directory("point/example.org/postmaster");
  EXPECT_EQ(Standing::unknown, standing_of("user@example.org", "point"));
}

// As who serves does: not as root, who may search anywhere.
TEST_F(Mailboxes, a_folder_that_may_not_be_searched_is_unknowable) {
  constexpr uid_t nobody = 65534;
  const uid_t own = ::geteuid();
  fs::permissions(home_.path(), fs::perms::owner_all | fs::perms::others_exec);
  fs::permissions("mail/example.org", fs::perms::none);
  ASSERT_EQ(0, ::seteuid(own == 0 ? nobody : own));
  const Standing standing = standing_of("user@example.org");
  ASSERT_EQ(0, ::seteuid(own));
  fs::permissions("mail/example.org", fs::perms::owner_all);
  EXPECT_EQ(Standing::unknowable, standing);
  EXPECT_TRUE(problem_.contains("Permission denied")) << problem_;
}

}  // namespace
}  // namespace postern::ask
