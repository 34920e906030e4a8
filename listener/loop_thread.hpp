// One thread with its loop, its acceptors and its sessions.
// in      sockets to accept from, policies; calls from the server's thread
// out     sessions, until the last one is over after shut_down()
// threads use(), shut_down(), end() are the server's; everything else happens on the thread itself
// errors  start() tells errno in a sentence
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "listener/acceptor.hpp"
#include "listener/loop_context.hpp"
#include "listener/thread.hpp"

namespace postern::listener {

// What all loops share.
struct Shared {
  ClientTable& clients;
  GuessTable& guesses;
  Workers& checkers;
  Metrics& metrics;
  daemon::LogVoice voice;
  const std::vector<std::string>& listener_names;
};

class LoopThread {
 public:
  LoopThread(std::unique_ptr<Loop> loop, const Shared& shared, unsigned index);
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  ~LoopThread() { end(); }

  // sockets   one for each listener of the policies
  [[nodiscard]] std::expected<void, std::string> start(std::shared_ptr<const Policies> policies,
                                                       const std::vector<int>& sockets);
  void use(std::shared_ptr<const Policies> policies);
  // No new clients; who is at rest is told so now. `must_end`: everybody is.
  void shut_down(bool must_end);
  [[nodiscard]] bool has_heard() const { return has_heard_; }       // of shut_down(): sessions() will not grow any more
  [[nodiscard]] std::size_t sessions() const { return sessions_; }  // a moment ago
  void end();

 private:
  void look_after_sessions();

  std::unique_ptr<Loop> loop_;
  std::unique_ptr<LoopContext> context_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::atomic<bool> has_heard_ = false;
  std::atomic<std::size_t> sessions_ = 0;
  Thread thread_;
};

}  // namespace postern::listener
