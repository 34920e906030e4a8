#include "server/client/entrance.hpp"

#include <algorithm>
#include <vector>

#include "ask/client_listing.hpp"

namespace postern::server {

using spec::Event;

Event event_of(config::ClientRule::Standing standing) {
  switch (standing) {
    case config::ClientRule::Standing::denied: return Event::connect_denied;
    case config::ClientRule::Standing::unreadable: return Event::connect_rules_unreadable;
    case config::ClientRule::Standing::allowed:
    case config::ClientRule::Standing::not_found: break;
  }
  return Event::connect_ready;
}

const Listing* listing_before(const ServiceProfile& served, Event first) {
  return served.listing && served.listing->event <= first ? &*served.listing : nullptr;
}

bool is_exempt(const config::Configuration& settings, const base::Address& client) {
  return std::ranges::any_of(settings.exempt_from_limits,
                             [&](const base::Network& network) { return network.contains(client); });
}

bool looks_up_name(const config::Configuration& settings, const base::Address& client) {
  static const std::vector<base::Network> own = base::loopback_networks();
  return settings.looks_up_names &&
         std::ranges::none_of(own, [&](const base::Network& network) { return network.contains(client); });
}

bool asks_dns_lists(const config::Configuration& settings, const config::Start& start, const base::Address& client) {
  return !is_exempt(settings, client) && ask::asks_dns_lists(start, client);
}

}  // namespace postern::server
