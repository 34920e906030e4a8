// Who knows the mailboxes, about a recipient that all else before would take: Dovecot's userdb, then the mail cluster. Whether each is
// asked, and what its answer comes to.
// in      the finding about a recipient; what the one that was asked says of it (limits/known_recipients.hpp)
// out     recipient_ours, recipient_unknowable, or the answer for one more unknown recipient: never more than was taken before
// lives   views of a finding as long as the recipient and the start
// errors  none
// source  docs/decisions/0021-ask-the-mail-cluster.md, 0024-ask-dovecot.md
#pragma once

#include <optional>
#include <string_view>

#include "ask/inquiry.hpp"
#include "ask/open_question.hpp"
#include "limits/known_recipients.hpp"

namespace postern::ask {

// asked   the one that was asked last; none: nobody yet
// out     Source::userdb or Source::mail_cluster; none: nobody is left. Two comparisons where none is asked
[[nodiscard]] std::optional<Source> next_probe(const Finding& finding, const config::Start& start,
                                               const engine::Session& session, std::optional<Source> asked = {});

// Its address, as the operator wrote it.
[[nodiscard]] inline std::string_view address_of_probe(Source source, const config::Start& start) {
  return source == Source::userdb ? std::string_view(start.userdb->text) : std::string_view(start.hand_over_path);
}

[[nodiscard]] constexpr Outcome outcome_of(const limits::RecipientStanding& standing) {
  if (standing.is_deferred) return Outcome::deferred;
  if (standing.event == spec::Event::recipient_ours) return Outcome::accepted;
  return standing.event == spec::Event::recipient_unknown ? Outcome::refused : Outcome::failed;
}

[[nodiscard]] Finding probe_finding(Source source, spec::Event said, std::string_view recipient,
                                    const config::Start& start, const engine::Session& session);

}  // namespace postern::ask
