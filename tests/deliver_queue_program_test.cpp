// The contract of qmail-queue, with shell scripts in its place: what it reads, what its end says, and that it never
// hangs.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "deliver/queue_program.hpp"
#include "testing/opinions.hpp"

namespace postern::deliver {
namespace {

namespace fs = std::filesystem;
using Result = Outcome::Result;
using namespace std::string_literals;

const std::string envelope = "Fsender@client.example\0Tuser@example.com\0Tpostmaster\0\0"s;
const std::string read_all = "cat >/dev/null; cat <&1 >/dev/null; ";

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), {}));
}

class QueueProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    std::string path = ::testing::TempDir() + "postern_queue_XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    setenv("FOLDER", path.c_str(), 1);
    descriptors_before_ = open_descriptors();
  }

  void TearDown() override {
    EXPECT_EQ(open_descriptors(), descriptors_before_) << "descriptors are left open";
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    EXPECT_EQ(errno, ECHILD);
    fs::remove_all(folder_);
  }

  [[nodiscard]] std::string script(const std::string& text) const {
    const fs::path path = folder_ / "program";
    fs::remove(path);
    std::ofstream(path) << "#!/bin/sh\n" << text << '\n';
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }

  static Outcome deliver(const QueueProgramSettings& settings, const std::string& message) {
    const base::Environment environment(environ);
    QueueProgram program(settings, environment);
    program.begin({}, "Received: x\n", "sender@client.example");
    program.append(message);
    return program.finish({}, envelope);
  }

  [[nodiscard]] Outcome run(const std::string& text, const std::string& message = "Subject: t\n\nhello\n",
                            std::optional<int> error_descriptor = {}) const {
    return deliver({.path = script(text), .error_descriptor = error_descriptor, .max_seconds = 20}, message);
  }

  // How the original answers exit code 82 with this text.
  [[nodiscard]] std::string told(const std::string& text) const {
    std::ofstream(folder_ / "text", std::ios::binary) << text;
    const Outcome outcome = run(read_all + "cat \"$FOLDER/text\" >&6; exit 82");
    return (outcome.result == Result::refused ? "554 " : "451 ") + outcome.verdict;
  }

  fs::path folder_;
  std::size_t descriptors_before_ = 0;
};

TEST_F(QueueProgramTest, gets_the_message_and_then_the_envelope) {
  const Outcome outcome = run("echo $$ >$FOLDER/pid; cat >$FOLDER/message; cat <&1 >$FOLDER/envelope");
  EXPECT_EQ(outcome.result, Result::accepted);
  EXPECT_EQ(contents(folder_ / "message"), "Received: x\nSubject: t\n\nhello\n");
  EXPECT_EQ(contents(folder_ / "envelope"), envelope);
  std::string pid = contents(folder_ / "pid");
  pid.pop_back();
  EXPECT_TRUE(outcome.verdict.ends_with(" qp " + pid)) << outcome.verdict;
  EXPECT_NEAR(std::stod(outcome.verdict), static_cast<double>(time(nullptr)), 5);
}

TEST_F(QueueProgramTest, takes_one_message_after_the_other) {
  const base::Environment environment(environ);
  QueueProgram program({.path = script("cat >$FOLDER/message; cat <&1 >>$FOLDER/envelopes")}, environment);
  for (int i = 0; i < 3; ++i) {
    program.begin({}, "Received: x\n", "");
    program.append(std::to_string(i));
    EXPECT_EQ(program.finish({}, envelope).result, Result::accepted);
    EXPECT_EQ(contents(folder_ / "message"), "Received: x\n" + std::to_string(i));
  }
  EXPECT_EQ(contents(folder_ / "envelopes"), envelope + envelope + envelope);
}

TEST_F(QueueProgramTest, gets_a_big_message_whole) {
  std::string message(5'000'000, 'x');
  for (std::size_t i = 0; i < message.size(); i += 77) message[i] = static_cast<char>('\n' + i % 100);
  EXPECT_EQ(run("cat >$FOLDER/message; cat <&1 >/dev/null", message).result, Result::accepted);
  EXPECT_EQ(contents(folder_ / "message"), "Received: x\n" + message);
}

TEST_F(QueueProgramTest, gets_an_envelope_larger_than_a_pipe) {
  std::string many = "F"s + '\0';
  while (many.size() < 200'000) many += "Tuser" + std::to_string(many.size()) + "@example.com" + '\0';
  many += '\0';
  const base::Environment environment(environ);
  QueueProgram program({.path = script("cat >/dev/null; sleep 0.1; cat <&1 >$FOLDER/envelope")}, environment);
  program.begin({}, "Received: x\n", "");
  EXPECT_EQ(program.finish({}, many).result, Result::accepted);
  EXPECT_EQ(contents(folder_ / "envelope"), many);
}

TEST_F(QueueProgramTest, every_exit_code_has_its_text) {
  const std::string path = script(read_all + "exit $CODE");
  for (int code = 1; code < 256; ++code) {
    setenv("CODE", std::to_string(code).c_str(), 1);
    const Outcome outcome = deliver({.path = path}, "x\n");
    const testing::QueueExit wanted = testing::meaning_of_exit(static_cast<unsigned>(code));
    EXPECT_EQ(outcome.result, wanted.is_permanent ? Result::refused : Result::deferred) << code;
    EXPECT_EQ(outcome.verdict, wanted.text) << code;
  }
}

TEST_F(QueueProgramTest, custom_text_comes_in_every_dialect) {
  const std::string message = "x\n";
  EXPECT_EQ(run(read_all + "printf 'Dno (#5.7.1)' >&6; exit 82").verdict, "no (#5.7.1)");  // notqmail
  EXPECT_EQ(run(read_all + "printf 'Dno (#5.7.1)' >&4; exit 82").verdict, "no (#5.7.1)");  // sagredo
  EXPECT_EQ(run(read_all + "printf 'Dno (#5.7.1)' >&4; exit 88").verdict, "no (#5.7.1)");
  EXPECT_EQ(run(read_all + "printf 'Dno (#5.7.1)' >&2; exit 88", message, 2).verdict, "no (#5.7.1)");  // indimail
  EXPECT_EQ(run(read_all + "printf 'Dno (#5.7.1)' >&9; exit 82", message, 9).verdict, "no (#5.7.1)");
  EXPECT_EQ(run(read_all + "printf 'Dno' >&6; exit 31").verdict, "mail server permanently rejected message (#5.3.0)");
}

// Recorded sessions e_qq_82_*.
TEST_F(QueueProgramTest, custom_text_is_told_as_the_original_tells_it) {
  EXPECT_EQ(told("Zcustom delay (#4.7.1)"), "451 custom delay (#4.7.1)");
  EXPECT_EQ(told("Dcustom refusal (#5.7.1)"), "554 custom refusal (#5.7.1)");
  EXPECT_EQ(told("no prefix"), "451 o prefix");
  EXPECT_EQ(told("D"), "451 qq temporary problem (#4.3.0)");
  EXPECT_EQ(told(""), "451 qq temporary problem (#4.3.0)");
}

// RFC 5321 4.2: one line of printable text, whatever the program wrote.
TEST_F(QueueProgramTest, custom_text_cannot_split_a_reply) {
  EXPECT_EQ(told("Dno\r\n250 ok\r\n"), "554 no??250 ok");
  EXPECT_EQ(told("Dline\n"), "554 line");
  EXPECT_EQ(told("D\n"), "451 qq temporary problem (#4.3.0)");
  EXPECT_EQ(told("D\x01\x7f\xc3\xa9"s + '\0' + "x"), "554 ?????x");
  EXPECT_EQ(told("D" + std::string(1000, 'x')), "554 " + std::string(spec::max_verdict_octets - 1, 'x'));
}

TEST_F(QueueProgramTest, a_crash_defers) {
  const Outcome outcome = run(read_all + "kill -SEGV $$");
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.verdict, "qq crashed (#4.3.0)");
  EXPECT_EQ(outcome.cause, "killed by SIGSEGV");
}

TEST_F(QueueProgramTest, what_cannot_be_executed_defers) {
  std::ofstream(folder_ / "no_program") << "no interpreter line\n";
  fs::permissions(folder_ / "no_program", fs::perms::owner_all);
  for (const std::string& path : {"/nonexistent/qmail-queue"s, folder_.string(), (folder_ / "no_program").string()}) {
    const Outcome outcome = deliver({.path = path}, "x\n");
    EXPECT_EQ(outcome.result, Result::deferred);
    EXPECT_EQ(outcome.verdict, "unable to exec qq (#4.3.0)");
    base::Environment environment(nullptr);
    EXPECT_EQ(QueueProgram({.path = path}, environment).begin({}, "", ""), "cannot run the queue program " + path);
  }
}

TEST_F(QueueProgramTest, one_that_stops_reading_is_asked_why) {
  const std::string big(5'000'000, 'x');
  EXPECT_EQ(run("exec 0<&-; exit 31", big).result, Result::refused);
  EXPECT_EQ(run("head -c 100000 >/dev/null; exec 0<&-; sleep 0.1; exit 53", big).verdict,
            "qq write error or disk full (#4.3.0)");
}

TEST_F(QueueProgramTest, one_that_stops_reading_never_accepts) {
  const Outcome outcome = run("exec 0<&-; exit 0", std::string(5'000'000, 'x'));
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.verdict, "qq read error (#4.3.0)");
}

TEST_F(QueueProgramTest, a_flood_of_errors_before_reading_is_no_deadlock) {
  const Outcome outcome =
      run("head -c 1000000 /dev/zero | tr '\\0' D >&6; " + read_all + "exit 82", std::string(1'000'000, 'x'));
  EXPECT_EQ(outcome.result, Result::refused);
  EXPECT_EQ(outcome.verdict, std::string(254, 'D'));
}

TEST_F(QueueProgramTest, one_that_never_ends_is_killed) {
  for (const std::string text : {"exec sleep 100", "exec yes >&6"}) {
    const auto begin = std::chrono::steady_clock::now();
    const Outcome outcome = deliver({.path = script(text), .max_seconds = 1, .max_abandon_seconds = 0}, "x\n");
    EXPECT_EQ(outcome.result, Result::deferred);
    EXPECT_EQ(outcome.verdict, "qq timeout (#4.3.0)");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  }
}

TEST_F(QueueProgramTest, one_that_never_reads_is_killed) {
  const Outcome outcome = deliver({.path = script("exec sleep 100"), .max_seconds = 1, .max_abandon_seconds = 0},
                                  std::string(1'000'000, 'x'));
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.verdict, "qq timeout (#4.3.0)");
}

TEST_F(QueueProgramTest, what_it_leaves_running_is_not_waited_for) {
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome = run("sleep 8 & " + read_all + "printf 'Dno' >&6; exit 82");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(outcome.verdict, "no");
}

TEST_F(QueueProgramTest, sees_no_envelope_of_an_abandoned_message) {
  {
    const base::Environment environment(environ);
    QueueProgram program({.path = script("cat >$FOLDER/message; cat <&1 >$FOLDER/envelope; touch $FOLDER/ended")},
                         environment);
    program.begin({}, "Received: x\n", "");
    program.append("begun\n");
    program.abandon();
    EXPECT_EQ(contents(folder_ / "message"), "Received: x\nbegun\n");
    EXPECT_EQ(contents(folder_ / "envelope"), "");
    EXPECT_TRUE(fs::exists(folder_ / "ended")) << "it ends by itself, and cleans up after itself";
    program.begin({}, "Received: y\n", "");  // and this one is abandoned by the destructor
  }
  EXPECT_EQ(contents(folder_ / "message"), "Received: y\n");
  EXPECT_EQ(contents(folder_ / "envelope"), "");
}

TEST_F(QueueProgramTest, finish_without_begin_defers) {
  const base::Environment environment(environ);
  QueueProgram program({.path = "/bin/true"}, environment);
  EXPECT_EQ(program.finish({}, envelope).result, Result::deferred);
}

TEST_F(QueueProgramTest, has_its_own_descriptors_and_no_others) {
  const int inherited = dup(0);  // without close-on-exec, as from a careless parent
  EXPECT_EQ(run("ls /proc/self/fd >$FOLDER/descriptors; " + read_all).result, Result::accepted);
  close(inherited);
  EXPECT_EQ(contents(folder_ / "descriptors"), "0\n1\n2\n3\n4\n6\n") << "3 is the folder that ls reads";
}

TEST_F(QueueProgramTest, has_ordinary_signals) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  EXPECT_EQ(run("grep SigBlk /proc/self/status >$FOLDER/blocked; sh -c 'kill -PIPE $$; echo lives' >$FOLDER/pipe; "
                "sh -c 'kill -XFSZ $$; echo lives' >$FOLDER/size; " +
                read_all)
                .result,
            Result::accepted);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(contents(folder_ / "blocked"), "SigBlk:\t0000000000000000\n");
  EXPECT_EQ(contents(folder_ / "pipe"), "") << "SIGPIPE is still ignored";
  EXPECT_EQ(contents(folder_ / "size"), "") << "SIGXFSZ is still ignored";
}

TEST(Child, redirects_may_overlap) {
  const auto pipe = base::make_pipe();
  ASSERT_TRUE(pipe);
  const int out = pipe->write_end.number();
  const int other = out == 9 ? 8 : 9;
  const std::array redirects{base::Redirect{out, other}, base::Redirect{0, out}, base::Redirect{out, 0}};
  const std::string command = "printf a >&" + std::to_string(other) + "; printf b >&0";
  std::array<char*, 4> argv{const_cast<char*>("sh"), const_cast<char*>("-c"), const_cast<char*>(command.c_str()),
                            nullptr};
  const auto child = base::spawn("/bin/sh", argv.data(), redirects, base::Environment(environ));
  ASSERT_TRUE(child) << child.error();
  const base::WaitResult ended = base::wait_for(*child, base::after_seconds(10));
  EXPECT_EQ(ended.kind, base::WaitResult::Kind::exited);
  EXPECT_EQ(ended.value, 0);
  std::array<char, 8> octets{};
  EXPECT_EQ(read(pipe->read_end.number(), octets.data(), octets.size()), 2);
  EXPECT_STREQ(octets.data(), "ab");
}

TEST(Child, tells_why_it_could_not_start) {
  std::array<char*, 2> argv{const_cast<char*>("x"), nullptr};
  EXPECT_EQ(base::spawn("/nonexistent/x", argv.data(), {}, base::Environment()).error(), ENOENT);
  EXPECT_EQ(base::spawn("/", argv.data(), {}, base::Environment()).error(), EACCES);
  const std::vector<base::Redirect> too_many(base::max_redirects + 1, {0, 0});
  EXPECT_EQ(base::spawn("/bin/true", argv.data(), too_many, base::Environment()).error(), EINVAL);
}

}  // namespace
}  // namespace postern::deliver
