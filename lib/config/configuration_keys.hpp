// Which member of Configuration each key of [server], [limits] and [tls] sets: once, for the reader and for the comparison.
// out     visit_keys(visit): visit(option, member) for each key, in the order of spec/options.toml; member(configuration) is a
//         reference to what the key sets
// source  spec/options.toml
#pragma once

#include <tuple>

#include "config/configuration.hpp"
#include "spec/options.hpp"

namespace postern::config {

template <typename Member>
struct ConfigurationKey {
  spec::Option option;
  Member member;
};

inline constexpr std::tuple configuration_keys{
    ConfigurationKey{
        spec::Option::home, [](auto& c) -> auto& { return c.home; }  // namespace postern::config
    },
    ConfigurationKey{spec::Option::user, [](auto& c) -> auto& { return c.user; }},
    ConfigurationKey{spec::Option::chroot, [](auto& c) -> auto& { return c.chroot; }},
    ConfigurationKey{spec::Option::domains, [](auto& c) -> auto& { return c.domains; }},
    ConfigurationKey{spec::Option::dns, [](auto& c) -> auto& { return c.dns; }},
    ConfigurationKey{spec::Option::client_names, [](auto& c) -> auto& { return c.looks_up_names; }},
    ConfigurationKey{spec::Option::greylist_file, [](auto& c) -> auto& { return c.greylist_file; }},
    ConfigurationKey{spec::Option::loops, [](auto& c) -> auto& { return c.loops; }},
    ConfigurationKey{spec::Option::checkers, [](auto& c) -> auto& { return c.checkers; }},
    ConfigurationKey{spec::Option::hand_overs, [](auto& c) -> auto& { return c.hand_overs; }},
    ConfigurationKey{spec::Option::shutdown_seconds, [](auto& c) -> auto& { return c.shutdown_seconds; }},
    ConfigurationKey{spec::Option::sandbox, [](auto& c) -> auto& { return c.is_sandboxed; }},
    ConfigurationKey{spec::Option::log, [](auto& c) -> auto& { return c.log; }},
    ConfigurationKey{spec::Option::metrics, [](auto& c) -> auto& { return c.metrics; }},
    ConfigurationKey{spec::Option::shadow, [](auto& c) -> auto& { return c.shadow; }},
    ConfigurationKey{spec::Option::sessions, [](auto& c) -> auto& { return c.clients.sessions; }},
    ConfigurationKey{spec::Option::sessions_per_address,
                     [](auto& c) -> auto& { return c.clients.sessions_per_client; }},
    ConfigurationKey{spec::Option::sessions_per_network,
                     [](auto& c) -> auto& { return c.clients.sessions_per_network; }},
    ConfigurationKey{spec::Option::connections_per_minute,
                     [](auto& c) -> auto& { return c.clients.connections_per_minute; }},
    ConfigurationKey{spec::Option::failed_auths_per_hour, [](auto& c) -> auto& { return c.guesses.failures_per_user; }},
    ConfigurationKey{spec::Option::failed_users_per_hour, [](auto& c) -> auto& { return c.guesses.users_per_address; }},
    ConfigurationKey{spec::Option::unknown_recipients_per_hour,
                     [](auto& c) -> auto& { return c.guesses.recipients_per_address; }},
    ConfigurationKey{spec::Option::exempt, [](auto& c) -> auto& { return c.exempt_from_limits; }},
    ConfigurationKey{spec::Option::min_data_octets_per_second,
                     [](auto& c) -> auto& { return c.min_data_octets_per_second; }},
    ConfigurationKey{spec::Option::data_rate_seconds, [](auto& c) -> auto& { return c.data_rate_seconds; }},
    ConfigurationKey{spec::Option::minimum, [](auto& c) -> auto& { return c.only_tls_1_3; }},
    ConfigurationKey{spec::Option::groups, [](auto& c) -> auto& { return c.tls_groups; }},
    ConfigurationKey{spec::Option::tickets, [](auto& c) -> auto& { return c.gives_tickets; }}};
static_assert(std::tuple_size_v<decltype(configuration_keys)> ==
                  spec::keys_in::server + spec::keys_in::limits + spec::keys_in::tls,
              "a key of spec/options.toml has no member of Configuration, or a member no key");

template <typename Visit>
void visit_keys(Visit visit) {
  std::apply([&](const auto&... key) { (visit(key.option, key.member), ...); }, configuration_keys);
}

}  // namespace postern::config
