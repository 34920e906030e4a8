#include "server/loop_thread.hpp"

#include <fcntl.h>
#include <string.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "server/client/connection.hpp"

namespace postern::server {

LoopThread::LoopThread(std::unique_ptr<loop::Loop> loop, const Shared& shared, unsigned index)
    : loop_(std::move(loop)),
      // Not filled with zeros: untouched buffers cost no page.
      context_(new LoopContext{.loop = *loop_,
                               .metrics = shared.metrics.shard(index),
                               .clients = shared.clients,
                               .guesses = shared.guesses,
                               .greylist = shared.greylist,
                               .userdbs = shared.userdbs,
                               .slots = shared.slots,
                               .open_connections = shared.open_connections,
                               .most_connections = shared.most_connections,
                               .checkers = shared.checkers,
                               .judges = shared.judges,
                               .voice = shared.voice,
                               .index = index,
                               .dns_servers = shared.dns_servers,
                               .dns_counts = shared.metrics.dns_list_counts(),
                               .questions = shared.metrics.question_counts(),
                               .listener_names = shared.listener_names}) {
  context_->spare.reserve(LoopContext::max_spare_workspaces);
}

LoopThread::~LoopThread() { end(); }

std::expected<void, std::string> LoopThread::start(std::shared_ptr<const Snapshot> snapshot,
                                                   const std::vector<int>& sockets) {
  context_->use(std::move(snapshot));
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    acceptors_.push_back(std::make_unique<Acceptor>(*context_, sockets[i], i));
    if (const int error = acceptors_.back()->start(); error != 0)
      return std::unexpected(std::string("cannot watch a listening socket: ") + ::strerror(error));
  }
  context_->spare_descriptor = base::Descriptor(::fcntl(sockets.front(), F_DUPFD_CLOEXEC, 0));
  loop_->at_end_of_turn([this] { look_after_sessions(); });
  auto started = base::Thread::start([this] { run(); });
  if (!started) return std::unexpected(std::string("cannot start a thread: ") + ::strerror(started.error()));
  thread_ = std::move(*started);
  has_begun_.wait(false);
  return {};
}

// The first allocation of a thread takes address space for all of them: now, and not from a client that is served.
void LoopThread::run() {
  void* volatile first = std::malloc(1);
  std::free(first);
  has_begun_ = true;
  has_begun_.notify_one();
  loop_->run();
}

void LoopThread::look_after_sessions() {
  if (const Order order = order_; order != obeyed_) obey(order);
  sessions_ = context_->connections.size();
  context_->metrics.took(observe::Duration::loop_lag, loop_->lag());
}

namespace {

class NewSnapshot final : public loop::Posted {
 public:
  NewSnapshot(LoopContext& context, std::shared_ptr<const Snapshot> snapshot)
      : context_(context), snapshot_(std::move(snapshot)) {}
  void done() override { context_.use(std::move(snapshot_)); }

 private:
  LoopContext& context_;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace

std::unique_ptr<loop::Posted> LoopThread::prepare(std::shared_ptr<const Snapshot> snapshot) {
  return std::make_unique<NewSnapshot>(*context_, std::move(snapshot));
}

void LoopThread::shut_down(bool must_end) {
  order_ = must_end ? Order::end_now : Order::shut_down;
  loop_->wake();
}

// From the last one on: one that leaves at once is replaced by one that has its reply already.
void LoopThread::obey(Order order) {
  obeyed_ = order;
  for (const auto& acceptor : acceptors_) acceptor->stop();
  context_->spare_descriptor.close();  // of a listening socket, which is to be closed as a whole
  context_->is_shutting_down = true;
  context_->must_end = order == Order::end_now;
  const auto& sessions = context_->connections;
  for (std::size_t i = sessions.size(); i > 0; --i)
    if (i <= sessions.size()) sessions[i - 1]->shut_down();
  sessions_ = sessions.size();
  has_heard_ = true;
}

void LoopThread::end() {
  if (!thread_.is_running()) return;
  loop_->stop();
  thread_.join();
  context_->connections.clear();
}

std::expected<void, std::string> LoopThreads::start(unsigned count, const Shared& shared,
                                                    const std::shared_ptr<const Snapshot>& snapshot, Sockets& sockets) {
  for (unsigned i = 0; i < count; ++i) {
    auto loop = loop::Loop::make();
    if (!loop) return std::unexpected(std::move(loop.error()));
    threads_.push_back(std::make_unique<LoopThread>(std::move(*loop), shared, i));
    if (auto started = threads_.back()->start(snapshot, sockets.row(i)); !started) return started;
  }
  return {};
}

std::vector<std::unique_ptr<loop::Posted>> LoopThreads::prepare(const std::shared_ptr<const Snapshot>& snapshot) {
  std::vector<std::unique_ptr<loop::Posted>> prepared;
  for (const auto& thread : threads_) prepared.push_back(thread->prepare(snapshot));
  return prepared;
}

void LoopThreads::post(std::vector<std::unique_ptr<loop::Posted>> prepared) {
  for (std::size_t i = 0; i < threads_.size(); ++i) threads_[i]->post(std::move(prepared[i]));
}

void LoopThreads::shut_down(bool must_end) {
  for (const auto& thread : threads_) thread->shut_down(must_end);
}

bool LoopThreads::have_heard() const {
  return std::ranges::all_of(threads_, [](const auto& thread) { return thread->has_heard(); });
}

std::size_t LoopThreads::sessions() const {
  std::size_t count = 0;
  for (const auto& thread : threads_) count += thread->sessions();
  return count;
}

void LoopThreads::end() {
  for (const auto& thread : threads_) thread->end();
}

}  // namespace postern::server
