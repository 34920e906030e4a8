#include "cli/ask_client.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "ask/client_listing.hpp"
#include "audit/configuration.hpp"
#include "audit/text.hpp"
#include "cli/serve_start.hpp"
#include "config/client_classes.hpp"
#include "server/sandbox/privileges.hpp"

namespace postern::cli {
namespace {

using config::ListenerSettings;
using Standing = config::ClientRule::Standing;
using spec::Event;

[[noreturn]] void refuse(const std::string& file, const std::vector<std::string>& sentences) {
  throw audit::UsageError(file + ": postern serve would not start with it: " + audit::joined(sentences, "; "));
}

std::string own_name() {
  const passwd* const entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : "user " + std::to_string(::geteuid());
}

// Roots first, then the home, then the user: as a start does.
void become_who_serves(const config::Configuration& settings, const std::string& file, MetClient& met) {
  std::expected<server::Account, std::string> account;
  if (!settings.user.empty()) account = server::look_up(settings.user);
  if (!account) refuse(file, {account.error()});
  const std::string self = own_name();
  if (!settings.chroot.empty())
    if (const auto changed = server::change_root(settings.chroot); !changed) refuse(file, {changed.error()});
  if (::chdir(settings.home.c_str()) != 0 && settings.home_must_exist)
    refuse(file, {"cannot enter the home " + settings.home + ": " + std::strerror(errno)});
  if (settings.user.empty()) {
    met.remarks.push_back("asked as " + self + ": the file names no user, so who starts the server serves");
    return;
  }
  const auto dropped = server::drop_privileges(*account);
  if (dropped) return;
  if (::geteuid() == 0) refuse(file, {dropped.error()});
  met.remarks.push_back("asked as " + self + ", not as " + settings.user +
                        ", who serves: what files, programs and sockets say may differ; ask as root, or as that user");
}

std::string in_words(const config::ClientRule& rule, const std::string& cdb) {
  if (rule.standing == Standing::unreadable) return cdb + " cannot be read";
  if (rule.standing == Standing::not_found) return "no rule of " + cdb;
  return config::class_name(cdb, rule.key) + (rule.standing == Standing::denied ? ": denied" : "");
}

void judge_entrance(MetClient& met) {
  const server::Policies& policies = *met.snapshot->policies;
  const config::ClientRules* const rules = met.snapshot->rules[met.listener].get();
  std::string key;
  const config::ClientRule rule =
      rules == nullptr ? config::ClientRule{} : rules->find({.address = met.address, .host = {}, .info = {}}, key);
  if (rules != nullptr) met.rule = in_words(rule, rules->path());
  met.first = server::event_of(rule.standing);
  const auto own = policies.find(met.listener, {});
  met.served = met.first == Event::connect_ready ? policies.find(met.listener, rule.value) : own;
  const server::Listing* const listing =
      met.first == Event::connect_ready ? server::listing_before(*met.served, met.first) : nullptr;
  if (listing != nullptr) {
    met.first = listing->event;
    met.text = listing->text;
  }
  if (met.first != Event::connect_ready) return;
  met.first = met.served->start.event;
  const config::Start& start = met.served->start;
  met.has_dns_lists = server::asks_dns_lists(policies.settings(), start, met.address);
  met.has_domain_lists =
      !server::is_exempt(policies.settings(), met.address) && ask::asks_domain_lists(start, met.address);
}

}  // namespace

std::string name_of(const ListenerSettings& listener) {
  return listener.socket_name.empty() ? std::string(base::write(listener.at).view()) : listener.socket_name;
}

std::size_t find_listener(const config::Configuration& settings, const std::string& wanted) {
  std::vector<std::string> names;
  for (const ListenerSettings& each : settings.listeners) names.push_back(name_of(each));
  const auto found = wanted.empty() ? names.begin() : std::ranges::find(names, wanted);
  if (found == names.end())
    throw audit::UsageError("--listener " + wanted + ": there is no such listener; there are " +
                            audit::joined(names, ", "));
  return static_cast<std::size_t>(found - names.begin());
}

MetClient meet_client(const std::string& file, const std::string& listener, const base::Address& address) {
  const auto start = start_of_file(file);
  if (!start) refuse(file, start.error());
  const config::Configuration& settings = start->settings;
  MetClient met{.address = address, .snapshot = {}, .dns_servers = ask::dns_servers(settings.dns), .served = {}};
  met.listener = find_listener(settings, listener);
  met.listener_name = name_of(settings.listeners[met.listener]);
  become_who_serves(settings, file, met);
  const observe::LogVoice voice{.program = "postern"};
  auto policies = server::Policies::make(settings, start->environment, voice);
  if (!policies) refuse(file, policies.error());
  met.snapshot = server::make_snapshot(std::move(*policies), nullptr, observe::Journal("none", {}, voice));
  judge_entrance(met);
  // Its class may name a list that is not read yet.
  if (auto read = server::with_lists_read_again(*met.snapshot, observe::Journal("none", {}, voice)))
    met.snapshot = std::move(read);
  return met;
}

}  // namespace postern::cli
