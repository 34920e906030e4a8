#include "deliver/delivery_threads.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <new>
#include <vector>

#include "config/control.hpp"
#include "deliver/lmtp/lmtp.hpp"
#include "deliver/maildir/group.hpp"
#include "deliver/queue_program.hpp"

namespace postern::deliver {

using config::HandOverKind;

StoreJob::StoreJob(loop::Loop& loop, Goal goal)
    : loop::Job(loop),
      outcome{.result = Outcome::Result::deferred,
              .verdict = std::string(spec::text_of(spec::HandOverText::cannot_store)),
              .cause = "no memory"},
      goal_(goal) {}

void StoreJob::prepare() {
  if (!is_begun) parcel->begin(id, received, reverse_path);
  is_begun = true;
  parcel->write(octets);
  octets.clear();
}

void StoreJob::run() {
  if (goal_ == Goal::finish && forget_if_withdrawn()) return;
  try {
    if (goal_ != Goal::abandon) prepare();
    if (goal_ == Goal::finish) outcome = parcel->finish(envelope);
  } catch (const std::bad_alloc&) {
    has_failed = true;
  }
  if (goal_ != Goal::spool) parcel.reset();
}

bool StoreJob::forget_if_withdrawn() {
  if (!is_withdrawn_) return false;
  outcome = withdrawn();
  parcel.reset();
  return true;
}

std::string spool_folder(const base::Environment& environment) {
  const std::string_view folder = environment.value_of("TMPDIR");
  return folder.empty() ? "/tmp" : std::string(folder);
}

namespace {

// Takes everything and keeps nothing: for measuring what comes before it.
class DiscardLane final : public Lane {
 public:
  [[nodiscard]] std::unique_ptr<Parcel> open(const base::Environment&) override { return nullptr; }
  void submit(std::unique_ptr<StoreJob>) override {}
  [[nodiscard]] bool keeps_nothing() const override { return true; }
};

// A hand-over of the daemon, on a thread of the lane.
template <typename HandOver>
class HandOverParcel final : public Parcel {
 public:
  template <typename... Arguments>
  explicit HandOverParcel(Arguments&&... arguments) : hand_over_(std::forward<Arguments>(arguments)...) {}
  ~HandOverParcel() override { hand_over_.abandon(); }

  void begin(MessageId id, std::string_view received, std::string_view reverse_path) override {
    hand_over_.begin(id, received, reverse_path);  // its trouble is told by finish()
  }
  void write(std::string_view octets) override { hand_over_.write(octets); }
  [[nodiscard]] Outcome finish(std::string_view envelope_octets) override { return hand_over_.finish(envelope_octets); }

 private:
  HandOver hand_over_;
};

class LmtpLane final : public Lane {
 public:
  LmtpLane(LmtpSettings settings, unsigned threads) : pool_(std::move(settings)), workers_(threads) {}
  [[nodiscard]] std::unique_ptr<Parcel> open(const base::Environment&) override {
    return std::make_unique<HandOverParcel<Lmtp>>(pool_);
  }
  void submit(std::unique_ptr<StoreJob> job) override { workers_.submit(std::move(job)); }
  [[nodiscard]] bool has_threads() const override { return workers_.has_threads(); }

 private:
  LmtpPool pool_;
  loop::Workers workers_;
};

// The program is run when the message is whole: a slow client holds no child, and there are never more than threads.
class QueueParcel final : public Parcel {
 public:
  QueueParcel(const QueueProgramSettings& settings, const base::Environment& environment)
      : settings_(settings), environment_(environment), message_(spool_folder(environment)) {}

  void begin(MessageId id, std::string_view received, std::string_view reverse_path) override {
    id_ = id;
    reverse_path_ = reverse_path;
    message_.write(received);
  }
  void write(std::string_view octets) override { message_.write(octets); }

  [[nodiscard]] Outcome finish(std::string_view envelope_octets) override {
    QueueProgram program(settings_, environment_);
    program.begin(id_, {}, reverse_path_);
    std::array<char, std::size_t{16} * 1024> room;
    for (std::uint64_t from = 0;;) {
      const auto got = message_.read(from, room);
      if (!got || message_.error() != 0) return not_read();
      if (*got == 0) return program.finish(envelope_octets);
      program.write({room.data(), *got});
      from += *got;
    }
  }

 private:
  [[nodiscard]] static Outcome not_read() {
    return {Outcome::Result::deferred, std::string(spec::text_of(spec::HandOverText::cannot_store)),
            "the message could not be kept in TMPDIR"};
  }

  const QueueProgramSettings& settings_;
  const base::Environment& environment_;
  LmtpMessage message_;
  MessageId id_;
  std::string reverse_path_;
};

class QueueLane final : public Lane {
 public:
  QueueLane(QueueProgramSettings settings, unsigned threads) : settings_(std::move(settings)), workers_(threads) {}
  [[nodiscard]] std::unique_ptr<Parcel> open(const base::Environment& environment) override {
    return std::make_unique<QueueParcel>(settings_, environment);
  }
  void submit(std::unique_ptr<StoreJob> job) override { workers_.submit(std::move(job)); }
  [[nodiscard]] bool has_threads() const override { return workers_.has_threads(); }

 private:
  QueueProgramSettings settings_;
  loop::Workers workers_;
};

class MaildirParcel final : public Parcel {
 public:
  explicit MaildirParcel(MaildirRoot& root) : root_(root), message_(root) {}
  void begin(MessageId id, std::string_view received, std::string_view reverse_path) override {
    message_.begin(id, received, reverse_path);
  }
  void write(std::string_view octets) override { message_.write(octets); }
  [[nodiscard]] Outcome finish(std::string_view envelope_octets) override {
    const PreparedMessage prepared{.message = &message_, .envelope_octets = envelope_octets};
    return MaildirGroup(root_, SyncMany::Way::in_turn).commit({&prepared, 1}).front();
  }
  [[nodiscard]] MaildirMessage& message() { return message_; }

 private:
  MaildirRoot& root_;
  MaildirMessage message_;
};

// Messages that are whole are made durable together: while one group waits for the disk, the next one gathers.
class MaildirLane final : public Lane {
 public:
  explicit MaildirLane(MaildirSettings settings) : root_(std::move(settings)), spoolers_(2) {
    threads_.reserve(committers);
    try {
      for (int i = 0; i < committers; ++i) start_committer();
    } catch (...) {
      end();  // or those that have started would be waited for
      throw;
    }
  }
  ~MaildirLane() override { end(); }

  [[nodiscard]] std::unique_ptr<Parcel> open(const base::Environment&) override {
    return std::make_unique<MaildirParcel>(root_);
  }

  void submit(std::unique_ptr<StoreJob> job) override {
    if (job->goal() != StoreJob::Goal::finish) return spoolers_.submit(std::move(job));
    {
      const std::lock_guard lock(mutex_);
      waiting_.push(std::move(job));
    }
    has_work_.notify_one();
  }
  [[nodiscard]] bool has_threads() const override { return spoolers_.has_threads() && !threads_.empty(); }

 private:
  using Jobs = std::vector<std::unique_ptr<loop::Job>>;
  static constexpr int committers = 2;

  // All that a committer needs is made before it starts.
  void start_committer() {
    Jobs group;
    group.reserve(MaildirGroup::max_messages);
    auto committing = std::make_unique<MaildirGroup>(root_, SyncMany::Way::together);
    auto started = base::Thread::start([this, group = std::move(group), committing = std::move(committing)]() mutable {
      commit_groups(group, *committing);
    });
    if (started) threads_.push_back(std::move(*started));
  }

  void end() {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    has_work_.notify_all();
  }

  [[nodiscard]] bool take_group(Jobs& group) {
    std::unique_lock lock(mutex_);
    has_work_.wait(lock, [this] { return is_ending_ || !waiting_.is_empty(); });
    while (!waiting_.is_empty() && group.size() < MaildirGroup::max_messages)
      group.emplace_back(static_cast<loop::Job*>(waiting_.pop().release()));
    return !group.empty();
  }

  void commit_groups(Jobs& group, MaildirGroup& committing) {
    for (; take_group(group); group.clear()) {
      try {
        commit(group, committing);
      } catch (const std::bad_alloc&) {  // messages without an outcome yet are deferred: it is the outcome of a new job
      }
      for (const auto& job : group) static_cast<StoreJob&>(*job).parcel.reset();
      loop::give_back(group);
    }
  }

  // A message whose octets cannot be written for lack of memory holds up no other one.
  [[nodiscard]] static bool is_prepared(StoreJob& job) {
    try {
      job.prepare();
      return true;
    } catch (const std::bad_alloc&) {
      job.has_failed = true;
      return false;
    }
  }

  static void commit(const Jobs& group, MaildirGroup& committing) {
    std::vector<PreparedMessage> prepared;
    std::vector<StoreJob*> of;
    prepared.reserve(group.size());
    of.reserve(group.size());
    for (const auto& each : group) {
      auto& job = static_cast<StoreJob&>(*each);
      if (job.forget_if_withdrawn() || !is_prepared(job)) continue;
      prepared.push_back({&static_cast<MaildirParcel&>(*job.parcel).message(), job.envelope});
      of.push_back(&job);
    }
    std::vector<Outcome> outcomes = committing.commit(prepared);
    for (std::size_t i = 0; i < of.size(); ++i) of[i]->outcome = std::move(outcomes[i]);
  }

  MaildirRoot root_;
  loop::Workers spoolers_;
  std::mutex mutex_;
  std::condition_variable has_work_;
  loop::PostedQueue waiting_;  // of StoreJobs; under mutex_
  bool is_ending_ = false;     // under mutex_
  std::vector<base::Thread> threads_;
};

std::expected<std::shared_ptr<Lane>, std::string> make(const config::Start& start, const base::Environment& environment,
                                                       unsigned threads) {
  const std::string host(config::host_name(start));
  switch (start.hand_over) {
    case HandOverKind::discard: return std::make_shared<DiscardLane>();
    case HandOverKind::maildir:
      return std::make_shared<MaildirLane>(MaildirSettings{.root = start.hand_over_path,
                                                           .host = host,
                                                           .default_domain = config::own_domain(start),
                                                           .has_delivered_to = start.has_delivered_to});
    case HandOverKind::queue_program:
      return std::make_shared<QueueLane>(
          QueueProgramSettings{.path = start.hand_over_path, .error_descriptor = start.error_descriptor}, threads);
    case HandOverKind::lmtp: {
      auto address = config::parse_lmtp_address(start.hand_over_path);
      if (!address) return std::unexpected(std::move(address.error()));
      return std::make_shared<LmtpLane>(LmtpSettings{.address = *address,
                                                     .host = host,
                                                     .default_domain = config::own_domain(start),
                                                     .file_folder = spool_folder(environment)},
                                        threads);
    }
    case HandOverKind::none: break;
  }
  return nullptr;
}

}  // namespace

std::expected<std::shared_ptr<Lane>, std::string> make_lane(const config::Start& start,
                                                            const base::Environment& environment, unsigned threads) {
  auto made = make(start, environment, threads);
  if (made && *made != nullptr && !(*made)->has_threads())
    return std::unexpected(std::string("no thread can be started for mail: raise ulimit -u, or TasksMax="));
  return made;
}

}  // namespace postern::deliver
