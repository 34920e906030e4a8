// The messages of many clients, handed over to one mail cluster by one thread: an event loop with all connections to it.
// in      a StoreJob that finishes an Lmtp, from its loop; any other message is deferred
// out     StoreJob::done() on that loop, with an Outcome
// bounds  so many messages at once, and so connections; the others wait in line, and their number is bounded by the
//         caller. A mail cluster that hangs holds no thread
// threads submit() is for any thread. The destructor waits until the jobs in hand have ended
// memory  submit() and the way back allocate nothing
// errors  in the Outcome, as lib/deliver/lmtp/lmtp.hpp has it; a loop or a thread that the kernel refuses: has_thread() is
//         false, and nothing may be submitted
// source  lib/loop/outbound_pool.hpp
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/thread.hpp"
#include "deliver/lmtp/cluster.hpp"
#include "deliver/store_job.hpp"
#include "loop/outbound_pool.hpp"

namespace postern::deliver {

class LmtpConversation;

class LmtpLoop {
 public:
  // cluster         outlives this object
  // max_in_flight   how many messages are handed over at once
  LmtpLoop(LmtpCluster& cluster, unsigned max_in_flight);
  LmtpLoop(const LmtpLoop&) = delete;
  LmtpLoop& operator=(const LmtpLoop&) = delete;
  ~LmtpLoop();

  [[nodiscard]] bool has_thread() const { return thread_.is_running(); }
  void submit(std::unique_ptr<StoreJob> job);

 private:
  class Request;
  using Connections = loop::OutboundPool<LmtpConversation>;

  [[nodiscard]] std::unique_ptr<StoreJob> next_job();
  void take_jobs();
  void take_jobs_of_free_places();

  LmtpCluster& cluster_;
  std::unique_ptr<loop::Loop> loop_;
  std::unique_ptr<Connections> connections_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<Request*> free_;
  bool is_taking_ = false;
  std::mutex mutex_;
  loop::PostedQueue waiting_;  // of StoreJobs; under mutex_
  bool is_ending_ = false;     // under mutex_
  base::Thread thread_;
};

}  // namespace postern::deliver
