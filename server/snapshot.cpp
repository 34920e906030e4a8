#include "server/snapshot.hpp"

#include <chrono>
#include <iterator>
#include <utility>

namespace postern::server {
namespace {

using Rules = std::shared_ptr<const config::ClientRules>;

using Lists = std::shared_ptr<ask::RecipientLists>;
using Paths = ask::RecipientLists::Paths;

Lists unread_lists(const Policies& policies) {
  std::string domains;
  for (const std::string& domain : policies.settings().domains) domains += domain + '\n';
  return domains.empty() ? std::make_shared<ask::RecipientLists>() : std::make_shared<ask::RecipientLists>(domains);
}

// A session is judged by the list that its class has named, also where nothing else names that any more.
Lists read_lists(const Policies& policies, const Snapshot* before, const Paths& of_sessions) {
  Lists lists = unread_lists(policies);
  lists->read(policies.valid_recipients());
  if (before == nullptr) return lists;
  lists->add(*before->lists, before->policies->valid_recipients());
  lists->add(*before->lists, of_sessions);
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

// It is a state that may be meant, and is more often an edit that went wrong: so it is told when it begins.
void warn_when_none_is_ours(const Snapshot& now, const Snapshot* before, const observe::Journal& journal) {
  const std::string_view why = now.lists->rcpthosts->why_none_is_ours();
  if (!why.empty() && (before == nullptr || before->lists->rcpthosts->why_none_is_ours() != why)) journal.warning(why);
}

// It may be meant, too; more often a file was moved to make it again, and until then each invented name gets 250.
void warn_when_all_are_valid(const Snapshot& now, const Snapshot* before, const observe::Journal& journal) {
  const bool is_asked = now.policies->valid_recipients().contains("");
  if (!is_asked || before == nullptr || before->lists->usual_valid_recipients().is_absent()) return;
  if (now.lists->usual_valid_recipients().is_absent())
    journal.warning(std::string(ask::valid_recipients_file) +
                    " is gone: without it each recipient of ours is taken, known or not; make it again with cdb -c");
}

}  // namespace

std::shared_ptr<const Snapshot> make_snapshot(std::shared_ptr<const Policies> policies, const Snapshot* before,
                                              const observe::Journal& journal, const Paths& of_sessions,
                                              std::shared_ptr<const Shadow> shadow) {
  const config::Configuration& settings = policies->settings();
  auto made = std::make_shared<Snapshot>(Snapshot{.policies = policies,
                                                  .lists = read_lists(*policies, before, of_sessions),
                                                  .rules = {},
                                                  .classes = policies->known_classes(),
                                                  .shadow = std::move(shadow)});
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    const std::string& path = settings.listeners[i].tcprules;
    Rules rules = path.empty() ? nullptr : with_path(made->rules, path);
    if (rules == nullptr && !path.empty()) rules = read_rules(path, before, journal);
    made->rules.push_back(std::move(rules));
  }
  warn_when_none_is_ours(*made, before, journal);
  warn_when_all_are_valid(*made, before, journal);
  return made;
}

std::shared_ptr<const Snapshot> with_lists_read_again(const Snapshot& before, const observe::Journal& journal,
                                                      const Paths& of_sessions, Failures failures) {
  Paths wanted = before.policies->valid_recipients();
  wanted.insert(of_sessions.begin(), of_sessions.end());
  const bool has_wanted = before.lists->has_read(wanted);
  const bool has_failures = failures == Failures::read_again && before.lists->unreadable() != 0;
  if (has_wanted && !has_failures) return nullptr;
  const Lists lists = unread_lists(*before.policies);
  lists->read_rest(*before.lists, wanted);
  if (has_wanted && lists->unreadable() == before.lists->unreadable()) return nullptr;
  auto made = std::make_shared<Snapshot>(before);
  made->lists = lists;
  warn_when_none_is_ours(*made, &before, journal);
  warn_when_all_are_valid(*made, &before, journal);
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
    profiles_.insert(profiles_.end(), last.begin(), last.end());
    each.reset();
  }
  std::erase(snapshots_, nullptr);
  std::erase_if(profiles_, [](const auto& served) { return served.use_count() == 1; });
}

Paths SnapshotShelf::valid_recipients() const {
  Paths paths;
  for (const std::shared_ptr<const Snapshot>& each : snapshots_) paths.merge(each->policies->valid_recipients());
  for (const std::shared_ptr<const ServiceProfile>& each : profiles_) paths.insert(each->start.valid_recipients);
  return paths;
}

}  // namespace postern::server
