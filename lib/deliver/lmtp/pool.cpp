#include "deliver/lmtp/pool.hpp"

#include <utility>

namespace postern::deliver {

LmtpPool::~LmtpPool() {
  if (idle_) idle_->link.quit();
}

std::optional<LmtpLink> LmtpPool::take() {
  if (!idle_) return std::nullopt;
  Idle idle = std::move(*idle_);
  idle_.reset();
  if (idle.link.is_usable() && base::milliseconds_until(idle.until) > 0) return std::move(idle.link);
  idle.link.quit();
  return std::nullopt;
}

void LmtpPool::give_back(LmtpLink link) {
  if (!link.is_usable()) return link.quit();
  idle_.emplace(std::move(link), base::after_seconds(settings_.idle_seconds));
}

}  // namespace postern::deliver
