#include "loop/outbound_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

namespace postern::loop {

using Kind = base::StreamFailure::Kind;
using State = base::ClientProtocol::State;

void OutboundRequest::on_time() { pool_->overdue(*this); }

OutboundPool::OutboundPool(Loop& loop, OutboundSettings settings, MakeProtocol make_protocol)
    : loop_(loop),
      settings_(std::move(settings)),
      make_protocol_(std::move(make_protocol)),
      addresses_(std::move(settings_.addresses), settings_.rest, settings_.seed) {
  const std::size_t most_streams = settings_.max_in_flight + settings_.max_idle + 1;
  streams_.reserve(most_streams);
  idle_.reserve(most_streams);
  waiting_.reserve(2 * settings_.max_in_flight + settings_.max_waiting + 1);  // each in flight may be repeated
}

OutboundPool::~OutboundPool() {
  while (!streams_.empty()) drop(*streams_.back());
}

std::optional<base::StreamFailure> OutboundPool::submit(OutboundRequest& request, base::Interval patience) {
  waiting_.push_back(&request);
  request.pool_ = this;
  request.stream_ = nullptr;
  request.is_repeated_ = false;
  if (!is_returning_) match();
  const bool waits = !waiting_.empty() && waiting_.back() == &request;
  const std::size_t soon_served = connecting_ + (is_returning_ ? 1 : 0);
  const bool has_no_place = waiting_.size() > soon_served + settings_.max_waiting;
  if (!waits || (!is_stuck() && !has_no_place)) {
    loop_.arm(request, patience);
    return std::nullopt;
  }
  const auto failure = is_stuck() ? addresses_.last_failure() : base::StreamFailure{.kind = Kind::crowded};
  waiting_.pop_back();
  return failure;
}

// Nobody is left in line for a connection that will not come.
void OutboundPool::serve_waiting() {
  match();
  for (std::size_t left = waiting_.size(); left > 0 && is_stuck(); --left) {
    OutboundRequest& request = *waiting_.front();
    waiting_.erase(waiting_.begin());
    request.disarm();
    request.failed(addresses_.last_failure());
  }
}

bool OutboundPool::is_stuck() const {
  return !waiting_.empty() && streams_.size() == idle_.size() && !addresses_.is_worth_waiting(loop_.now());
}

void OutboundPool::match() {
  while (!waiting_.empty() && serve_by_idle()) {
  }
  while (connecting_ < waiting_.size() && has_room() && open()) {
  }
  if (!waiting_.empty() && connecting_ == 0 && has_room()) loop_.arm(rested_, addresses_.next() - loop_.now());
}

// A request whose connection had died while it was idle wants a new one: the others may be as dead.
bool OutboundPool::serve_by_idle() {
  if (idle_.empty()) return false;
  const auto first = std::ranges::find(waiting_, false, &OutboundRequest::is_repeated_);
  if (first == waiting_.end()) return false;
  OutboundStream& stream = *idle_.back();
  idle_.pop_back();
  OutboundRequest& request = **first;
  waiting_.erase(first);
  request.stream_ = &stream;
  stream.serve(request);
  return true;
}

// True: a connection is being made.
bool OutboundPool::open() {
  while (const auto which = addresses_.pick(loop_.now())) {
    addresses_.begun(*which);
    const int error = connect(*which);
    if (error == 0) return true;
    addresses_.failed(*which, error, loop_.now());
  }
  return false;
}

int OutboundPool::connect(std::size_t which) {
  try {
    OutboundStream::Owner& owner = *this;
    auto stream = std::make_unique<OutboundStream>(loop_, owner, addresses_.at(which), which, make_protocol_());
    if (const int error = stream->connect(settings_.connect_patience); error != 0) return error;
    streams_.push_back(std::move(stream));
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  ++connecting_;
  return 0;
}

void OutboundPool::on_connected(OutboundStream& stream) {
  --connecting_;
  addresses_.connected(stream.which());
  if (waiting_.empty()) return drop(stream);
  OutboundRequest& request = *waiting_.front();
  waiting_.erase(waiting_.begin());
  request.stream_ = &stream;
  stream.serve(request);
  serve_waiting();
}

void OutboundPool::on_unreachable(OutboundStream& stream, int error) {
  --connecting_;
  addresses_.failed(stream.which(), error, loop_.now());
  drop(stream);
  serve_waiting();
}

void OutboundPool::on_ended(OutboundStream& stream, OutboundRequest& request) {
  base::ClientProtocol& protocol = stream.protocol();
  const bool is_usable = protocol.state() == State::idle;
  request.stream_ = nullptr;
  if (!is_usable && stream.is_reused() && protocol.may_repeat()) {
    request.is_repeated_ = true;
    waiting_.insert(waiting_.begin(), &request);
  } else {
    request.disarm();
    is_returning_ = true;
    request.ended(protocol);
    is_returning_ = false;
  }
  if (is_usable && stream.is_quiet())
    keep(stream);
  else
    drop(stream);
  serve_waiting();
}

void OutboundPool::on_idle_end(OutboundStream& stream) {
  std::erase(idle_, &stream);
  drop(stream);
}

void OutboundPool::overdue(OutboundRequest& request) {
  if (request.stream_ != nullptr) return request.stream_->fail(Kind::timed_out);
  std::erase(waiting_, &request);
  request.failed({.kind = Kind::timed_out});
}

void OutboundPool::keep(OutboundStream& stream) {
  stream.rest(settings_.max_idle_age);
  idle_.push_back(&stream);
  if (idle_.size() <= settings_.max_idle + waiting_.size()) return;
  OutboundStream& oldest = *idle_.front();
  idle_.erase(idle_.begin());
  drop(oldest);
}

void OutboundPool::drop(OutboundStream& stream) {
  stream.close();
  const auto found = std::ranges::find(streams_, &stream, &std::unique_ptr<OutboundStream>::get);
  std::unique_ptr<OutboundStream> one = std::move(*found);
  streams_.erase(found);
  loop_.dispose(std::move(one));
}

}  // namespace postern::loop
