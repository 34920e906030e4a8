#include "deliver/lmtp/cluster.hpp"

#include <utility>

namespace postern::deliver {

LmtpCluster::~LmtpCluster() {
  if (idle_) idle_->link.quit();
}

std::optional<LmtpLink> LmtpCluster::take() {
  if (!idle_) return std::nullopt;
  Idle idle = std::move(*idle_);
  idle_.reset();
  if (idle.link.is_usable() && base::milliseconds_until(idle.until) > 0) return std::move(idle.link);
  idle.link.quit();
  return std::nullopt;
}

void LmtpCluster::give_back(LmtpLink link) {
  if (!link.is_usable()) return link.quit();
  idle_.emplace(std::move(link), base::after_seconds(settings_.idle_seconds));
}

}  // namespace postern::deliver
