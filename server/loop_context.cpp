#include "server/loop_context.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "server/connection.hpp"
#include "server/policies.hpp"

namespace postern::server {
namespace {

using spec::Event;
constexpr std::array refusals{Event::connect_malformed_proxy, Event::connect_busy,
                              Event::connect_denied,          Event::connect_listed_permanently,
                              Event::connect_listed_for_now,  Event::connect_rules_unreadable,
                              Event::connect_client_guesses,  Event::connect_client_busy,
                              Event::connect_client_too_fast, Event::exhausted};

}  // namespace

std::vector<std::string> refusal_names() {
  std::vector<std::string> names;
  for (const Event refusal : refusals) names.emplace_back(spec::name_of(refusal));
  return names;
}

std::size_t refusal_of(spec::Event event) {
  std::size_t i = 0;
  while (i < refusals.size() && refusals[i] != event) ++i;
  return i;
}

void tell(const observe::Journal& journal, const limits::GateChange& change) {
  journal.gate({.kind = change.kind == limits::GateKind::user ? "user" : "address",
                .change = change.is_shut ? "shut" : "open",
                .number = change.number});
}

std::unique_ptr<engine::Workspace> LoopContext::give_workspace() {
  std::unique_ptr<engine::Workspace> next;
  if (spare.empty()) {
    next.reset(new engine::Workspace);  // not make_unique, which would fill it
  } else {
    next = std::move(spare.back());
    spare.pop_back();
  }
  return std::exchange(workspace, std::move(next));
}

void LoopContext::take_back(std::unique_ptr<engine::Workspace> unused) {
  if (spare.size() < max_spare_workspaces) spare.push_back(std::move(unused));
}

Connection& LoopContext::add(std::unique_ptr<Connection> connection) {
  connections.push_back(std::move(connection));
  connections.back()->move_to(static_cast<std::uint32_t>(connections.size() - 1));
  return *connections.back();
}

void LoopContext::remove(std::uint32_t place) {
  std::unique_ptr<Connection> gone = std::move(connections[place]);
  if (place + 1 != connections.size()) {
    connections[place] = std::move(connections.back());
    connections[place]->move_to(place);
  }
  connections.pop_back();
  loop.dispose(std::move(gone));
}

LoopContext::Prepared LoopContext::prepare(std::shared_ptr<const Policies> next) const {
  const config::Configuration& settings = next->settings();
  std::string domains;
  for (const std::string& domain : settings.domains) domains += domain + '\n';
  Prepared prepared{.policies = std::move(next),
                    .recipients = std::make_unique<ask::Recipients>(),
                    .rules = {},
                    .begins_in_tls = {}};
  auto lists = domains.empty() ? std::make_shared<ask::RecipientLists>()
                               : std::make_shared<ask::RecipientLists>(std::move(domains));
  lists->read();
  prepared.recipients->use(std::move(lists));
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    const std::string& path = settings.listeners[i].tcprules;
    auto own = path.empty() ? nullptr : std::make_unique<config::ClientRules>(path);
    // Not with the first client: by then the file may be broken, and there would be no last rules.
    if (own != nullptr && own->refresh(std::chrono::steady_clock::now()) == config::ClientRules::News::refused)
      own_journal().trouble(own->problem());
    prepared.rules.push_back(std::move(own));
    prepared.begins_in_tls.push_back(prepared.policies->find(i, {})->is_implicit_tls() ? 1 : 0);
  }
  return prepared;
}

void LoopContext::use(Prepared next) {
  // A file that was fit a moment ago, when it was judged, and is not any more: its last rules hold.
  for (std::size_t i = 0; i < std::min(rules.size(), next.rules.size()); ++i) {
    const bool is_same = rules[i] != nullptr && next.rules[i] != nullptr && rules[i]->path() == next.rules[i]->path();
    if (is_same && !next.rules[i]->has_rules()) rules[i].swap(next.rules[i]);
  }
  policies.swap(next.policies);
  recipients.swap(next.recipients);
  rules.swap(next.rules);
  begins_in_tls.swap(next.begins_in_tls);
}

config::ClientRule LoopContext::find_rule(std::size_t listener, const base::Address& address) {
  config::ClientRules* const own = rules[listener].get();
  if (own == nullptr) return {};
  return own->find({.address = address, .host = {}, .info = {}});
}

observe::Journal LoopContext::journal_of(const base::Endpoint& client, std::uint64_t session,
                                         std::string_view listener) {
  client_text = base::write(client.address);
  char* const end = session_text.data() + session_text.size();
  char* at = std::to_chars(session_text.data(), end, index).ptr;
  *at++ = '.';
  at = std::to_chars(at, end, session).ptr;
  return observe::Journal(client_text.view(), {session_text.data(), static_cast<std::size_t>(at - session_text.data())},
                          voice, listener);
}

}  // namespace postern::server
