// The policy services of the one client of this process, over connections that are used again: asked in calls that wait.
// in      a session that waits for the answer about a recipient that all else would take, or about a message
// out     the answer; what a service said, and that one did not answer, are lines of the log. Its texts live until the next call
// again   a connection that was used before, and ended before an octet of the answer came, is replaced by a new one, once
// waits   at most spec::max_policy_seconds for all services about one recipient, or message: for each an equal share of what is left
// lives   start, environment, transport and journal outlive it
// errors  *_policy_failed, or what the operator wants in its place; std::bad_alloc
// source  ask/policy_inquiry.hpp; docs/decisions/0019-policy-service.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ask/policy_fields.hpp"
#include "ask/policy_inquiry.hpp"
#include "base/child.hpp"
#include "daemon/transport.hpp"
#include "observe/journal.hpp"

namespace postern::daemon {

class PolicyLinks {
 public:
  PolicyLinks(const config::Start& start, const base::Environment& environment, const Transport& transport,
              const observe::Journal& journal);

  // found        what would be answered without them: a recipient, or ask::message_without_services
  // message_id   of a message
  [[nodiscard]] engine::Answer ask(const engine::Session& session, const engine::Answer& found,
                                   std::string message_id = {});
  // Who refuses or defers what the last answer is about; lives as long as the start.
  [[nodiscard]] std::string_view said_by() const { return inquiry_ ? inquiry_->said_by() : std::string_view(); }
  [[nodiscard]] std::string_view why() const { return inquiry_ ? inquiry_->why() : std::string_view(); }
  // What goes before the message of this transaction.
  [[nodiscard]] std::string_view header_fields(std::uint32_t transaction) const { return fields_.of(transaction); }

 private:
  struct Link {
    base::Descriptor socket;
    std::unique_ptr<ask::PolicyConversation> conversation;
  };

  [[nodiscard]] ask::PolicyClient client(const engine::Session& session, std::string message_id) const;
  [[nodiscard]] ask::PolicyAnswer ask(const base::SocketAddress& service, base::Deadline end);
  [[nodiscard]] Link& link_to(const base::SocketAddress& service);
  [[nodiscard]] bool carry(Link& link, std::string_view service, base::Deadline end) const;

  const config::Start& start_;
  const base::Environment& environment_;
  const Transport& transport_;
  const observe::Journal& journal_;
  std::string name_;         // of this session
  std::vector<Link> links_;  // of each service of the start; at several stages the first of its address
  ask::PolicyFields fields_;
  ask::PolicyMemory memory_;
  std::optional<ask::PolicyInquiry> inquiry_;  // the last one
};

}  // namespace postern::daemon
