// Deviation D34: what a program says of a recipient, whatever it does to its descriptor 4.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "ask/recipient_program.hpp"
#include "spec/limits.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

using spec::Event;
using namespace std::chrono_literals;

const std::string usual = "sorry, no mailbox here by that name (#5.1.1)";

class RecipientProgram : public ::testing::Test {
 protected:
  ProgramVerdict ask(std::string_view script, unsigned seconds = 10) {
    home_.write_program("check", "#!/bin/sh\n" + std::string(script));
    return run("./check", seconds);
  }
  ProgramVerdict run(const std::string& path, unsigned seconds = 10) {
    const ProgramVerdict verdict = ask_recipient_program(path, environment_, base::after_seconds(seconds));
    EXPECT_EQ(verdict.event == Event::recipient_unknowable, !verdict.problem.empty());
    if (verdict.event == Event::recipient_program_refused) {
      EXPECT_FALSE(verdict.words.empty());
    }
    return verdict;
  }
  std::string words(std::string_view write) {
    const ProgramVerdict verdict = ask(std::string(write) + "\nexit 100\n");
    EXPECT_EQ(Event::recipient_program_refused, verdict.event) << verdict.problem;
    EXPECT_LE(verdict.words.size(), spec::max_verdict_octets);
    EXPECT_TRUE(std::ranges::all_of(verdict.words, [](char c) { return c >= ' ' && c <= '~'; })) << verdict.words;
    return verdict.words;
  }

  tests::Home home_;
  base::Environment environment_{environ};
};

TEST_F(RecipientProgram, each_exit_code_is_an_answer) {
  for (int code = 0; code < 256; ++code) {
    const Event wanted = code == 100                                 ? Event::recipient_program_refused
                         : code == 111                               ? Event::recipient_program_deferred
                         : code == 120 || code == 126 || code == 127 ? Event::recipient_unknowable
                                                                     : Event::recipient_ours;
    EXPECT_EQ(wanted, ask("exit " + std::to_string(code) + "\n").event) << code;
  }
}

TEST_F(RecipientProgram, what_it_finds) {
  environment_.set("SENDER", "");
  environment_.set("RECIPIENT", "us er@example.org");
  EXPECT_EQ(Event::recipient_ours,
            ask("{ echo \"$SENDER|$RECIPIENT|$#\"; ls /proc/self/fd; } >got\ncat >>got\necho lost\n").event);
  EXPECT_EQ("|us er@example.org|0\n0\n1\n2\n3\n4\n", home_.read("got")) << "3 is the folder that ls lists";
}

TEST_F(RecipientProgram, its_words_are_said_where_it_refuses) {
  EXPECT_EQ("go away (#5.7.1)", words("echo 'go away (#5.7.1)' >&4"));
  EXPECT_EQ("550 a?b?? c", words("printf '550 a\\nb\\r\\n c\\r\\n\\n' >&4")) << "one line";
  EXPECT_EQ("???", words("printf '\\000\\377\\033' >&4"));
  EXPECT_EQ(usual, words(":"));
  EXPECT_EQ(usual, words("echo >&4"));
  EXPECT_EQ(usual, words("printf '  \\n' >&4"));
  EXPECT_EQ(usual, words("exec 4>&-"));
  EXPECT_EQ("no", words("printf no >&4; exec 4>&-; sleep 0.2"));
  EXPECT_EQ(std::string(spec::max_verdict_octets, 'x'), words("head -c 1000000 /dev/zero | tr '\\000' x >&4"));
  EXPECT_EQ(Event::recipient_ours, ask("head -c 1000000 /dev/urandom >&4\n").event);
}

// The reply has words of its own: these are for the log.
TEST_F(RecipientProgram, its_words_are_kept_where_it_defers) {
  EXPECT_EQ("ask me later", ask("echo ask me later >&4\nexit 111\n").words);
  EXPECT_EQ("", ask("exit 111\n").words);
  EXPECT_EQ("a?b", ask("printf 'a\nb\n' >&4\nexit 111\n").words);
}

TEST_F(RecipientProgram, what_could_not_be_run_is_unknowable) {
  EXPECT_EQ(Event::recipient_unknowable, run("./nowhere").event);
  EXPECT_EQ("RCPTCHECK ./nowhere cannot be run: No such file or directory", run("./nowhere").problem);
  home_.write("text", "#!/bin/sh\n");
  EXPECT_EQ("RCPTCHECK ./text cannot be run: Permission denied", run("./text").problem);
  home_.write_program("lost", "#!/nowhere/sh\n");
  EXPECT_EQ(Event::recipient_unknowable, run("./lost").event);
  home_.write_program("empty", "");
  EXPECT_EQ(Event::recipient_unknowable, run("./empty").event);
  EXPECT_EQ("RCPTCHECK ./check could not do its work: exit code 120", ask("exit 120\n").problem);
  EXPECT_EQ("RCPTCHECK ./check was killed by SIGSEGV", ask("kill -SEGV $$\n").problem);
}

// With all that it has started: what stays would be one more each time.
TEST_F(RecipientProgram, one_that_hangs_is_killed_with_its_children) {
  const auto begun = std::chrono::steady_clock::now();
  for (const char* script : {"sleep 1000 & echo $! >child\nwait\n", "exec 4>&-\nsleep 1000 & echo $! >child\nwait\n",
                             "echo $$ >child\nyes >&4\n"}) {
    EXPECT_EQ("RCPTCHECK ./check was too slow, and was killed", ask(script, 1).problem);
    const pid_t child = std::stoi(home_.read("child"));
    bool is_gone = false;
    for (int i = 0; i < 500 && !is_gone; ++i) {
      is_gone = ::kill(child, 0) != 0 || home_.read("/proc/" + std::to_string(child) + "/stat").contains(") Z ");
      if (!is_gone) ::usleep(10'000);
    }
    EXPECT_TRUE(is_gone) << script;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
}

TEST_F(RecipientProgram, what_it_leaves_running_holds_nobody) {
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ("gone", words("echo gone >&4\nsleep 5 &"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 4s);
}

}  // namespace
}  // namespace postern::ask
