// The messages of many clients, finished on threads: by one thread each, or in groups that become durable together.
// in      a StoreJob for what is to be done with a message next, from its loop
// out     StoreJob::done() on the loop, with an Outcome when the message was finished
// lives   a message is with its session or in one job, never both; DeliveryThreads outlives the messages of its Delivery
// bounds  a fixed number of threads, and so of children and of connections to a mail cluster
// errors  in the Outcome, as outgoing_message.hpp has it: no trouble ever becomes `accepted`
// source  RFC 5321 4.2.5, 6.1; docs/decisions/0005-durable-in-groups.md
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/delivery.hpp"
#include "deliver/mail_buffer.hpp"
#include "loop/workers.hpp"

namespace postern::deliver {

// A message that is too large for memory goes to a thread in pieces of about this size.
inline constexpr std::size_t piece_octets = std::size_t{64} * 1024;

// What is to be done with one message next: it takes `octets` first.
class StoreJob : public loop::Job {
 public:
  enum class Goal : std::uint8_t { append, finish, abandon };

  StoreJob(loop::Loop& loop, Goal goal);
  void run() final;
  [[nodiscard]] Goal goal() const { return goal_; }
  // The client has left: what has not begun to be made durable is not stored. Called on the loop's thread until done().
  void withdraw() { is_withdrawn_ = true; }
  // Finished by what finishes the group: its outcome is there then.
  void join(MaildirGroup& group);

  std::unique_ptr<OutgoingMessage> message;
  MailBuffer buffer;  // empty after append
  std::string envelope;
  Outcome outcome;          // deferred, until there is another
  bool has_failed = false;  // memory ended in the middle of the octets: the message can only be abandoned

 private:
  // Asked where making durable begins; then the message is forgotten, and `outcome` says so.
  [[nodiscard]] bool forget_if_withdrawn();
  void append();

  Goal goal_;
  std::atomic<bool> is_withdrawn_ = false;
};

class DeliveryThreads {
 public:
  // threads   how many messages are finished at once, where they are not in groups
  DeliveryThreads(std::unique_ptr<Delivery> delivery, unsigned threads);
  DeliveryThreads(const DeliveryThreads&) = delete;
  DeliveryThreads& operator=(const DeliveryThreads&) = delete;
  ~DeliveryThreads() { end(); }

  // As of its Delivery.
  [[nodiscard]] std::unique_ptr<OutgoingMessage> open(const base::Environment& environment) {
    return delivery_->open(environment);
  }
  [[nodiscard]] bool keeps_nothing() const { return delivery_->keeps_nothing(); }
  void submit(std::unique_ptr<StoreJob> job);
  // Without any, nothing may be submitted.
  [[nodiscard]] bool has_threads() const { return workers_.has_threads() && (!has_groups_ || !committers_.empty()); }

 private:
  using Jobs = std::vector<std::unique_ptr<loop::Job>>;

  void start_committer(std::unique_ptr<MaildirGroup> group);
  [[nodiscard]] bool take_jobs(Jobs& jobs);
  void finish_groups(Jobs& jobs, MaildirGroup& group);
  void end();

  std::unique_ptr<Delivery> delivery_;
  bool has_groups_;
  loop::Workers workers_;
  std::mutex mutex_;
  std::condition_variable has_work_;
  loop::PostedQueue waiting_;  // of StoreJobs that are finished in groups; under mutex_
  bool is_ending_ = false;     // under mutex_
  std::vector<base::Thread> committers_;
};

// Null where the start has no way out.
[[nodiscard]] std::expected<std::shared_ptr<DeliveryThreads>, std::string> make_delivery_threads(
    const config::Start& start, const base::Environment& environment, unsigned threads);

}  // namespace postern::deliver
