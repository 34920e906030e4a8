#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "ask/check_program.hpp"
#include "config/start.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

constexpr Credentials alice{"alice", "wonderland"};

class CheckProgramTest : public ::testing::Test {
 protected:
  // Runs `check subprogram` with a check program of this text.
  CheckResult check(std::string_view script, const Credentials& credentials = alice, unsigned max_seconds = 10) {
    home_.write_program("check", "#!/bin/sh\n" + std::string(script));
    return run({home_.path() + "/check", "/bin/true"}, credentials, max_seconds);
  }

  CheckResult run(std::vector<std::string> arguments, const Credentials& credentials = alice,
                  unsigned max_seconds = 10) {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    return CheckProgram(argv.data(), environment_, max_seconds).check(credentials, 0);
  }

  tests::Home home_;
  base::Environment environment_{environ};
};

// Recorded: x:cl-two-args.
TEST(HasCheckProgram, wants_host_name_program_and_subprogram) {
  std::string word = "word";
  const std::vector<char*> words(4, word.data());
  for (std::size_t count = 0; count <= 4; ++count)
    EXPECT_EQ(count >= 3, config::has_check_program(std::span(words).first(count))) << count;
}

TEST_F(CheckProgramTest, descriptor_3_gives_name_password_and_an_empty_field) {
  EXPECT_EQ(Verdict::accepted, check("cat <&3 >got\nexec \"$@\"\n").verdict);
  EXPECT_EQ(std::string("alice\0wonderland\0\0", 18), home_.read("got"));
}

TEST_F(CheckProgramTest, the_subprogram_is_its_argument) {
  EXPECT_EQ(Verdict::accepted, check("cat <&3 >/dev/null\necho \"$#\" \"$1\" >arguments\n").verdict);
  EXPECT_EQ("1 /bin/true\n", home_.read("arguments"));
}

// deviation D7; recorded otherwise: x:cl-failing-program
TEST_F(CheckProgramTest, the_exit_code_is_the_answer) {
  const std::pair<int, Verdict> cases[] = {{0, Verdict::accepted},  {1, Verdict::rejected},  {2, Verdict::broken},
                                           {3, Verdict::rejected},  {99, Verdict::rejected}, {100, Verdict::rejected},
                                           {111, Verdict::broken},  {126, Verdict::broken},  {127, Verdict::broken},
                                           {255, Verdict::rejected}};
  for (const auto& [code, verdict] : cases) {
    const CheckResult result = check("cat <&3 >/dev/null\nexit " + std::to_string(code) + "\n");
    EXPECT_EQ(verdict, result.verdict) << code;
    EXPECT_EQ(verdict == Verdict::accepted, result.detail.empty()) << code;
  }
}

TEST_F(CheckProgramTest, a_program_that_reads_nothing_may_still_answer) {
  EXPECT_EQ(Verdict::accepted, check("exit 0\n").verdict);
  EXPECT_EQ(Verdict::rejected, check("exec 3<&-\nexit 1\n").verdict);
}

// Recorded: x:cl-crashing-program.
TEST_F(CheckProgramTest, a_crash_is_not_a_wrong_password) {
  const CheckResult result = check("kill -SEGV $$\n");
  EXPECT_EQ(Verdict::broken, result.verdict);
  EXPECT_EQ("killed by a signal", result.detail);
}

TEST_F(CheckProgramTest, a_slow_one_is_killed) {
  const auto before = std::chrono::steady_clock::now();
  const CheckResult result = check("echo $$ >pid\nexec sleep 30\n", alice, 1);
  EXPECT_EQ(Verdict::broken, result.verdict);
  EXPECT_EQ("too slow, killed", result.detail);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
  EXPECT_NE(0, ::kill(std::stoi(home_.read("pid")), 0));
}

TEST_F(CheckProgramTest, what_cannot_be_executed_is_broken) {
  home_.write("text", "exit 0\n");
  home_.write_program("no-interpreter", "#!/nonexistent/sh\n");
  home_.write_program("no-magic", "exit 0\n");
  for (const char* name :
       {"/nonexistent/check", "text", "no-interpreter", "no-magic", "control", "no-such-program-at-all", ""}) {
    const std::string path = std::string(name).starts_with("no-s") || *name == '\0' || *name == '/'
                                 ? std::string(name)
                                 : home_.path() + "/" + name;
    EXPECT_EQ(Verdict::broken, run({path, "/bin/true"}).verdict) << name;
  }
}

TEST_F(CheckProgramTest, what_cannot_be_executed_is_named_with_its_reason) {
  home_.write("text", "exit 0\n");
  const std::string text = home_.path() + "/text";
  EXPECT_EQ("cannot exec the check program " + text + ": Permission denied", run({text, "/bin/true"}).detail);
  EXPECT_EQ("cannot exec the check program /nonexistent/check: No such file or directory",
            run({"/nonexistent/check", "/bin/true"}).detail);
  EXPECT_EQ("cannot exec the check program no-such-program: No such file or directory",
            run({"no-such-program", "/bin/true"}).detail);
}

TEST_F(CheckProgramTest, a_name_without_slash_is_searched_in_path) {
  home_.write_program("check-in-path", "#!/bin/sh\nexit 0\n");
  home_.write("control/check-in-path", "not executable");
  EXPECT_EQ(Verdict::broken, run({"check-in-path", "/bin/true"}).verdict);
  for (const std::string& path : {"/nonexistent:" + home_.path() + "/control:" + home_.path() + ":/bin",
                                  std::string("/nonexistent:"), std::string(":/bin"), home_.path()}) {
    environment_.set("PATH", path);
    EXPECT_EQ(Verdict::accepted, run({"check-in-path", "/bin/true"}).verdict) << path;
  }
  environment_.unset("PATH");
  EXPECT_EQ(Verdict::broken, run({"check-in-path", "/bin/true"}).verdict);
  EXPECT_EQ(Verdict::accepted, run({"true", "/bin/true"}).verdict);
}

TEST_F(CheckProgramTest, the_client_is_out_of_its_reach) {
  std::array<int, 2> client{};
  ASSERT_EQ(0, ::pipe(client.data()));  // stands for a socket inherited without close-on-exec
  const int high = ::dup2(client[1], 57);
  // Looked at from a subshell: a redirection of the loop itself would show instead of descriptor 1.
  const CheckResult result = check(
      "links=$(for n in 0 1 3; do readlink /proc/$$/fd/$n; done; test -e /proc/$$/fd/57 && echo 57)\n"
      "echo \"$links\" >links\n"
      "exit 0\n");
  EXPECT_EQ(Verdict::accepted, result.verdict);
  const std::string links = home_.read("links");
  EXPECT_TRUE(links.starts_with("/dev/null\n/dev/null\npipe:[")) << links;
  EXPECT_EQ(std::string::npos, links.find("\n57")) << links;
  for (const int descriptor : {client[0], client[1], high}) ::close(descriptor);
}

TEST_F(CheckProgramTest, no_descriptor_is_left_over) {
  const auto lowest_free = [] {
    const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(descriptor);
    return descriptor;
  };
  const int before = lowest_free();
  for (int i = 0; i < 5; ++i) (void)check("exit 0\n");
  (void)run({"/nonexistent/check", "/bin/true"});
  EXPECT_EQ(before, lowest_free());
}

TEST_F(CheckProgramTest, at_most_512_octets_are_handed_over) {
  const std::string name(255, 'n');
  const std::string fits(max_check_octets - 255 - 3, 'p');
  EXPECT_EQ(Verdict::accepted, check("cat <&3 >got\n", {name, fits}).verdict);
  EXPECT_EQ(max_check_octets, home_.read("got").size());
  const std::string too_long = fits + "p";
  EXPECT_EQ(Verdict::rejected, check("exit 0\n", {name, too_long}).verdict);
  EXPECT_EQ(Verdict::rejected, check("exit 0\n", {name, std::string(100000, 'p')}).verdict);
}

TEST_F(CheckProgramTest, a_nul_never_moves_a_field) {
  EXPECT_EQ(Verdict::rejected, check("exit 0\n", {std::string_view("root\0x", 6), "y"}).verdict);
  EXPECT_EQ(Verdict::rejected, check("exit 0\n", {"root", std::string_view("x\0y", 3)}).verdict);
}

}  // namespace
}  // namespace postern::ask
