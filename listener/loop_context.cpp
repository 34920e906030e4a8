#include "listener/loop_context.hpp"

#include <array>
#include <charconv>

#include "listener/policies.hpp"

namespace postern::listener {
namespace {

using spec::Event;
constexpr std::array refusals{Event::connect_malformed_proxy, Event::connect_busy,
                              Event::connect_denied,          Event::connect_rules_unreadable,
                              Event::connect_client_guesses,  Event::connect_client_busy,
                              Event::connect_client_too_fast};

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

std::unique_ptr<engine::Workspace> LoopContext::give_workspace() {
  std::unique_ptr<engine::Workspace> given = std::move(workspace);
  if (spare.empty()) {
    workspace.reset(new engine::Workspace);  // not make_unique, which would fill it
  } else {
    workspace = std::move(spare.back());
    spare.pop_back();
  }
  return given;
}

void LoopContext::take_back(std::unique_ptr<engine::Workspace> unused) {
  if (spare.size() < max_spare_workspaces) spare.push_back(std::move(unused));
}

void LoopContext::use(std::shared_ptr<const Policies> next) {
  policies = std::move(next);
  const Configuration& settings = policies->settings();
  std::string domains;
  for (const std::string& domain : settings.domains) domains += domain + '\n';
  recipients = domains.empty() ? std::make_unique<daemon::Recipients>(daemon::RcptHosts::Reading::copied)
                               : std::make_unique<daemon::Recipients>(domains);
  rules.clear();
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    const std::string& path = settings.listeners[i].tcprules;
    rules.push_back(path.empty() ? nullptr : std::make_unique<ClientRules>(path));
    refresh_rules(i);  // not with the first client: by then the file may be broken, and there would be no last rules
  }
}

void LoopContext::refresh_rules(std::size_t listener) {
  ClientRules* const own = rules[listener].get();
  if (own != nullptr && own->refresh(loop.now()) == ClientRules::News::refused) own_journal().trouble(own->problem());
}

ClientRule LoopContext::find_rule(std::size_t listener, const Address& address) {
  ClientRules* const own = rules[listener].get();
  if (own == nullptr) return {};
  refresh_rules(listener);
  return own->find({.address = address, .host = {}, .info = {}});
}

daemon::Journal LoopContext::journal_of(const Endpoint& client, std::uint64_t session, std::string_view listener) {
  client_text = write(client.address);
  char* const end = session_text.data() + session_text.size();
  char* at = std::to_chars(session_text.data(), end, index).ptr;
  *at++ = '.';
  at = std::to_chars(at, end, session).ptr;
  return daemon::Journal(client_text.view(), {session_text.data(), static_cast<std::size_t>(at - session_text.data())},
                         voice, listener);
}

}  // namespace postern::listener
