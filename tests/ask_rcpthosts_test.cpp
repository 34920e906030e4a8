#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "ask/rcpthosts.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

using Standing = RcptHosts::Standing;

class RcptHostsTest : public ::testing::Test {
 protected:
  Standing standing_of(std::string_view address) { return hosts_.standing_of(address, problem_); }

  tests::Home home_;
  RcptHosts hosts_;
  std::string problem_;
};

// Recorded: b_rcpt_domains.
TEST_F(RcptHostsTest, a_domain_is_ours_as_the_list_says) {
  home_.write("control/rcpthosts", "example.com\n.sub.example.com\nMixed.Example\n");
  const std::pair<const char*, Standing> cases[] = {
      {"x@example.com", Standing::ours},
      {"x@EXAMPLE.COM", Standing::ours},
      {"x@a.sub.example.com", Standing::ours},
      {"x@b.a.sub.example.com", Standing::ours},
      {"x@sub.example.com", Standing::foreign},
      {"x@notexample.com", Standing::foreign},
      {"x@example.com.", Standing::foreign},
      {"x@a.example.com", Standing::foreign},
      {"x@mixed.example", Standing::ours},
      {"x@com", Standing::foreign},
      {"a@example.com@other.example", Standing::foreign},
      {"a@other.example@example.com", Standing::ours},
      {"x@", Standing::foreign},
      {"x@[127.0.0.1]", Standing::foreign},
  };
  for (const auto& [address, standing] : cases) EXPECT_EQ(standing, standing_of(address)) << address;
}

// Recorded: b_rcpt_forms (`postmaster`, `<>`).
TEST_F(RcptHostsTest, an_address_without_at_passes) {
  EXPECT_EQ(Standing::ours, standing_of("postmaster"));
  EXPECT_EQ(Standing::ours, standing_of(""));
}

// deviation D12; recorded otherwise: x:no-rcpthosts
TEST_F(RcptHostsTest, without_rcpthosts_no_domain_is_ours) {
  home_.write_cdb("control/morercpthosts.cdb", {{"example.com", ""}});
  EXPECT_EQ(Standing::foreign, standing_of("x@example.com"));
  EXPECT_EQ(Standing::ours, standing_of("postmaster"));
}

TEST_F(RcptHostsTest, nothing_is_read_before_the_first_question) {
  home_.write("control/rcpthosts", "");
  RcptHosts hosts;
  home_.write("control/rcpthosts", "example.com\n");
  EXPECT_EQ(Standing::ours, hosts.standing_of("x@example.com", problem_));
  home_.write("control/rcpthosts", "");
  EXPECT_EQ(Standing::ours, hosts.standing_of("x@example.com", problem_));
}

TEST_F(RcptHostsTest, morercpthosts_adds_domains_and_suffixes) {
  home_.write("control/rcpthosts", "example.com\n");
  home_.write_cdb("control/morercpthosts.cdb", {{"more.example", ""}, {".wild.example", ""}});
  EXPECT_EQ(Standing::ours, standing_of("x@example.com"));
  EXPECT_EQ(Standing::ours, standing_of("x@More.EXAMPLE"));
  EXPECT_EQ(Standing::ours, standing_of("x@a.b.wild.example"));
  EXPECT_EQ(Standing::foreign, standing_of("x@wild.example"));
  EXPECT_EQ(Standing::foreign, standing_of("x@a.more.example"));
}

TEST_F(RcptHostsTest, what_cannot_be_read_is_unknowable) {
  home_.write_unreadable("control/rcpthosts");
  EXPECT_EQ(Standing::unknowable, standing_of("x@example.com"));
  EXPECT_EQ("control/rcpthosts: cannot be read: Is a directory", problem_);
  EXPECT_EQ(Standing::ours, standing_of("postmaster"));
}

TEST_F(RcptHostsTest, a_broken_cdb_is_unknowable_but_only_for_who_needs_it) {
  home_.write("control/rcpthosts", "example.com\n");
  home_.write("control/morercpthosts.cdb", "more.example\n");
  EXPECT_EQ(Standing::ours, standing_of("x@example.com"));
  EXPECT_EQ(Standing::unknowable, standing_of("x@more.example"));
  EXPECT_EQ("control/morercpthosts.cdb: cannot be read: not a well-formed cdb", problem_);
  EXPECT_EQ(Standing::unknowable, standing_of("x@more.example"));
}

TEST_F(RcptHostsTest, what_could_not_be_read_is_tried_again) {
  home_.write("control/rcpthosts", "");
  home_.write_unreadable("control/morercpthosts.cdb");
  EXPECT_EQ(Standing::unknowable, standing_of("x@more.example"));
  std::filesystem::remove("control/morercpthosts.cdb");
  home_.write_cdb("control/morercpthosts.cdb", {{"more.example", ""}});
  EXPECT_EQ(Standing::ours, standing_of("x@more.example"));
}

TEST_F(RcptHostsTest, what_was_read_at_once_may_be_written_over) {
  home_.write("control/rcpthosts", "one.example\n");
  home_.write_cdb("control/morercpthosts.cdb", {{"more.example", ""}});
  hosts_.read();
  const RcptHosts& hosts = hosts_;
  EXPECT_EQ(Standing::ours, hosts.standing_of("x@more.example", problem_));
  home_.write("control/rcpthosts", "");
  home_.write("control/morercpthosts.cdb", "");
  EXPECT_EQ(Standing::ours, hosts.standing_of("x@one.example", problem_));
  EXPECT_EQ(Standing::ours, hosts.standing_of("x@more.example", problem_));
  EXPECT_EQ(Standing::foreign, hosts.standing_of("x@other.example", problem_));
}

TEST_F(RcptHostsTest, a_cdb_of_garbage_is_unknowable) {
  home_.write("control/rcpthosts", "");
  home_.write("control/morercpthosts.cdb", std::string(8192, 'g'));
  EXPECT_EQ(Standing::unknowable, standing_of("x@more.example"));
}

}  // namespace
}  // namespace postern::ask
