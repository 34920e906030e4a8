#include "server/snapshot.hpp"

#include <chrono>
#include <iterator>
#include <utility>

namespace postern::server {
namespace {

using Rules = std::shared_ptr<const config::ClientRules>;

std::shared_ptr<const ask::RecipientLists> read_lists(const config::Configuration& settings) {
  std::string domains;
  for (const std::string& domain : settings.domains) domains += domain + '\n';
  auto lists = domains.empty() ? std::make_shared<ask::RecipientLists>()
                               : std::make_shared<ask::RecipientLists>(std::move(domains));
  lists->read();
  return lists;
}

Rules with_path(const std::vector<Rules>& all, const std::string& path) {
  for (const Rules& each : all)
    if (each != nullptr && each->path() == path) return each;
  return nullptr;
}

// A file that was fit a moment ago, when it was judged, and is not any more: its last rules hold.
Rules read_rules(const std::string& path, const Snapshot* before, const observe::Journal& journal) {
  auto rules = std::make_shared<config::ClientRules>(path);
  if (rules->refresh(std::chrono::steady_clock::now()) != config::ClientRules::News::refused) return rules;
  journal.trouble(rules->problem());
  Rules last = before == nullptr ? nullptr : with_path(before->rules, path);
  return last != nullptr ? std::move(last) : std::move(rules);
}

}  // namespace

std::shared_ptr<const Snapshot> make_snapshot(std::shared_ptr<const Policies> policies, const Snapshot* before,
                                              const observe::Journal& journal) {
  const config::Configuration& settings = policies->settings();
  auto made = std::make_shared<Snapshot>(Snapshot{.policies = policies,
                                                  .lists = read_lists(settings),
                                                  .rules = {},
                                                  .classes = policies->known_classes(),
                                                  .begins_in_tls = {}});
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    const std::string& path = settings.listeners[i].tcprules;
    Rules rules = path.empty() ? nullptr : with_path(made->rules, path);
    if (rules == nullptr && !path.empty()) rules = read_rules(path, before, journal);
    made->rules.push_back(std::move(rules));
    made->begins_in_tls.push_back(made->classes[i].find("")->second->is_implicit_tls() ? 1 : 0);
  }
  return made;
}

std::shared_ptr<const Snapshot> with_lists_read_again(const Snapshot& before) {
  if (before.lists->unreadable() == 0) return nullptr;
  auto lists = read_lists(before.policies->settings());
  if (lists->unreadable() >= before.lists->unreadable()) return nullptr;
  auto made = std::make_shared<Snapshot>(before);
  made->lists = std::move(lists);
  return made;
}

// Where only the shelf has a snapshot, no loop can take it up any more; where it alone has the policies, no other snapshot
// does. What sessions still have of them outlives them here, and each once: two would keep each other.
void SnapshotShelf::forget_unused() {
  for (std::shared_ptr<const Snapshot>& each : snapshots_) {
    if (each.use_count() != 1) continue;
    std::vector<std::shared_ptr<const ServiceProfile>> last;
    if (each->policies.use_count() == 1)
      for (const ClassTable& classes : each->policies->known_classes())
        for (const auto& [value, served] : classes) last.push_back(served);
    served_.insert(served_.end(), last.begin(), last.end());
    each.reset();
  }
  std::erase(snapshots_, nullptr);
  std::erase_if(served_, [](const auto& served) { return served.use_count() == 1; });
}

}  // namespace postern::server
