#include "deliver/lmtp/cluster.hpp"

#include <algorithm>
#include <utility>

namespace postern::deliver {

bool has_control_octet(std::string_view path) {
  return std::ranges::any_of(path, [](char octet) { return static_cast<unsigned char>(octet) < ' ' || octet == 127; });
}

std::string forward_path_of(const LmtpSettings& settings, std::string_view recipient) {
  if (recipient.empty() || has_control_octet(recipient)) return {};
  std::string path(recipient);
  if (!path.contains('@')) path += '@' + settings.default_domain;
  return path;
}

LmtpCluster::~LmtpCluster() {
  if (idle_) idle_->link.quit();
}

LmtpResult LmtpCluster::transact(const LmtpMail& mail, base::Deadline end) {
  if (auto idle = take()) {
    idle->transact(mail, end);
    if (!idle->may_repeat()) {
      LmtpResult result = idle->take_result();
      give_back(std::move(*idle));
      return result;
    }
  }
  auto link = LmtpLink::open(settings_.address, settings_.host, settings_.timeouts, end);
  if (!link) return {.trouble = LmtpTrouble{LmtpTrouble::Kind::unreachable, link.error()}};
  link->transact(mail, end);
  LmtpResult result = link->take_result();
  give_back(std::move(*link));
  return result;
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
