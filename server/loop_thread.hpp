// One thread with its loop, its acceptors and its sessions.
// in      sockets to accept from, a snapshot; calls from the server's threads
// out     sessions, until the last one is over after shut_down()
// threads prepare(), post(), shut_down(), end() are the server's, and post() none after end(); everything else happens on the
//         thread itself
// errors  start() gives a sentence with errno
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/thread.hpp"
#include "server/acceptor.hpp"
#include "server/loop_context.hpp"
#include "server/sockets.hpp"

namespace postern::server {

// What all loops share.
struct Shared {
  limits::ClientTable& clients;
  limits::GuessTable& guesses;
  limits::Greylist& greylist;
  Userdbs& userdbs;
  MessageSlots& slots;
  std::atomic<std::uint32_t>& open_connections;
  std::uint32_t most_connections;
  loop::Workers& checkers;
  loop::Workers& judges;
  observe::Metrics& metrics;
  observe::LogVoice voice;
  const std::vector<std::string>& listener_names;
  const std::expected<dns::Servers, std::string>& dns_servers;
};

class LoopThread {
 public:
  LoopThread(std::unique_ptr<loop::Loop> loop, const Shared& shared, unsigned index);
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  ~LoopThread();

  // sockets   one for each listener of the snapshot
  [[nodiscard]] std::expected<void, std::string> start(std::shared_ptr<const Snapshot> snapshot,
                                                       const std::vector<int>& sockets);
  // What takes the place of the snapshot here; post() puts it there, and cannot fail.
  [[nodiscard]] std::unique_ptr<loop::Posted> prepare(std::shared_ptr<const Snapshot> snapshot);
  void post(std::unique_ptr<loop::Posted> prepared) { loop_->post(std::move(prepared)); }
  // No new clients; those at rest get 421 now. `must_end`: all get it.
  void shut_down(bool must_end);
  [[nodiscard]] bool has_heard() const { return has_heard_; }       // of shut_down(): sessions() will not grow any more
  [[nodiscard]] std::size_t sessions() const { return sessions_; }  // a moment ago
  void end();

 private:
  enum class Order : std::uint8_t { serve, shut_down, end_now };
  void run();
  void look_after_sessions();
  void obey(Order order);

  std::unique_ptr<loop::Loop> loop_;
  std::unique_ptr<LoopContext> context_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::atomic<Order> order_ = Order::serve;
  Order obeyed_ = Order::serve;  // of the thread itself
  std::atomic<bool> has_begun_ = false;
  std::atomic<bool> has_heard_ = false;
  std::atomic<std::size_t> sessions_ = 0;
  base::Thread thread_;
};

// All of them.
class LoopThreads {
 public:
  [[nodiscard]] std::expected<void, std::string> start(unsigned count, const Shared& shared,
                                                       const std::shared_ptr<const Snapshot>& snapshot,
                                                       Sockets& sockets);
  [[nodiscard]] std::vector<std::unique_ptr<loop::Posted>> prepare(const std::shared_ptr<const Snapshot>& snapshot);
  void post(std::vector<std::unique_ptr<loop::Posted>> prepared);
  void shut_down(bool must_end);
  [[nodiscard]] bool have_heard() const;
  [[nodiscard]] std::size_t sessions() const;
  [[nodiscard]] bool are_empty() const { return have_heard() && sessions() == 0; }
  void end();

 private:
  std::vector<std::unique_ptr<LoopThread>> threads_;
};

}  // namespace postern::server
