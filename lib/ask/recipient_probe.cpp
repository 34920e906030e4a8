#include "ask/recipient_probe.hpp"

#include "ask/valid_recipients.hpp"

namespace postern::ask {

using spec::Event;

// A mail cluster is asked about postmaster, too, because it would refuse his mail after DATA.
std::optional<Source> next_probe(const Finding& finding, const config::Start& start, const engine::Session& session,
                                 std::optional<Source> asked) {
  if (!start.userdb && !start.asks_mail_cluster) return std::nullopt;
  const bool is_asked_about = finding.answer.event == Event::recipient_ours &&
                              !session.guards().has(spec::bit::relay_client | spec::bit::authentication_done);
  if (!is_asked_about || asked == Source::mail_cluster) return std::nullopt;
  if (!asked && start.userdb && !is_postmaster(finding.answer.text)) return Source::userdb;
  return start.asks_mail_cluster ? std::optional(Source::mail_cluster) : std::nullopt;
}

Finding probe_finding(Source source, Event said, std::string_view recipient, const config::Start& start,
                      const engine::Session& session) {
  if (said == Event::recipient_ours) return {.answer = {said, recipient}};
  const Event event = said == Event::recipient_unknown ? one_more_unknown(start, session) : said;
  return {.answer = {event, recipient}, .said_by = address_of_probe(source, start)};
}

}  // namespace postern::ask
