// The messages of many clients, finished on threads: by one thread each, in groups that become durable together, or all of
// them by a loop that talks to a mail cluster.
// in      a StoreJob for what is to be done with a message next, from its loop
// out     StoreJob::done() on the loop, with an Outcome when the message was finished
// lives   a message is with its session or in one job, never both; DeliveryThreads outlives the messages of its Delivery
// bounds  a fixed number of threads, and so of children; of connections to a mail cluster as many as there would be threads
// errors  in the Outcome, as outgoing_message.hpp has it: no trouble ever becomes `accepted`
// source  RFC 5321 4.2.5, 6.1; docs/decisions/0005-durable-in-groups.md
#pragma once

#include <condition_variable>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "deliver/delivery.hpp"
#include "deliver/lmtp_loop.hpp"
#include "deliver/store_job.hpp"

namespace postern::deliver {

class DeliveryThreads {
 public:
  // at_once   how many messages are finished at once, where they are not in groups
  DeliveryThreads(std::unique_ptr<Delivery> delivery, unsigned at_once);
  DeliveryThreads(const DeliveryThreads&) = delete;
  DeliveryThreads& operator=(const DeliveryThreads&) = delete;
  ~DeliveryThreads() { end(); }

  // As of its Delivery.
  [[nodiscard]] std::unique_ptr<OutgoingMessage> open(const base::Environment& environment) {
    return delivery_->open(environment);
  }
  [[nodiscard]] bool keeps_nothing() const { return delivery_->keeps_nothing(); }
  [[nodiscard]] LmtpCluster* cluster() const { return delivery_->cluster(); }
  void submit(std::unique_ptr<StoreJob> job);
  // Without any, nothing may be submitted.
  [[nodiscard]] bool has_threads() const {
    return workers_.has_threads() && (!has_groups_ || !committers_.empty()) && (!loop_ || loop_->has_thread()) &&
           (!filters_ || filters_->has_threads());
  }

 private:
  using Jobs = std::vector<std::unique_ptr<loop::Job>>;

  void ask_filters(std::unique_ptr<loop::Job> job);  // of a StoreJob
  void finish(std::unique_ptr<StoreJob> job);        // what no filter judges, or all of them have judged
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
  std::optional<LmtpLoop> loop_;
  std::optional<loop::Workers> filters_;  // that ask filters, before what finishes a message gets it
};

// Null where the start has no way out.
[[nodiscard]] std::expected<std::shared_ptr<DeliveryThreads>, std::string> make_delivery_threads(
    const config::Start& start, const base::Environment& environment, unsigned threads);

}  // namespace postern::deliver
