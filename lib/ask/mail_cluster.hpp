// The mail cluster about a recipient that all else before policy services would take: whether it is asked, and what its answer comes to.
// in      the finding about a recipient; the event that the cluster's answer is (deliver/lmtp/probe.hpp)
// out     recipient_ours, recipient_unknowable, or the answer for one more unknown recipient: never more than was taken before
// lives   views of a finding as long as the recipient and the start
// errors  none
// source  docs/decisions/0021-ask-the-mail-cluster.md
#pragma once

#include <string_view>

#include "ask/inquiry.hpp"
#include "ask/open_question.hpp"

namespace postern::ask {

// One comparison where none is asked.
[[nodiscard]] inline bool asks_mail_cluster(const Finding& finding, const config::Start& start,
                                            const engine::Session& session) {
  return start.asks_mail_cluster && finding.answer.event == spec::Event::recipient_ours &&
         !session.guards().has(spec::bit::relay_client | spec::bit::authentication_done);
}

// is_deferred   the cluster said so for now
[[nodiscard]] constexpr Outcome outcome_of_mail_cluster(spec::Event said, bool is_deferred) {
  if (is_deferred) return Outcome::deferred;
  if (said == spec::Event::recipient_ours) return Outcome::accepted;
  return said == spec::Event::recipient_unknown ? Outcome::refused : Outcome::failed;
}

[[nodiscard]] Finding mail_cluster_finding(spec::Event said, std::string_view recipient, const config::Start& start,
                                           const engine::Session& session);

}  // namespace postern::ask
