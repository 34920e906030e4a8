// A policy service as a filter: asked with protocol_state=END-OF-MESSAGE, over connections that are used again, in calls that wait.
// in      where it listens, and its name in the log
// out     as Filter. OK, PERMIT, DUNNO, WARN, INFO and DEFER_IF_REJECT accept; PREPEND accepts with a field at the top; REJECT and 5NN
//         refuse; DEFER, DEFER_IF_PERMIT and 4NN defer; DISCARD discards
// again   a connection that was used before, and ended before an octet of the answer came, is replaced by a new one, once
// errors  as Filter; any other action is a failure, too
// source  Postfix SMTPD_POLICY_README; postconf(5): smtpd_end_of_data_restrictions; docs/decisions/0026-policy-at-the-end.md
#pragma once

#include <string>

#include "ask/policy_conversation.hpp"
#include "base/socket_address.hpp"
#include "filter/filter.hpp"
#include "filter/kept_links.hpp"

namespace postern::filter {

class PolicyService final : public Filter {
 public:
  PolicyService(base::SocketAddress address, std::string name) : address_(std::move(address)), name_(std::move(name)) {}

  [[nodiscard]] Verdict judge(const FilterMessage& message, base::Deadline end) override;
  [[nodiscard]] std::string_view name() const override { return name_; }

 private:
  [[nodiscard]] ask::PolicyAnswer ask(const std::string& request, base::Deadline end);

  base::SocketAddress address_;
  std::string name_;
  KeptLinks<ask::PolicyConversation> links_;
};

// What an answer comes to.
[[nodiscard]] Verdict verdict_of(const ask::PolicyAnswer& answer);

}  // namespace postern::filter
