// rspamd as a filter: each message has a connection of its own, in calls that wait. Nothing in an answer says which question it
// answers: over a connection that is used again, one that comes twice would judge the next message.
// in      where it listens, its name in the log, and an id of its settings or nothing
// out     as Filter
// errors  as Filter
// source  https://docs.rspamd.com: protocol
#pragma once

#include <string>

#include "base/socket_address.hpp"
#include "filter/filter.hpp"

namespace postern::filter {

class Rspamd final : public Filter {
 public:
  Rspamd(base::SocketAddress address, std::string name, std::string settings)
      : address_(std::move(address)), name_(std::move(name)), settings_(std::move(settings)) {}

  [[nodiscard]] Verdict judge(const FilterMessage& message, base::Deadline end) override;
  [[nodiscard]] std::string_view name() const override { return name_; }

 private:
  base::SocketAddress address_;
  std::string name_, settings_;
};

}  // namespace postern::filter
