#include "server/loop_context.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "server/client/connection.hpp"

namespace postern::server {
namespace {

using spec::Event;
constexpr std::array refusals{Event::connect_malformed_proxy, Event::connect_busy,
                              Event::connect_denied,          Event::connect_listed_permanently,
                              Event::connect_listed_for_now,  Event::connect_rules_unreadable,
                              Event::connect_client_guesses,  Event::connect_client_busy,
                              Event::connect_client_too_fast, Event::connect_exhausted};

}  // namespace

std::vector<std::string> refusal_names() {
  std::vector<std::string> names;
  for (const Event refusal : refusals) names.emplace_back(spec::name_of(refusal));
  names.emplace_back(spec::name_of(spec::Rule::connect_before_tls));
  return names;
}

std::size_t refusal_of(spec::Event event, spec::Guards settings) {
  const bool is_before_tls = settings.has(spec::bit::SSL) && event != Event::connect_malformed_proxy;
  if (is_before_tls) return refusals.size();
  std::size_t i = 0;
  while (i < refusals.size() && refusals[i] != event) ++i;
  return i;
}

void tell(const observe::Journal& journal, const limits::GateChange& change) {
  constexpr std::array<std::string_view, 3> kinds{"user", "address", "recipients"};
  journal.gate({.kind = kinds[std::to_underlying(change.kind)],
                .change = change.is_shut ? "shut" : "open",
                .number = change.number});
}

// It is in the workspace, and outlives the session.
std::string_view LoopContext::refuse(const observe::Journal& journal, const engine::Service& service,
                                     spec::Event event) {
  engine::Session session(service, *workspace);
  const engine::Step step = session.report(event);
  journal.refusal(step);
  metrics.rule_hit(step.rule);
  if (step.code != 0) metrics.replied(step.code);
  return step.reply;
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

void LoopContext::use(std::shared_ptr<const Snapshot> next) {
  recipients->use(next->lists);
  judged_later.resize(next->classes.size());
  if (snapshot != nullptr && snapshot->policies != next->policies)
    for (ClassTable& classes : judged_later) classes.clear();
  if (snapshot == nullptr || snapshot->shadow != next->shadow) shadow.use(next->shadow.get());
  snapshot.swap(next);
}

config::ClientRule LoopContext::find_rule(std::size_t listener, const base::Address& address) {
  const config::ClientRules* const own = snapshot->rules[listener].get();
  if (own == nullptr) return {};
  return own->find({.address = address, .host = {}, .info = {}}, rule_key);
}

std::shared_ptr<const ServiceProfile> LoopContext::find_class(std::size_t listener, std::string_view value) const {
  for (const ClassTable* classes : {&judged_later[listener], &snapshot->classes[listener]}) {
    const auto found = classes->find(value);
    if (found != classes->end() && (value.empty() || found->second->is_current(loop.now()))) return found->second;
  }
  return nullptr;
}

bool LoopContext::may_expect_tls(std::size_t listener) const {
  return server::may_expect_tls(snapshot->classes[listener]) || server::may_expect_tls(judged_later[listener]);
}

// A class judged by what a reload has replaced is only for the client that waited.
void LoopContext::keep_class(const Snapshot& judged_by, std::size_t listener, const std::string& value,
                             std::shared_ptr<const ServiceProfile> served) {
  if (judged_by.policies == snapshot->policies) judged_later[listener].insert_or_assign(value, std::move(served));
}

dns::LoopResolver* LoopContext::find_resolver() {
  if (resolver != nullptr || has_no_resolver) return resolver.get();
  auto made =
      dns_servers ? dns::LoopResolver::make(loop, {.servers = *dns_servers}) : std::unexpected(dns_servers.error());
  has_no_resolver = !made;
  if (made)
    resolver = std::move(*made);
  else
    own_journal().trouble("DNS lists are not asked: " + made.error());
  return resolver.get();
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
