// sigaction(2): si_pid; unix(7): SO_PASSCRED.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/reload_verdict.hpp"

namespace postern::server {
namespace {

using std::chrono::seconds;

// A server in a process of its own, that gives one verdict.
class Server {
 public:
  Server(bool is_done, std::string_view sentence) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      const ReloadReporter reporter;
      siginfo_t info{};
      ::sigwaitinfo(&signals, &info);
      reporter.report(info.si_pid, is_done, sentence);
      ::_exit(0);
    }
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST(ReloadVerdict, is_the_sentence_of_the_server) {
  const Server content(true, "done: new sessions are served with it");
  const ReloadVerdict done = ask_for_reload(content.pid(), seconds(10));
  EXPECT_EQ(ReloadVerdict::Kind::done, done.kind);
  EXPECT_EQ("done: new sessions are served with it", done.sentence);
  const Server discontent(false, "refused, and nothing has changed: line 1");
  const ReloadVerdict refused = ask_for_reload(discontent.pid(), seconds(10));
  EXPECT_EQ(ReloadVerdict::Kind::refused, refused.kind);
  EXPECT_EQ("refused, and nothing has changed: line 1", refused.sentence);
}

TEST(ReloadVerdict, of_another_process_does_not_count) {
  const pid_t deaf = ::fork();
  if (deaf == 0) {
    ::signal(SIGHUP, SIG_IGN);
    ::pause();
    ::_exit(0);
  }
  const pid_t us = ::getpid();
  const pid_t liar = ::fork();
  if (liar == 0) {
    const ReloadReporter reporter;
    for (int i = 0; i < 100; ++i) {
      reporter.report(us, true, "done");
      ::usleep(10'000);
    }
    ::_exit(0);
  }
  EXPECT_EQ(ReloadVerdict::Kind::unanswered, ask_for_reload(deaf, seconds(1)).kind);
  for (const pid_t child : {deaf, liar}) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
}

TEST(ReloadVerdict, of_nobody_is_said_at_once) {
  const ReloadVerdict verdict = ask_for_reload(1 << 22, seconds(10));
  EXPECT_EQ(ReloadVerdict::Kind::unanswered, verdict.kind);
  EXPECT_NE(std::string::npos, verdict.sentence.find("cannot be signalled")) << verdict.sentence;
}

}  // namespace
}  // namespace postern::server
