#include <crypt.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <new>
#include <string>
#include <vector>

#include "ask/auth_cdb.hpp"
#include "tests/daemon_home.hpp"
#include "tests/in_a_child.hpp"

namespace postern::ask {
namespace {

constexpr std::uint64_t now = 1'800'000'000;
// crypt("wonderland"), cheap rounds on purpose; the users are those of the recorded sessions.
const std::string hash = "$5$rounds=1000$oraclesalt$trnN8VapAOXiuXzdVSPJNrmg/ho5bvNky20PjOit3dA";

std::string hashed(const char* password, const char* setting) {
  crypt_data work{};
  return ::crypt_r(password, setting, &work);
}

// 8 MiB above what is used: yescrypt wants 16.
void leave_little_memory() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t octets = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (rlim_t{8} << 20U);
  const rlimit limit{.rlim_cur = octets, .rlim_max = octets};
  ::setrlimit(RLIMIT_AS, &limit);
}

class AuthCdbTest : public ::testing::Test {
 protected:
  CheckResult check(std::string_view username, std::string_view password = "wonderland", std::uint64_t at = now) {
    return users_.check({username, password}, at);
  }
  void expect(Verdict verdict, std::string_view detail, const CheckResult& result) {
    EXPECT_EQ(verdict, result.verdict) << detail << " / " << result.detail;
    EXPECT_EQ(detail, result.detail);
  }

  tests::Home home_;
  AuthCdb users_{"users.cdb"};
};

// Recorded: c_plain, c_plain_bad, c_unknown_user, c_user_case.
TEST_F(AuthCdbTest, a_password_is_right_or_wrong) {
  home_.write_cdb("users.cdb", {{"alice", hash}});
  expect(Verdict::accepted, "", check("alice"));
  expect(Verdict::rejected, "bad password", check("alice", "wrong"));
  expect(Verdict::rejected, "bad password", check("alice", ""));
  expect(Verdict::rejected, "bad password", check("alice", "wonderland "));
  expect(Verdict::rejected, "unknown user", check("nobody"));
  expect(Verdict::rejected, "unknown user", check("ALICE"));
  expect(Verdict::rejected, "unknown user", check(""));
}

// libxcrypt says EINVAL then, as for a bad setting.
TEST_F(AuthCdbTest, a_right_password_is_not_called_wrong_for_lack_of_memory) {
  home_.write_cdb("users.cdb", {{"alice", hashed("wonderland", "$y$j9T$saltsaltsaltsaltsalt$")}});
  expect(Verdict::accepted, "", check("alice"));
  const auto judged = [this]() -> int {
    leave_little_memory();
    try {
      return static_cast<int>(check("alice").verdict);
    } catch (const std::bad_alloc&) {
      return 111;
    }
  };
  EXPECT_EQ(tests::in_a_child(judged), 111);
}

TEST_F(AuthCdbTest, every_method_of_crypt_works) {
  for (const char* setting : {"$1$saltsalt$", "$5$rounds=1000$salt$", "$6$rounds=1000$salt$",
                              "$y$j75$saltsaltsaltsaltsalt$", "$2b$04$abcdefghijklmnopqrstuu", "ab"}) {
    const std::string stored = hashed("wonderland", setting);
    ASSERT_NE('*', stored[0]) << setting;
    home_.write_cdb("users.cdb", {{"alice", stored}});
    expect(Verdict::accepted, "", check("alice"));
    expect(Verdict::rejected, "bad password", check("alice", "wrong"));
  }
}

TEST_F(AuthCdbTest, a_hash_that_is_none_matches_nothing) {
  const std::vector<std::string> hashes{"",
                                        "*",
                                        "*0",
                                        "*1",
                                        "!",
                                        "x",
                                        "!" + hash,
                                        "$9$nothing$here",
                                        "wonderland",
                                        hash + std::string("\0", 1),
                                        std::string(500, 'a'),
                                        "$5$"};
  for (const std::string& stored : hashes) {
    home_.write_cdb("users.cdb", {{"eve", stored}, {"alice", hash}});
    for (const std::string& password : {std::string("wonderland"), std::string(), stored})
      EXPECT_EQ(Verdict::rejected, check("eve", password).verdict) << stored << " " << password;
    home_.write_cdb("users.cdb", {{"eve", stored + ",A=\"1\""}});
    EXPECT_EQ(Verdict::rejected, check("eve").verdict) << stored;
  }
}

// A setting whose stored hash is cut short: crypt gives more than is stored, so it is no match.
TEST_F(AuthCdbTest, a_hash_cut_short_matches_nothing) {
  for (std::size_t octets = 0; octets < hash.size(); ++octets) {
    home_.write_cdb("users.cdb", {{"alice", hash.substr(0, octets)}});
    EXPECT_EQ(Verdict::rejected, check("alice").verdict) << octets;
  }
}

// deviation D8; the original never expires anybody
TEST_F(AuthCdbTest, an_expired_password_is_refused) {
  const std::pair<const char*, Verdict> cases[] = {
      {"0", Verdict::accepted},          {"1", Verdict::rejected},
      {"1799999999", Verdict::rejected}, {"1800000000", Verdict::rejected},
      {"1800000001", Verdict::accepted}, {"4102444800", Verdict::accepted},
      {"", Verdict::accepted},           {"never", Verdict::broken},
      {"-1", Verdict::broken},           {"18446744073709551616", Verdict::broken}};
  for (const auto& [expires, verdict] : cases) {
    home_.write_cdb("users.cdb", {{"bob", hash + ",PASSWORD_EXPIRES=\"" + expires + "\""}});
    EXPECT_EQ(verdict, check("bob").verdict) << expires;
  }
  home_.write_cdb("users.cdb", {{"bob", hash + ",DATABYTES=\"1\",PASSWORD_EXPIRES=\"1\""}});
  expect(Verdict::rejected, "expired", check("bob"));
  expect(Verdict::rejected, "bad password", check("bob", "wrong"));
  expect(Verdict::accepted, "", check("bob", "wonderland", 0));
}

TEST_F(AuthCdbTest, pairs_are_given_after_success_only) {
  home_.write_cdb("users.cdb", {{"dave", hash + ",DATABYTES=\"77\",ORACLE_VAR=\"set\""}, {"alice", hash}});
  expect(Verdict::accepted, "", check("dave"));
  EXPECT_EQ(",DATABYTES=\"77\",ORACLE_VAR=\"set\"", users_.environment_pairs());
  expect(Verdict::rejected, "bad password", check("dave", "wrong"));
  EXPECT_EQ("", users_.environment_pairs());
  expect(Verdict::accepted, "", check("alice"));
  EXPECT_EQ("", users_.environment_pairs());
}

TEST_F(AuthCdbTest, what_an_editor_left_at_the_end_of_a_record_is_no_part_of_it) {
  for (const std::string end : {"\r", " ", "\t \r", "\n"}) {
    home_.write_cdb("users.cdb", {{"alice", hash + end}, {"bob", hash + ",DATABYTES=\"7\"" + end}});
    expect(Verdict::accepted, "", check("alice"));
    expect(Verdict::accepted, "", check("bob"));
    EXPECT_EQ(",DATABYTES=\"7\"", users_.environment_pairs());
  }
}

// spec/foreign.toml: ignoring such a filter would take mail that was to be refused.
TEST_F(AuthCdbTest, a_user_for_whom_a_filter_of_the_original_is_set_is_not_let_in_without_it) {
  home_.write_cdb("users.cdb", {{"alice", hash + ",DATABYTES=\"7\",MFCHECK=\"1\""},
                                {"bob", hash + ",AUTH_SET_MFCHECK=\"2\""},
                                {"dave", hash + ",MFCHECK=\"0\",SPF_LOG=\"1\""}});
  const CheckResult result = check("alice");
  EXPECT_EQ(Verdict::broken, result.verdict);
  EXPECT_TRUE(result.detail.starts_with("MFCHECK=\"1\" of the user: in ")) << result.detail;
  EXPECT_EQ("", users_.environment_pairs());
  EXPECT_EQ(Verdict::broken, check("bob").verdict);
  expect(Verdict::rejected, "bad password", check("alice", "wrong"));
  expect(Verdict::accepted, "", check("dave"));
}

TEST_F(AuthCdbTest, nul_and_excess_are_refused) {
  home_.write_cdb("users.cdb", {{"alice", hash}});
  EXPECT_EQ(Verdict::rejected, check(std::string_view("alice\0x", 7)).verdict);
  EXPECT_EQ(Verdict::rejected, check("alice", std::string_view("wonderland\0x", 12)).verdict);
  EXPECT_EQ(Verdict::rejected, check("alice", std::string(CRYPT_MAX_PASSPHRASE_SIZE, 'x')).verdict);
  EXPECT_EQ(Verdict::rejected, check(std::string(100000, 'x')).verdict);
}

// deviation D7; recorded otherwise: x:cdb-garbage
TEST_F(AuthCdbTest, a_file_that_cannot_be_read_is_broken) {
  expect(Verdict::broken, "cannot read AUTH_CDB", check("alice"));
  home_.write("users.cdb", "example.com\n.sub.example.com\n");
  expect(Verdict::broken, "AUTH_CDB is malformed", check("alice"));
  home_.write("users.cdb", std::string(8192, 'g'));
  expect(Verdict::broken, "AUTH_CDB is malformed", check("alice"));
}

TEST_F(AuthCdbTest, a_file_in_which_nobody_has_a_password_lets_nobody_in) {
  home_.write_cdb("users.cdb", {{"eve", "*"}, {"frank", ""}});
  expect(Verdict::rejected, "no usable password hash", check("eve"));
  expect(Verdict::rejected, "unknown user", check("nobody"));
  home_.write_cdb("users.cdb", {});
  expect(Verdict::rejected, "unknown user", check("nobody"));
}

// Processor time, so that a busy machine does not matter; the middle of several.
class Cost {
 public:
  template <typename Action>
  static double of(Action action) {
    std::array<double, 5> seconds{};
    for (double& taken : seconds) {
      const double before = used();
      action();
      taken = used() - before;
    }
    std::ranges::sort(seconds);
    return seconds[seconds.size() / 2];
  }

 private:
  static double used() {
    timespec spent{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
  }
};

TEST_F(AuthCdbTest, an_unknown_user_costs_what_a_wrong_password_costs) {
  const std::string expensive = hashed("wonderland", "$6$rounds=60000$salt$");
  home_.write_cdb("users.cdb", {{"eve", "*"}, {"alice", expensive}});
  const double wrong = Cost::of([&] { (void)check("alice", "wrong"); });
  const double unknown = Cost::of([&] { (void)check("nobody", "wrong"); });
  const double locked = Cost::of([&] { (void)check("eve", "wrong"); });
  EXPECT_GT(wrong, 0.005);
  EXPECT_GT(unknown, 0.5 * wrong);
  EXPECT_LT(unknown, 2.0 * wrong);
  EXPECT_GT(locked, 0.5 * wrong);
  EXPECT_LT(locked, 2.0 * wrong);
}

}  // namespace
}  // namespace postern::ask
