// rspamd as a filter: asked over connections that are used again, in calls that wait.
// in      where it listens, its name in the log, and an id of its settings or nothing
// out     as Filter
// again   a connection that was used before, and ended before an octet of the answer came, is replaced by a new one, once
// errors  as Filter
// source  https://docs.rspamd.com: protocol
#pragma once

#include <string>

#include "base/socket_address.hpp"
#include "filter/filter.hpp"
#include "filter/kept_links.hpp"
#include "filter/rspamd_conversation.hpp"

namespace postern::filter {

class Rspamd final : public Filter {
 public:
  Rspamd(base::SocketAddress address, std::string name, std::string settings)
      : address_(std::move(address)), name_(std::move(name)), settings_(std::move(settings)) {}

  [[nodiscard]] Verdict judge(const FilterMessage& message, base::Deadline end) override;
  [[nodiscard]] std::string_view name() const override { return name_; }

 private:
  using RspamdLink = Link<RspamdConversation>;

  void carry(RspamdLink& link, const FilterMessage& message, base::Deadline end) const;

  base::SocketAddress address_;
  std::string name_, settings_;
  KeptLinks<RspamdConversation> links_;
};

}  // namespace postern::filter
