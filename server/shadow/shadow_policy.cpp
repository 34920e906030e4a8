#include "server/shadow/shadow_policy.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace postern::server {
namespace {

using config::ClientRule;
using spec::Event;

// What a configuration does not decide: it is so for the shadow, too.
bool is_of_the_world(Event event) {
  constexpr std::array world{Event::connect_malformed_proxy,
                             Event::connect_busy,
                             Event::connect_client_guesses,
                             Event::connect_client_busy,
                             Event::connect_client_too_fast,
                             Event::connect_early_talker,
                             Event::connect_dns_listed,
                             Event::connect_shutting_down,
                             Event::connect_exhausted,
                             Event::shutting_down,
                             Event::exhausted};
  return std::ranges::find(world, event) != world.end();
}

// As Opening does: of all that is true, what stands first in spec/events.toml.
Event first_event(const ServiceProfile& served, Event real, Event by_rules) {
  if (real == Event::shutting_down || real == Event::exhausted) return real;
  Event event = is_of_the_world(real) ? real : Event::connect_ready;
  if (event == Event::connect_early_talker && !served.start.drops_early_talkers) event = Event::connect_ready;
  if (event == Event::connect_dns_listed && !served.start.dnsbl_at_connect) event = Event::connect_ready;
  event = std::min(event, by_rules);
  if (served.listing) event = std::min(event, served.listing->event);
  return std::min(event, served.start.event);
}

using Listeners = std::vector<config::ListenerSettings>;

// Port 0 may stand there more than once: then the same place in the file counts.
std::size_t place_of(std::size_t listener, const Listeners& serving, const Listeners& among) {
  const auto is_same = [&](const config::ListenerSettings& each) {
    const config::ListenerSettings& wanted = serving[listener];
    return each.socket_name == wanted.socket_name && (!each.socket_name.empty() || each.at == wanted.at);
  };
  if (listener < among.size() && is_same(among[listener])) return listener;
  return static_cast<std::size_t>(std::ranges::find_if(among, is_same) - among.begin());
}

std::vector<std::string> as_of_the_shadow(std::vector<std::string> sentences) {
  for (std::string& sentence : sentences) sentence.insert(0, "shadow: ");
  return sentences;
}

}  // namespace

Policies::Made judge_shadow(const std::string& path, const ReadConfiguration& read, const JudgedLike& like) {
  if (path.empty()) return nullptr;
  if (auto obstacle = obstacle_to({.place = "the configuration", .path = path}))
    return std::unexpected(as_of_the_shadow({std::move(*obstacle)}));
  auto settings = read(path);
  if (!settings) return std::unexpected(as_of_the_shadow(std::move(settings.error())));
  auto made = Policies::make(std::move(*settings), like.environment, like.voice, like.certificates, like.watch);
  if (!made) return std::unexpected(as_of_the_shadow(std::move(made.error())));
  return made;
}

Shadow::Shadow(std::shared_ptr<const Policies> policies, const config::Configuration& serving,
               observe::ShadowCounts& counts, const observe::Journal& journal)
    : snapshot_(make_snapshot(std::move(policies), nullptr, journal)), counts_(counts) {
  const Listeners& own = snapshot_->policies->settings().listeners;
  for (std::size_t i = 0; i < serving.listeners.size(); ++i) {
    const std::size_t place = place_of(i, serving.listeners, own);
    listeners_.push_back(place == own.size() ? nowhere : place);
  }
}

std::optional<Shadow::Beginning> Shadow::begin(std::size_t listener, const base::Address& client, Event real,
                                               std::string& key) const {
  const std::size_t own = listeners_[listener];
  if (own == nowhere) return std::nullopt;
  ClientRule rule;
  if (const config::ClientRules* const rules = snapshot_->rules[own].get(); rules != nullptr)
    rule = rules->find({.address = client, .host = {}, .info = {}}, key);
  const bool is_denied = rule.standing == ClientRule::Standing::denied;
  const bool is_unreadable = rule.standing == ClientRule::Standing::unreadable;
  const ServiceProfile* const served = find_class(own, is_denied || is_unreadable ? std::string_view() : rule.value);
  if (served == nullptr) return std::nullopt;
  const Event by_rules = is_denied       ? Event::connect_denied
                         : is_unreadable ? Event::connect_rules_unreadable
                                         : Event::connect_ready;
  return Beginning{.event = first_event(*served, real, by_rules),
                   .guards = spec::start(served->start.settings_and_facts),
                   .databytes = served->start.databytes};
}

// Null: the file of its tcprules has changed, and is about to be read again.
const ServiceProfile* Shadow::find_class(std::size_t listener, std::string_view value) const {
  const ClassTable& classes = snapshot_->classes[listener];
  const auto found = classes.find(value);
  return found == classes.end() ? nullptr : found->second.get();
}

std::vector<std::string> not_compared(const config::Configuration& serving, const config::Configuration& shadow) {
  std::vector<std::string> places;
  for (std::size_t i = 0; i < serving.listeners.size(); ++i)
    if (place_of(i, serving.listeners, shadow.listeners) == shadow.listeners.size())
      places.push_back(serving.listeners[i].place);
  return places;
}

}  // namespace postern::server
