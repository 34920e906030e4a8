// What one class of clients is served with: its variables, judged once, and what follows from them.
// in      the variables of the process, of a listener and of a tcprules class; the later ones win
// out     ServiceProfile: the start as postern-smtpd judges it, certificates, the way out; shared by all sessions of the class
// lives   as long as a session that is served with it, over any number of reloads
// errors  in `start`: an event with a row and a reply, and problems in sentences
// source  lib/config/start.hpp; tcprules(1)
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/start.hpp"
#include "deliver/delivery_threads.hpp"
#include "engine/session.hpp"
#include "loop/timer_wheel.hpp"
#include "server/client/listing.hpp"
#include "tls/certificates.hpp"

namespace postern::server {

struct ServiceProfile {
  std::vector<std::string> variables;    // NAME=VALUE, each name once
  std::vector<const char*> pointers;     // to them, and a null pointer
  std::vector<std::string> arguments;    // hostname checkprogram subprogram...
  std::vector<char*> argument_pointers;  // to them, and a null pointer
  config::Start start;
  std::string relay_value;                                // of RELAYCLIENT
  std::vector<std::string> misspellings;                  // of names that its class sets: sentences
  std::vector<std::string> idle_names;                    // others that are for programs, and it runs none: sentences
  std::optional<Listing> listing;                         // of RBLSMTPD: no client is let in
  bool is_served = false;                                 // a client gets 220
  std::string refusal;                                    // or why not, when the settings themselves say no
  std::shared_ptr<const tls::Certificates> certificates;  // null: no encryption here
  std::shared_ptr<deliver::DeliveryThreads> delivery;     // null when the start is refused
  base::Time judged{};                                    // when that was

  [[nodiscard]] engine::Service service() const {
    return {.settings_and_facts = start.settings_and_facts,
            .host = start.host,
            .databytes = start.databytes,
            .max_recipients = start.max_recipients,
            .strict_addresses = start.strict_addresses,
            .asks_at_data = config::asks_at_data(start)};
  }
  // Whether a client can come to an AUTH that is obeyed, in clear or inside TLS.
  [[nodiscard]] bool offers_auth() const {
    const spec::Guards g = start.settings_and_facts;
    const bool can_encrypt = g.has(spec::bit::SSL) || (g.has(spec::bit::certificate) && !g.has(spec::bit::DENY_TLS));
    return g.has(spec::bit::AUTH) && g.has(spec::bit::backend) &&
           (can_encrypt || g.has(spec::bit::ALLOW_INSECURE_AUTH));
  }
  [[nodiscard]] std::span<char* const> check_program() const {
    return argument_pointers.size() < 3 ? std::span<char* const>() : std::span(argument_pointers).subspan(1);
  }
  // Why a class is refused may pass: a descriptor that was missing, a folder that was not mounted.
  [[nodiscard]] bool is_current(base::Time now) const { return is_served || now - judged < std::chrono::seconds(5); }
  [[nodiscard]] bool is_implicit_tls() const { return start.settings_and_facts.has(spec::bit::SSL); }
};

using ClassTable =
    std::map<std::string, std::shared_ptr<const ServiceProfile>, std::less<>>;  // by their value in the tcprules

[[nodiscard]] inline bool may_expect_tls(const ClassTable& classes) {
  return std::ranges::any_of(classes, [](const auto& each) { return each.second->is_implicit_tls(); });
}

}  // namespace postern::server
