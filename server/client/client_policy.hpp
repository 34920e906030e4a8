// The policy services about the recipients and messages of one client on a loop, one after the other; the loop never waits for them.
// in      the ticket of a question about a recipient that all else would take, or about a message
// out     the answer, given to the connection; what a service said, and that one did not answer, are lines of the log
// lives   with its connection, which outlives each request of it
// bounds  spec::max_policy_seconds for all services about one recipient, or message, each an equal share of what is left; one
//         question at a time
// errors  *_policy_failed, or what the operator wants in its place; lack of memory is the answer of nobody
// source  ask/policy_inquiry.hpp; docs/decisions/0019-policy-service.md
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "ask/policy_fields.hpp"
#include "ask/policy_inquiry.hpp"
#include "engine/conversation.hpp"
#include "server/policy_pools.hpp"

namespace postern::server {

class Client;
class Connection;

class ClientPolicy final : private loop::OutboundRequest<ask::PolicyConversation> {
 public:
  explicit ClientPolicy(Connection& connection) : connection_(connection) {}

  // Where nothing has to be waited for, the answer is given at once. Not before the answer to the last one, or its end.
  // found   what would be answered without them: a recipient, or ask::message_without_services
  void ask(const engine::Want& want, const engine::Answer& found);
  // Nobody waits for the answer any more.
  void withdraw();
  [[nodiscard]] std::string_view header_fields(std::uint32_t transaction) const { return fields_.of(transaction); }

 private:
  void begin(ask::PolicyConversation& conversation, base::Time now) override;
  void ended(ask::PolicyConversation& conversation) override;
  void failed(const base::StreamFailure& failure) override;

  [[nodiscard]] ask::PolicyClient facts() const;
  [[nodiscard]] base::Time end_of_all() const;
  void submit_next();
  void hear(ask::PolicyAnswer answer);
  template <typename Hear>
  void go_on(Hear hear);
  void tell();
  [[nodiscard]] Client& client() const;
  [[nodiscard]] const engine::Session& session() const;

  Connection& connection_;
  engine::Ticket ticket_{};
  engine::Question open_{};     // that the ticket is of
  base::Time end_{};            // of the time for all of them
  bool is_asking_ = false;      // a request is in a pool
  bool has_run_out_ = false;    // of memory
  ask::OpenQuestion question_;  // to the service that is asked
  std::optional<ask::PolicyInquiry> inquiry_;
  ask::PolicyFields fields_;
  ask::PolicyMemory memory_;
};

}  // namespace postern::server
