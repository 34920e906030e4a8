#include "simulate/wire.hpp"

#include <algorithm>
#include <utility>

#include "simulate/allocations.hpp"

namespace postern::simulate {

Wire::Wire(Stage& stage, Seat seat, Client& client, Storage& storage)
    : stage_(stage), seat_(seat), client_(client), storage_(storage) {
  const bool is_slow = stage.random.one_in(stage.climate.slow_in);
  if (is_slow) slowness_ = stage.random.one_in(4) ? ~0U : stage.random.between(1, 3000);
  storage.has_arrival_ahead = false;
}

void Wire::flush(Watched& watched) {
  const std::string_view replies = watched.replies();
  if (sent_ == seen_ && replies.size() > seen_) began_ = stage_.now;
  seen_ = replies.size();
  if (state_ == State::gone && sent_ < seen_) lose_rest(watched);
  if (state_ == State::gone) sent_ = seen_;
  if (sent_ < seen_ && slowness_ == 0) give(replies.substr(sent_));
  if (sent_ < seen_) {
    if (slowness_ == ~0U || std::exchange(is_taking_, true)) return;
    return stage_.add(milliseconds(stage_.random.below(slowness_)), Happening::take, seat_.slot, seat_.life);
  }
  if (seen_ == 0) return;
  sent_ = seen_ = 0;
  watched.clear();
  watched.begin_patience();
}

void Wire::take(const Watched& watched) {
  is_taking_ = false;
  const auto left = static_cast<std::uint32_t>(watched.replies().size() - sent_);
  if (left == 0 || state_ == State::gone) return;
  give(watched.replies().substr(sent_, stage_.random.one_in(2) ? left : stage_.random.between(1, left)));
}

void Wire::give(std::string_view octets) {
  sent_ += octets.size();
  record(octets);
  const OwnAllocations own;
  client_.hear(octets);
  storage_.overseer.complain(client_.complaint());
  expect_octets(milliseconds(stage_.random.below(3)));
}

void Wire::record(std::string_view octets) {
  while (storage_.overseer.is_recording() && !octets.empty()) {
    const std::size_t end = std::min(octets.find('\n'), octets.size() - 1) + 1;
    storage_.overseer.record({.kind = audit::ItemKind::server, .octets = std::string(octets.substr(0, end))});
    octets.remove_prefix(end);
  }
}

engine::Time Wire::deadline() const { return began_ + engine::seconds(stage_.patience.silence_seconds); }

void Wire::expect_octets(engine::Interval in) {
  if (std::exchange(storage_.has_arrival_ahead, true)) return;
  stage_.add(in, Happening::arrive, seat_.slot, seat_.life);
}

}  // namespace postern::simulate
