#include "deliver/delivery_threads.hpp"

#include <new>
#include <utility>

namespace postern::deliver {
namespace {

constexpr unsigned committers = 2;  // while one group waits for the disk, the next one gathers
constexpr unsigned appenders = 2;   // beside them

}  // namespace

DeliveryThreads::DeliveryThreads(std::unique_ptr<Delivery> delivery, unsigned at_once)
    : delivery_(std::move(delivery)),
      has_groups_(delivery_->make_group() != nullptr),
      workers_(has_groups_ || delivery_->cluster() != nullptr ? appenders : at_once) {
  if (LmtpCluster* cluster = delivery_->cluster()) loop_.emplace(*cluster, at_once);
  if (delivery_->has_filters())
    filters_.emplace(at_once, [this](std::unique_ptr<loop::Job> job) { ask_filters(std::move(job)); });
  if (!has_groups_) return;
  committers_.reserve(committers);
  try {
    for (unsigned i = 0; i < committers; ++i) start_committer(delivery_->make_group());
  } catch (...) {
    end();  // or else the destructor would wait for those that have started
    throw;
  }
}

// All that a committer needs is made before it starts.
void DeliveryThreads::start_committer(std::unique_ptr<MaildirGroup> group) {
  Jobs jobs;
  jobs.reserve(MaildirGroup::max_messages);
  auto started = base::Thread::start(
      [this, jobs = std::move(jobs), group = std::move(group)]() mutable { finish_groups(jobs, *group); });
  if (started) committers_.push_back(std::move(*started));
}

void DeliveryThreads::end() {
  filters_.reset();  // first: it hands on what it has
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  has_work_.notify_all();
}

void DeliveryThreads::submit(std::unique_ptr<StoreJob> job) {
  if (job->goal() != StoreJob::Goal::finish) return workers_.submit(std::move(job));
  if (filters_) return filters_->submit(std::move(job));
  finish(std::move(job));
}

void DeliveryThreads::ask_filters(std::unique_ptr<loop::Job> job) {
  std::unique_ptr<StoreJob> message(static_cast<StoreJob*>(job.release()));
  if (message->judge()) return finish(std::move(message));
  job = std::move(message);
  loop::give_back({&job, 1});
}

void DeliveryThreads::finish(std::unique_ptr<StoreJob> job) {
  if (loop_) return loop_->submit(std::move(job));
  if (!has_groups_) return workers_.submit(std::move(job));
  {
    const std::lock_guard lock(mutex_);
    waiting_.push(std::move(job));
  }
  has_work_.notify_one();
}

bool DeliveryThreads::take_jobs(Jobs& jobs) {
  std::unique_lock lock(mutex_);
  has_work_.wait(lock, [this] { return is_ending_ || !waiting_.is_empty(); });
  while (!waiting_.is_empty() && jobs.size() < MaildirGroup::max_messages)
    jobs.emplace_back(static_cast<loop::Job*>(waiting_.pop().release()));
  return !jobs.empty();
}

void DeliveryThreads::finish_groups(Jobs& jobs, MaildirGroup& group) {
  for (; take_jobs(jobs); jobs.clear()) {
    try {
      for (const auto& job : jobs) static_cast<StoreJob&>(*job).join(group);
      group.finish();
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): a new job defers
    }
    group.forget();
    for (const auto& job : jobs) static_cast<StoreJob&>(*job).message.reset();
    loop::give_back(jobs);
  }
}

std::expected<std::shared_ptr<DeliveryThreads>, std::string> make_delivery_threads(const config::Start& start,
                                                                                   const base::Environment& environment,
                                                                                   unsigned threads) {
  if (start.hand_over == config::HandOverKind::none) return nullptr;
  auto delivery = make_delivery(start, environment, Caller::threads);
  if (!delivery) return std::unexpected(std::move(delivery.error()));
  const bool needs_threads = !(*delivery)->keeps_nothing();
  auto made = std::make_shared<DeliveryThreads>(std::move(*delivery), needs_threads ? threads : 0);
  if (needs_threads && !made->has_threads())
    return std::unexpected(std::string("no thread can be started for mail: raise ulimit -u, or TasksMax="));
  return made;
}

}  // namespace postern::deliver
