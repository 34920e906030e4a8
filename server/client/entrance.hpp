// What the rule and the class of a client say of letting it in, before its session and beside all limits: of a client that comes,
// and of one that `postern ask` only names.
// in      the client's rule of the tcprules; its class, once that is known
// out     the event by which it is turned away, or connect_ready; what the DNS is asked about it
// errors  none
// source  tcprules(1); spec/events.toml: connect.*; deviation D32
#pragma once

#include "base/network.hpp"
#include "config/client_rules.hpp"
#include "config/configuration.hpp"
#include "server/service_profile.hpp"
#include "spec/policy_row.hpp"

namespace postern::server {

[[nodiscard]] spec::Event event_of(config::ClientRule::Standing standing);

// RBLSMTPD of the class, where that comes before `first`, which is what all else says; null: it has nothing against the client.
[[nodiscard]] const Listing* listing_before(const ServiceProfile& served, spec::Event first);

// From limits: the operator's own, and who sends mail for him. DNS lists and the greylist are not asked about them either.
[[nodiscard]] bool is_exempt(const config::Configuration& settings, const base::Address& client);
// Its name: not of clients of this machine.
[[nodiscard]] bool looks_up_name(const config::Configuration& settings, const base::Address& client);
[[nodiscard]] bool asks_dns_lists(const config::Configuration& settings, const config::Start& start,
                                  const base::Address& client);

}  // namespace postern::server
