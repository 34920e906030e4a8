// What policy services say about one recipient: which one is asked next, and what their answers come to. Without I/O.
// in      a session that waits for the answer about a recipient that all else would take; answers, one for each service of next()
// out     recipient_ours, recipient_policy_refused, _deferred, _failed or _waived: never more than what would be taken without it
// order   as the operator wrote them. REJECT, DEFER and OK decide, and so does a failure, unless the operator takes what is
//         unjudged: then the next one is asked. DEFER_IF_PERMIT defers what no later one refuses, DEFER_IF_REJECT what one does
// lives   the start outlives it; the session need not. Views of a finding live as long as this
// errors  an answer that cannot be followed, and a failure, are remarks; never a sentence for the client
// source  Postfix SMTPD_POLICY_README; access(5); docs/decisions/0019-policy-service.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ask/inquiry.hpp"
#include "ask/policy_conversation.hpp"
#include "ask/policy_request.hpp"

namespace postern::ask {

// Whether policy services are asked about what has been found. One comparison where there are none.
[[nodiscard]] inline bool asks_policy_services(const Finding& finding, const config::Start& start,
                                               const engine::Session& session) {
  return !start.policy_services.empty() && finding.answer.event == spec::Event::recipient_ours &&
         !session.guards().has(spec::bit::relay_client | spec::bit::authentication_done);
}

// For the log.
struct PolicyRemark {
  enum class Kind : std::uint8_t { said, silent, malformed, waived } kind = Kind::said;
  std::string_view service;
  std::string
      text{};  // what it said, or why that is nothing; empty for `waived`: the recipient is taken without its judgement
};

// For who counts: what one service made of its question.
[[nodiscard]] Outcome outcome_of(const PolicyAnswer& answer);

class PolicyInquiry {
 public:
  // recipient   as it is kept
  PolicyInquiry(const config::Start& start, const engine::Session& session, std::string_view recipient,
                const PolicyClient& client)
      : start_(&start), recipient_(recipient), request_(write_policy_request(session, recipient, client)) {}

  // Null: it is decided.
  [[nodiscard]] const base::SocketAddress* next() const;
  [[nodiscard]] std::string_view request() const { return request_; }
  void hear(PolicyAnswer answer);

  [[nodiscard]] engine::Answer answer() const;
  // The service that refuses or defers it, or has failed; empty where it is taken.
  [[nodiscard]] std::string_view said_by() const { return said_.service; }
  [[nodiscard]] std::string_view recipient() const { return recipient_; }
  [[nodiscard]] const std::vector<PolicyRemark>& remarks() const { return remarks_; }
  [[nodiscard]] const std::vector<std::string>& header_fields() const { return fields_; }  // each ended by LF

 private:
  void hear_failure(std::string_view service, bool has_begun);
  void follow(std::string_view service, PolicyVerdict verdict);
  struct Said {
    std::string_view service;
    std::string words{};
  };
  void decide(spec::Event event, Said said);
  void decide_at_the_end();

  const config::Start* start_;
  std::string recipient_, request_;
  std::size_t place_ = 0;  // of the service that is asked
  bool is_decided_ = false;
  spec::Event event_ = spec::Event::recipient_ours;
  Said said_{};                         // what refuses or defers
  Said if_permitted_{}, if_refused_{};  // DEFER_IF_*, the first of each; without words: none
  std::string_view passed_over_;        // the first service that failed, where that refuses nothing; empty: none
  std::vector<std::string> fields_;
  std::vector<PolicyRemark> remarks_;
};

}  // namespace postern::ask
