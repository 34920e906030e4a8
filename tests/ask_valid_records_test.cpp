#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ask/valid_records.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

using Sentences = std::vector<std::string>;

class ValidRecords : public ::testing::Test {
 protected:
  Sentences judge(const std::string& path = {}) {
    RcptHosts ours;
    ours.read();
    return judge_valid_records(path, ours);
  }

  tests::Home home_;
};

TEST_F(ValidRecords, keys_that_no_recipient_matches_are_told) {
  home_.write("control/rcpthosts", "example.org\n.sub.example.org\n");
  home_.write_cdb("control/morercpthosts.cdb", {{"more.example", ""}});
  home_.write_cdb("named.cdb", {{"user@example.org", ""},
                                {"User@example.org", ""},
                                {"user@Example.org", ""},
                                {"list-default@a.sub.example.org", "-"},
                                {"@more.example", ""},
                                {"user@other.example", ""},
                                {"@other.example", ""},
                                {"user", ""},
                                {"", ""}});
  EXPECT_EQ(
      judge("named.cdb"),
      (Sentences{"named.cdb: \"User@example.org\" never matches: write it in lower case, and make the cdb again; "
                 "and 1 more keys of the kind",
                 "named.cdb: \"user@other.example\" is of a domain that is not ours, and never asked for: name it "
                 "in rcpthosts, or take it out, and make the cdb again; and 1 more keys of the kind",
                 "named.cdb: \"user\" never matches: write user@example.org or @example.org, and make the cdb "
                 "again; and 1 more keys of the kind"}));
}

TEST_F(ValidRecords, a_list_of_nobody_is_told) {
  home_.write_cdb("control/validrcptto.cdb", {});
  EXPECT_EQ(judge(),
            (Sentences{"control/validrcptto.cdb has no record: each recipient of ours gets 550, but postmaster; "
                       "make it again with cdb -c, or remove it"}));
  home_.write_cdb("named.cdb", {});
  ASSERT_EQ(1U, judge("named.cdb").size());
  EXPECT_TRUE(judge("named.cdb")[0].ends_with("or unset VALIDRCPTTO_CDB"));
}

TEST_F(ValidRecords, what_is_right_or_cannot_be_known_is_silent) {
  EXPECT_EQ(judge(), Sentences()) << "there is none";
  home_.write("control/validrcptto.cdb", "no cdb");
  EXPECT_EQ(judge(), Sentences()) << "the start says it";
  home_.write_cdb("named.cdb", {{"user@example.org", ""}});
  EXPECT_EQ(judge("named.cdb"), Sentences()) << "no domain is ours: that is told elsewhere";
  home_.write("control/rcpthosts", "sp\xe4m\n");
  EXPECT_EQ(judge("named.cdb"), Sentences()) << "nobody knows which domains are ours";
}

}  // namespace
}  // namespace postern::ask
