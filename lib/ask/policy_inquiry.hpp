// What policy services say about one recipient, and before it about the client, its HELO name and its sender; or about the message
// that DATA announces: which one is asked next, and what their answers come to. Without I/O.
// in      a session that waits for the answer about a recipient that all else would take, or about a message; answers, one for each
//         service of next(). A PolicyMemory of the session: what the services of the former stages have said is not asked again
// out     the answer that it would have without them, or *_policy_refused, _deferred, _failed or _waived: never more than what would
//         be taken without it
// order   by stage, and as the operator wrote them. REJECT and DEFER decide, and so does a failure, unless the operator takes what is
//         unjudged: then the next one is asked. OK ends its stage. DEFER_IF_PERMIT defers what no later one refuses, DEFER_IF_REJECT
//         what one does
// lives   the start and the memory outlive it; the session need not. Views of a finding live as long as this
// errors  an answer that cannot be followed, and a failure, are remarks; never a sentence for the client. Neither is remembered
// source  Postfix SMTPD_POLICY_README; access(5); docs/decisions/0019-policy-service.md, 0027-policy-at-each-stage.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ask/inquiry.hpp"
#include "ask/policy_conversation.hpp"
#include "ask/policy_request.hpp"

namespace postern::ask {

// The stages at which services are asked about what has been found; a set of `1 << PolicyStage`. Empty: nobody is asked.
[[nodiscard]] unsigned policy_stages_of(const engine::Answer& found, const config::Start& start,
                                        const engine::Session& session);

// Whether policy services are asked about what has been found. One comparison where there are none.
[[nodiscard]] inline bool asks_policy_services(const Finding& finding, const config::Start& start,
                                               const engine::Session& session) {
  return !start.policy_services.empty() && policy_stages_of(finding.answer, start, session) != 0;
}

// What would be taken without policy services: this message.
inline constexpr engine::Answer message_without_services{spec::Event::message_permitted};

// For the log.
struct PolicyRemark {
  enum class Kind : std::uint8_t { said, silent, malformed, waived, too_late, no_field } kind = Kind::said;
  std::string_view service;
  std::string
      text{};  // what it said, or why that is nothing; empty for `waived`: the recipient is taken without its judgement
};

// For who counts: what one service made of its question.
[[nodiscard]] Outcome outcome_of(const PolicyAnswer& answer);

struct SaidByService {
  std::string_view service{};
  std::string words{};  // for the client, and of a failure for the log; empty: it said nothing of that
};

// What the services of one stage have said about one request.
struct PolicyStageFound {
  enum class End : std::uint8_t { taken, refused, deferred, failed, waived };

  std::string request{};
  End end = End::taken;
  SaidByService said{};                        // who refuses, defers or has failed; of `waived`: who has not judged
  SaidByService if_permitted{}, if_refused{};  // DEFER_IF_*, the first of each
  std::vector<std::string> fields{};           // PREPEND, each ended by LF
  std::uint32_t transaction = 0;               // the last one that has them; also of a stage that has failed
};

// Of the client, its HELO name and its sender: for as long as the request is the same.
using PolicyMemory = std::array<PolicyStageFound, 3>;

class PolicyInquiry {
 public:
  // found    what would be answered without it: a recipient as it is kept, or message_without_services
  PolicyInquiry(const config::Start& start, const engine::Session& session, const engine::Answer& found,
                const PolicyClient& client, PolicyMemory& memory);

  // Null: it is decided.
  [[nodiscard]] const config::PolicyService* next() const;
  [[nodiscard]] std::string_view request() const { return stage_.request; }
  // How many of them may be asked yet, with that one: they share the time that is left.
  [[nodiscard]] std::size_t still_to_ask() const;
  void hear(PolicyAnswer answer);

  [[nodiscard]] engine::Answer answer() const;
  // The service that refuses or defers it, or has failed; empty where it is taken.
  [[nodiscard]] std::string_view said_by() const { return all_.said.service; }
  // What has failed, for the log; empty: nothing has.
  [[nodiscard]] std::string_view why() const { return all_.end == End::failed ? all_.said.words : std::string_view(); }
  [[nodiscard]] std::string_view recipient() const { return recipient_; }  // empty: it is about a message
  [[nodiscard]] const std::vector<PolicyRemark>& remarks() const { return remarks_; }
  [[nodiscard]] const std::vector<std::string>& header_fields() const { return fields_; }  // each ended by LF

 private:
  using End = PolicyStageFound::End;

  [[nodiscard]] const std::vector<config::PolicyService>& services() const { return start_->policy_services; }
  [[nodiscard]] bool is_about_message() const { return found_ == spec::Event::message_permitted; }
  [[nodiscard]] PolicyRemark::Kind remark_on(const PolicyVerdict& verdict) const;
  void hear_failure(const PolicyRemark& trouble);
  void follow(std::string_view service, PolicyVerdict verdict);
  // To the next service that is to be asked: over stages that are not, and over what is remembered.
  void go_on();
  void leave_stage();
  void conclude(const PolicyStageFound& stage);
  void give_fields(PolicyStageFound& stage);
  void finish();

  const config::Start* start_;
  PolicyMemory* memory_;
  spec::Event found_;
  std::string recipient_;
  std::uint32_t transaction_;
  std::array<std::string, config::policy_stages> requests_;  // empty: that stage is not asked about
  std::size_t place_ = 0;   // of the service that is asked; beyond the last: it is decided
  PolicyStageFound stage_;  // that it belongs to, as far as it is
  PolicyStageFound all_;    // what those before it come to
  std::vector<std::string> fields_;
  std::vector<PolicyRemark> remarks_;
};

}  // namespace postern::ask
