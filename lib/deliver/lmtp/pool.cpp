#include "deliver/lmtp/pool.hpp"

#include <algorithm>

namespace postern::deliver {

LmtpPool::~LmtpPool() {
  for (Idle& idle : idle_) idle.link.quit();
}

std::optional<LmtpLink> LmtpPool::take() {
  const std::lock_guard lock(mutex_);
  drop_old();
  while (!idle_.empty()) {
    LmtpLink link = std::move(idle_.back().link);
    idle_.pop_back();
    if (link.is_usable()) return link;
  }
  return std::nullopt;
}

void LmtpPool::give_back(LmtpLink link) {
  const std::lock_guard lock(mutex_);
  drop_old();
  if (!link.is_usable()) return link.quit();
  if (settings_.max_idle == 0) return link.quit();
  if (idle_.size() == settings_.max_idle) {
    idle_.front().link.quit();
    idle_.erase(idle_.begin());
  }
  idle_.push_back({std::move(link), base::after_seconds(settings_.idle_seconds)});
}

void LmtpPool::close_old() {
  const std::lock_guard lock(mutex_);
  drop_old();
}

std::size_t LmtpPool::idle() const {
  const std::lock_guard lock(mutex_);
  return idle_.size();
}

void LmtpPool::drop_old() {
  const auto is_young = [](const Idle& idle) { return base::milliseconds_until(idle.until) > 0; };
  const auto young = std::ranges::find_if(idle_, is_young);
  for (Idle& old : std::ranges::subrange(idle_.begin(), young)) old.link.quit();
  idle_.erase(idle_.begin(), young);
}

}  // namespace postern::deliver
