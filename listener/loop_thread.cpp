#include "listener/loop_thread.hpp"

#include <string.h>

#include <utility>

#include "listener/connection.hpp"
#include "listener/policies.hpp"

namespace postern::listener {

LoopThread::LoopThread(std::unique_ptr<Loop> loop, const Shared& shared, unsigned index)
    : loop_(std::move(loop)),
      // Not filled with zeros: untouched buffers cost no page.
      context_(new LoopContext{.loop = *loop_,
                               .metrics = shared.metrics.shard(index),
                               .clients = shared.clients,
                               .guesses = shared.guesses,
                               .checkers = shared.checkers,
                               .voice = shared.voice,
                               .index = index,
                               .listener_names = shared.listener_names}) {}

std::expected<void, std::string> LoopThread::start(std::shared_ptr<const Policies> policies,
                                                   const std::vector<int>& sockets) {
  context_->use(std::move(policies));
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    acceptors_.push_back(std::make_unique<Acceptor>(*context_, sockets[i], i));
    if (const int error = acceptors_.back()->start(); error != 0)
      return std::unexpected(std::string("cannot watch a listening socket: ") + ::strerror(error));
  }
  loop_->at_end_of_turn([this] { look_after_sessions(); });
  auto started = Thread::start([this] { loop_->run(); });
  if (!started) return std::unexpected(std::string("cannot start a thread: ") + ::strerror(started.error()));
  thread_ = std::move(*started);
  return {};
}

void LoopThread::look_after_sessions() {
  sessions_ = context_->connections.size();
  context_->metrics.took(Duration::loop_lag, loop_->lag());
}

void LoopThread::use(std::shared_ptr<const Policies> policies) {
  loop_->post([this, policies = std::move(policies)] { context_->use(policies); });
}

void LoopThread::shut_down(bool must_end) {
  loop_->post([this, must_end] {
    for (const auto& acceptor : acceptors_) acceptor->stop();
    context_->is_shutting_down = true;
    context_->must_end = must_end;
    const std::vector<Connection*> sessions = context_->connections;
    for (Connection* session : sessions) session->shut_down();
    sessions_ = context_->connections.size();
    has_heard_ = true;
  });
}

void LoopThread::end() {
  if (!thread_.is_running()) return;
  loop_->stop();
  thread_.join();
  const std::vector<Connection*> sessions = std::exchange(context_->connections, {});
  for (Connection* session : sessions) delete session;
}

}  // namespace postern::listener
