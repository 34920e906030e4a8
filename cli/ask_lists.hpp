// What the DNS says of a client, its name and its lists, and control files of a recipient, one by one, each by the asker that the server has.
// in      a start and an address; or lists that are read, and a session that has named a recipient
// out     a line for each; of DNS lists the verdict, and a line for it
// waits   ask_dns_lists(): at most spec::max_dns_seconds and a second, ask_client_name() twice as long; ask_lists() reads nothing
// errors  none: without a resolver a line says why
// source  ask/client_listing.hpp; ask/recipient_lists.hpp
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "ask/client_listing.hpp"
#include "ask/dns_lists.hpp"
#include "ask/open_question.hpp"
#include "ask/recipient_lists.hpp"
#include "cli/ask_session.hpp"
#include "config/start.hpp"
#include "dns/servers.hpp"
#include "engine/session.hpp"

namespace postern::cli {

using TellQuestion = std::function<void(AskedQuestion)>;

// The name that its addresses confirm; empty: there is none, or nobody knows.
[[nodiscard]] std::string ask_client_name(const base::Address& client,
                                          const std::expected<dns::Servers, std::string>& servers,
                                          const TellQuestion& tell);

[[nodiscard]] AskedQuestion told_of(const ask::DnsVerdict& verdict, std::uint64_t threshold);

// None: they could not be asked.
[[nodiscard]] std::optional<ask::DnsVerdict> ask_dns_lists(const ask::DnsInquiry& asked, std::uint64_t threshold,
                                                           const std::expected<dns::Servers, std::string>& servers,
                                                           ask::QuestionBook& book, const TellQuestion& tell);

void ask_lists(const ask::RecipientLists& lists, const engine::Session& session, const config::Start& start,
               const TellQuestion& tell);

}  // namespace postern::cli
