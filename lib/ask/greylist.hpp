// About whom a greylist is asked.
// in      what all else has found of a recipient, the start and the session; the client's address and its DNS lists
// out     whether it may defer that recipient. One comparison where there is none
// source  RFC 6647 5; docs/decisions/0020-greylist.md
#pragma once

#include "ask/inquiry.hpp"

namespace postern::ask {

// A recipient that would be taken, of a client that may not relay.
[[nodiscard]] inline bool asks_greylist(const Finding& finding, const config::Start& start,
                                        const engine::Session& session) {
  return start.greylist_seconds != 0 && finding.answer.event == spec::Event::recipient_ours &&
         !session.guards().has(spec::bit::relay_client | spec::bit::authentication_done);
}

// Not of an address that no host of the Internet has, nor of one that lists of good senders outweigh.
// verdict   null: no list was asked
[[nodiscard]] inline bool may_be_greylisted(const base::Address& client, const DnsVerdict* verdict) {
  return !base::is_special(client) && (verdict == nullptr || verdict->score >= 0);
}

}  // namespace postern::ask
