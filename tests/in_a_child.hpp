// Runs something that a process can do only once, or never undo, in a child.
// out     its exit code, or 1000 + the signal that killed it
// errors  1999 when there is no child, or when it is not done after 30 seconds: then it is killed
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace postern::tests {

template <typename Work>
[[nodiscard]] int in_a_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    ::_exit(work());  // no destructors, no leak check, no second summary of the test
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return 1999;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace postern::tests
