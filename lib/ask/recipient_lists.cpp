#include "ask/recipient_lists.hpp"

#include <algorithm>

namespace postern::ask {

namespace {

template <typename Judge>
void take_or_read(Shared<Judge>& part, const Shared<Judge>& before) {
  if (before->is_known())
    part = before;
  else
    part->read();
}

}  // namespace

void RecipientLists::read(const Paths& valid_recipients) {
  badmailfrom->read();
  badrcptto->read();
  rcpthosts->read();
  local_name_ = read_local_name();
  valid_recipients_.try_emplace("").first->second->read();
  for (const std::string& path : valid_recipients)
    if (!path.empty()) valid_recipients_.try_emplace(path, path).first->second->read();
}

void RecipientLists::read_rest(const RecipientLists& before, const Paths& valid_recipients) {
  take_or_read(badmailfrom, before.badmailfrom);
  take_or_read(badrcptto, before.badrcptto);
  take_or_read(rcpthosts, before.rcpthosts);
  local_name_ = before.local_name_ ? before.local_name_ : read_local_name();
  add(before, {""});
  add(before, valid_recipients);
}

void RecipientLists::add(const RecipientLists& before, const Paths& valid_recipients) {
  for (const std::string& path : valid_recipients) {
    const auto [at, is_new] = valid_recipients_.try_emplace(path, path);
    if (!is_new) continue;
    const auto known = before.valid_recipients_.find(path);
    if (known != before.valid_recipients_.end())
      take_or_read(at->second, known->second);
    else
      at->second->read();
  }
}

std::size_t RecipientLists::unreadable() const {
  const auto unknown =
      std::ranges::count_if(valid_recipients_, [](const auto& each) { return !each.second->is_known(); });
  return std::size_t{!badmailfrom->is_known()} + std::size_t{!badrcptto->is_known()} +
         std::size_t{!rcpthosts->is_known()} + std::size_t{!local_name_} + static_cast<std::size_t>(unknown);
}

bool RecipientLists::has_read(const Paths& valid_recipients) const {
  const bool has_all = std::ranges::all_of(
      valid_recipients, [this](const std::string& path) { return valid_recipients_.contains(path); });
  return has_all && std::ranges::all_of(valid_recipients_, [&](const auto& each) {
           return each.first.empty() || valid_recipients.contains(each.first);
         });
}

ValidRecipients::Standing RecipientLists::standing_in(std::string_view path, std::string_view address,
                                                      std::string& problem) {
  const std::string at(path);
  return valid_recipients_.try_emplace(at, at).first->second->standing_of(address, problem);
}

ValidRecipients::Standing RecipientLists::standing_in(std::string_view path, std::string_view address,
                                                      std::string& problem) const {
  const auto found = valid_recipients_.find(path);
  if (found != valid_recipients_.end()) return found->second->standing_of(address, problem);
  problem = std::string(path) + ": is not read yet";
  return ValidRecipients::Standing::unknowable;
}

config::ControlResult<std::string> RecipientLists::local_name_for(std::string_view domain,
                                                                  std::string_view local_ip) const {
  if (!is_literal_of(domain, local_ip)) return std::nullopt;
  return local_name_;
}

}  // namespace postern::ask
