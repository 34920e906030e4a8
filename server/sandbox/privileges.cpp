#include "server/sandbox/privileges.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

namespace postern::server {
namespace {

using Result = std::expected<void, std::string>;

std::unexpected<std::string> trouble(std::string sentence) { return std::unexpected(std::move(sentence)); }

std::string why(int error) { return std::string(": ") + ::strerror(error); }

std::optional<std::uint32_t> as_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view take_name(std::string_view& text) {
  const std::size_t end = std::min(text.find(':'), text.size());
  const std::string_view name = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return name;
}

bool has(const std::vector<gid_t>& groups, gid_t group) { return std::ranges::find(groups, group) != groups.end(); }

Result add_group(Account& account, std::string_view name) {
  std::optional<gid_t> group = as_number(name);
  if (!group) {
    if (const auto* entry = ::getgrnam(std::string(name).c_str())) group = entry->gr_gid;
  }
  if (!group) return trouble("no group \"" + std::string(name) + "\": create it, or name another after the user");
  if (*group == 0) return trouble("group \"" + std::string(name) + "\" is root's: name a group of its own");
  if (!has(account.groups, *group)) account.groups.push_back(*group);
  return {};
}

// Sets the user, and the primary group when the database has one.
Result set_user(Account& account, std::string_view name) {
  const std::optional<uid_t> number = as_number(name);
  const passwd* entry = number ? ::getpwuid(*number) : ::getpwnam(std::string(name).c_str());
  if (entry == nullptr && !number)
    return trouble("no user \"" + std::string(name) + "\": create it (useradd --system), or name another");
  account.user = entry != nullptr ? entry->pw_uid : number.value_or(0);
  if (account.user == 0) return trouble("user \"" + std::string(name) + "\" is root: name a user of its own");
  if (account.name.contains(':')) return {};
  if (entry == nullptr)
    return trouble("user " + std::string(name) +
                   " is not in the user database: write a group after it, as in 1000:1000");
  return add_group(account, std::to_string(entry->pw_gid));
}

std::vector<gid_t> sorted(std::vector<gid_t> groups) {
  std::ranges::sort(groups);
  return groups;
}

std::vector<gid_t> current_groups() {
  const int count = ::getgroups(0, nullptr);
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(count, 0)));
  if (::getgroups(count, groups.data()) != count) groups.clear();
  return groups;
}

bool has_ids_of(const Account& account) {
  std::array<uid_t, 3> users{};
  std::array<gid_t, 3> groups{};
  if (::getresuid(&users[0], &users[1], &users[2]) != 0 || ::getresgid(&groups[0], &groups[1], &groups[2]) != 0)
    return false;
  return std::ranges::all_of(users, [&](uid_t id) { return id == account.user; }) &&
         std::ranges::all_of(groups, [&](gid_t id) { return id == account.group; });
}

// True also when the kernel does not say.
bool has_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return true;
  return std::ranges::any_of(sets, [](const auto& set) { return (set.effective | set.permitted) != 0; });
}

// What an attacker would try; each must fail.
bool can_come_back() {
  return ::setuid(0) == 0 || ::setreuid(static_cast<uid_t>(-1), 0) == 0 || ::setresuid(0, 0, 0) == 0 ||
         ::setgid(0) == 0 || ::setgroups(0, nullptr) == 0;
}

bool is_already(const Account& account) {
  const std::vector<gid_t> groups = current_groups();
  return ::geteuid() != 0 && has_ids_of(account) &&
         std::ranges::all_of(groups, [&](gid_t id) { return has(account.groups, id); });
}

std::string own_name() {
  const passwd* const entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : "user " + std::to_string(::geteuid());
}

std::string name_of_group(gid_t id) {
  const auto* const entry = ::getgrgid(id);
  return entry != nullptr ? entry->gr_name : std::to_string(id);
}

// A process that is that user already may be in groups that the file does not name.
std::string why_not(const Account& account) {
  if (!has_ids_of(account))
    return ": started as " + own_name() + "; start as root or as that user, or leave user out to serve as " +
           own_name();
  std::string groups;
  for (const gid_t id : current_groups())
    if (!has(account.groups, id)) groups += ":" + name_of_group(id);
  return ": started as that user, but also in groups that it must not have; write user = \"" + account.name +
         (account.name.contains(':') ? "" : ":" + name_of_group(account.group)) + groups + "\", or leave user out";
}

Result take_ids(const Account& account) {
  // Otherwise the kernel would let root's capabilities live on when the user changes.
  if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) return trouble("cannot give up capabilities" + why(errno));
  if (::setgroups(account.groups.size(), account.groups.data()) != 0)
    return trouble("cannot take the groups of " + account.name + why(errno));
  if (::setresgid(account.group, account.group, account.group) != 0)
    return trouble("cannot take the group of " + account.name + why(errno));
  if (::setresuid(account.user, account.user, account.user) != 0)
    return trouble("cannot become " + account.name + why(errno) + " (EAGAIN: raise its limit of processes)");
  return {};
}

}  // namespace

std::expected<Account, std::string> look_up(std::string_view user_and_groups) {
  Account account{.user = 0, .group = 0, .groups = {}, .name = std::string(user_and_groups)};
  std::string_view rest = user_and_groups;
  if (const Result done = set_user(account, take_name(rest)); !done) return std::unexpected(done.error());
  while (!rest.empty()) {
    if (const Result done = add_group(account, take_name(rest)); !done) return std::unexpected(done.error());
  }
  if (account.groups.empty() || user_and_groups.ends_with(':'))
    return trouble("\"" + account.name + "\" lacks a group after its colon: write user or user:group");
  account.group = account.groups.front();
  return account;
}

std::expected<void, std::string> change_root(const std::string& folder) {
  // First in, then down: a folder that is still open above the new root would be a way out.
  if (::chdir(folder.c_str()) != 0) return trouble("cannot enter the new root " + folder + why(errno));
  if (::chroot(".") != 0) return trouble("cannot make " + folder + " the root" + why(errno) + " (only root may)");
  if (::chdir("/") != 0) return trouble("cannot enter / of " + folder + why(errno));
  return {};
}

std::expected<void, std::string> drop_privileges(const Account& account) {
  if (is_already(account)) return {};
  if (::geteuid() != 0) return trouble("cannot become " + account.name + why_not(account));
  if (const Result done = take_ids(account); !done) return done;
  if (!has_ids_of(account) || sorted(current_groups()) != sorted(account.groups))
    return trouble("became another user than " + account.name + ": the kernel gave other ids than requested");
  if (has_capabilities() || can_come_back())
    return trouble("could return from " + account.name + " to root: start without kept capabilities (securebits)");
  return {};
}

}  // namespace postern::server
