#include "deliver/lmtp_loop.hpp"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <new>
#include <utility>

#include "base/flag_guard.hpp"
#include "deliver/lmtp/lmtp.hpp"

namespace postern::deliver {
namespace {

constexpr std::size_t most_idle = 8;

std::uint32_t seed() {
  std::uint32_t octets = 1;
  static_cast<void>(!::getrandom(&octets, sizeof octets, 0));  // without it, the same one: nothing secret depends on it
  return octets;
}

loop::OutboundSettings settings_for(const LmtpSettings& cluster, std::size_t max_in_flight) {
  return {.addresses = {cluster.address},
          .connect_patience = std::chrono::seconds(cluster.timeouts.connect_seconds),
          .max_in_flight = max_in_flight,
          .max_waiting = max_in_flight,  // for a connection that comes free, while no new one can be made
          .max_idle = std::min(max_in_flight, most_idle),
          .max_idle_age = std::chrono::seconds(cluster.idle_seconds),
          .seed = seed()};
}

}  // namespace

// A place for one message that is being handed over.
class LmtpLoop::Request final : public loop::OutboundRequest<LmtpConversation> {
 public:
  explicit Request(LmtpLoop& of) : of_(of) {}

  void start(std::unique_ptr<StoreJob> job) {
    job_ = std::move(job);
    message_ = job_->message->for_cluster();
    if (message_ == nullptr || job_->forget_if_withdrawn() || is_over_without_cluster()) return end();
    const base::Interval patience = std::chrono::seconds(of_.cluster_.settings().timeouts.delivery_seconds);
    if (const auto failure = of_.connections_->submit(*this, patience)) failed(*failure);
  }

  void begin(LmtpConversation& conversation, base::Time now) override { conversation.begin(message_->mail(), now); }
  void ended(LmtpConversation& conversation) override { conclude(conversation.take_result()); }
  void failed(const base::StreamFailure& failure) override { conclude({.trouble = trouble_of(failure)}); }

 private:
  [[nodiscard]] bool is_over_without_cluster() try {
    auto outcome = message_->prepare(job_->buffer.octets(), job_->envelope);
    if (outcome) job_->outcome = std::move(*outcome);
    return outcome.has_value();
  } catch (const std::bad_alloc&) {
    job_->has_failed = true;
    return true;
  }

  void conclude(const LmtpResult& result) {
    try {
      job_->outcome = message_->conclude(result);
    } catch (const std::bad_alloc&) {
      job_->has_failed = true;
    }
    end();
  }

  void end() {
    message_ = nullptr;
    job_->message.reset();
    std::unique_ptr<loop::Job> job = std::move(job_);
    loop::give_back({&job, 1});
    of_.free_.push_back(this);
    of_.take_jobs();  // now, or its connection would be one too many to be kept
  }

  LmtpLoop& of_;
  std::unique_ptr<StoreJob> job_;
  Lmtp* message_ = nullptr;  // the job's
};

LmtpLoop::LmtpLoop(LmtpCluster& cluster, unsigned max_in_flight) : cluster_(cluster) {
  auto made = loop::Loop::make();
  if (!made) return;
  loop_ = std::move(*made);
  connections_ = std::make_unique<Connections>(*loop_, settings_for(cluster.settings(), max_in_flight), [this] {
    return std::make_unique<LmtpConversation>(cluster_.settings().host, cluster_.settings().timeouts);
  });
  requests_.reserve(max_in_flight);
  free_.reserve(max_in_flight);
  for (unsigned i = 0; i < max_in_flight; ++i)
    free_.push_back(requests_.emplace_back(std::make_unique<Request>(*this)).get());
  loop_->at_end_of_turn([this] { take_jobs(); });
  if (auto started = base::Thread::start([this] { loop_->run(); })) thread_ = std::move(*started);
}

LmtpLoop::~LmtpLoop() {
  if (!has_thread()) return;
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  loop_->wake();
  thread_.join();
}

void LmtpLoop::submit(std::unique_ptr<StoreJob> job) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = waiting_.is_empty();
    waiting_.push(std::move(job));
  }
  if (was_empty) loop_->wake();  // else it is awake, or wakes when a place is free
}

std::unique_ptr<StoreJob> LmtpLoop::next_job() {
  const std::lock_guard lock(mutex_);
  if (waiting_.is_empty()) {
    if (is_ending_ && free_.size() == requests_.size()) loop_->stop();
    return nullptr;
  }
  return std::unique_ptr<StoreJob>(static_cast<StoreJob*>(waiting_.pop().release()));
}

// One that ends while it begins leaves its place to the next turn of this.
void LmtpLoop::take_jobs() {
  if (is_taking_) return;
  const base::FlagGuard taking(is_taking_);
  take_jobs_of_free_places();
}

void LmtpLoop::take_jobs_of_free_places() {
  while (!free_.empty()) {
    auto job = next_job();
    if (job == nullptr) return;
    Request& request = *free_.back();
    free_.pop_back();
    request.start(std::move(job));
  }
}

}  // namespace postern::deliver
