// Which files a listener serves from, and which folders and ports a sandbox must leave it.
#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "ask/valid_records.hpp"
#include "base/real_path.hpp"
#include "config/maildir_limits.hpp"
#include "config/service_address.hpp"
#include "server/policies.hpp"
#include "server/restart.hpp"
#include "spec/foreign.hpp"

namespace postern::server {
namespace {

using Use = ProfileFile::Use;
constexpr std::array<std::string_view, 12> control_files{
    "me",          "smtpgreeting", "localiphost",     "databytes", "timeoutsmtpd",    "rcpthosts", "morercpthosts.cdb",
    "badmailfrom", "badrcptto",    "validrcptto.cdb", "maxrcpt",   "tlsserverciphers"};

void add(std::vector<std::string>& paths, std::string path) {
  if (std::ranges::find(paths, path) == paths.end()) paths.push_back(std::move(path));
}

void add(std::vector<ProfileFile>& files, ProfileFile file) {
  if (std::ranges::find(files, file.path, &ProfileFile::path) == files.end()) files.push_back(std::move(file));
}

// A Maildir that may not be written in is no way out any more, but still named.
bool names_a_maildir(const ServiceProfile& served) {
  using config::HandOverKind;
  const base::Environment environment(served.pointers.data());
  return served.start.hand_over == HandOverKind::maildir ||
         (served.start.hand_over == HandOverKind::none && !served.start.hand_over_path.empty() &&
          served.start.hand_over_path == environment.value_of("POSTERN_MAILDIR"));
}

void add_reach(SandboxPaths& reach, const ServiceProfile& served) {
  const base::Environment environment(served.pointers.data());
  const std::string& path = served.start.hand_over_path;
  if (served.start.hand_over == config::HandOverKind::maildir) {
    add(reach.writable, base::real_path(path));
    for (std::string& folder : base::folders_linked_from(path)) add(reach.writable, std::move(folder));
  }
  for (const config::PolicyService& service : served.start.policy_services)
    if (const auto port = config::tcp_port(service.address.text)) reach.tcp_connect.push_back(*port);
  for (const config::FilterPlace& filter : served.start.filters)
    if (const auto port = config::tcp_port(filter.address.text)) reach.tcp_connect.push_back(*port);
  if (!served.start.filters.empty()) add(reach.writable, base::real_path(deliver::spool_folder(environment)));
  if (served.start.userdb)
    if (const auto port = config::tcp_port(served.start.userdb->text)) reach.tcp_connect.push_back(*port);
  if (served.start.hand_over != config::HandOverKind::lmtp) return;
  add(reach.writable, base::real_path(deliver::spool_folder(environment)));
  if (const auto port = config::tcp_port(path)) reach.tcp_connect.push_back(*port);
}

void add_reach(SandboxPaths& reach, const std::vector<ProfileFile>& files) {
  for (const ProfileFile& file : files)
    if (file.use != Use::written_in)
      for (std::string& folder : base::folders_that_hold(file.path)) add(reach.readable, std::move(folder));
}

}  // namespace

std::vector<ProfileFile> Policies::files_of(ClassAt at, const ServiceProfile& served) const {
  const std::string begin = place(at) + ": ";
  const config::ListenerSettings& listener = settings_.listeners[at.listener];
  const config::Start& start = served.start;
  std::vector<ProfileFile> files;
  const bool may_encrypt =
      start.settings_and_facts.has(spec::bit::SSL) || !start.settings_and_facts.has(spec::bit::DENY_TLS);
  if (may_encrypt) {
    const auto add_pair = [&](const std::string& certificate, const std::string& key, const std::string& named) {
      add(files, {.place = begin + named, .path = certificate, .use = Use::read_secret});
      if (!key.empty()) add(files, {.place = begin + named + ", its key", .path = key, .use = Use::read_secret});
    };
    add_pair(start.certificate_path, start.key_path, "TLS_SERVER_CERT");
    for (const tls::CertificateFiles& pair : listener.certificates)
      add_pair(pair.certificate, pair.key, "certificates");
  }
  if (!start.auth_cdb.empty())
    add(files, {.place = begin + "AUTH_CDB", .path = start.auth_cdb, .use = Use::read_secret});
  if (!start.valid_recipients.empty()) add(files, {.place = begin + "VALIDRCPTTO_CDB", .path = start.valid_recipients});
  if (!listener.tcprules.empty()) add(files, {.place = begin + "tcprules", .path = listener.tcprules});
  if (names_a_maildir(served))
    add(files, {.place = begin + "POSTERN_MAILDIR", .path = start.hand_over_path, .use = Use::written_in});
  const bool waits_in_a_file = start.hand_over == config::HandOverKind::lmtp ||
                               start.hand_over == config::HandOverKind::queue_program || !start.filters.empty();
  if (waits_in_a_file)
    add(files, {.place = begin + "TMPDIR",
                .path = deliver::spool_folder(base::Environment(served.pointers.data())),
                .use = Use::written_in,
                .must_be_there = true});
  return files;
}

// A file that several name is named once, where it is named first.
std::vector<ProfileFile> Policies::all_files() const {
  std::vector<ProfileFile> files = control_files_read();
  if (!settings_.file.empty()) files.insert(files.begin(), {.place = {}, .path = settings_.file});
  if (!settings_.greylist_file.empty()) files.push_back(folder_of_greylist(settings_.greylist_file));
  for (std::size_t i = 0; i < classes_.size(); ++i)
    for (const auto& [value, served] : classes_[i])
      for (ProfileFile& file : files_of({.listener = i, .value = value}, *served)) add(files, std::move(file));
  return files;
}

std::vector<ProfileFile> Policies::control_files_read() const {
  std::vector<ProfileFile> files;
  for (const std::string_view name : control_files) {
    const bool is_read = name != "rcpthosts" || settings_.domains.empty();
    if (is_read) files.push_back({.place = {}, .path = "control/" + std::string(name)});
  }
  for (const spec::ForeignRow& row : spec::foreign_rows())
    if (row.kind != spec::ForeignKind::variable)
      files.push_back({.place = {}, .path = "control/" + std::string(row.name)});
  return files;
}

SandboxPaths Policies::sandbox_paths() const {
  SandboxPaths reach{.writable = {}, .readable = system_folders(), .tcp_connect = {}, .tcp_bind = {}};
  add(reach.readable, base::real_path("."));  // the home
  if (!settings_.greylist_file.empty()) add(reach.writable, base::real_path(base::folder_of(settings_.greylist_file)));
  const std::lock_guard lock(mutex_);
  add_reach(reach, all_files());
  for (const Classes& classes : classes_)
    for (const auto& [value, served] : classes)
      if (served->is_served) add_reach(reach, *served);
  return reach;
}

std::string Policies::beyond(const SandboxPaths& entered) const {
  const std::lock_guard lock(mutex_);
  const auto is_beyond = [&](const SandboxPaths& wanted) { return beyond_reach(entered, wanted); };
  for (const ProfileFile& file : all_files()) {
    SandboxPaths of_file;
    add_reach(of_file, std::vector{file});
    if (const std::string folder = is_beyond(of_file); !folder.empty())
      return file.place + (file.place.empty() ? "" : " ") + file.path + ": the sandbox does not include " + folder;
  }
  for (std::size_t i = 0; i < classes_.size(); ++i)
    for (const auto& [value, served] : classes_[i]) {
      SandboxPaths of_class;
      if (served->is_served) add_reach(of_class, *served);
      if (const std::string what = is_beyond(of_class); !what.empty())
        return sentence({.listener = i, .value = value}, "the sandbox does not include " + what);
    }
  return {};
}

ask::RecipientLists::Paths Policies::valid_recipients() const {
  ask::RecipientLists::Paths paths;
  const std::lock_guard lock(mutex_);
  for (const Classes& classes : classes_)
    for (const auto& [value, served] : classes) paths.insert(served->start.valid_recipients);
  return paths;
}

void Policies::judge_valid_recipients() {
  std::string domains;
  for (const std::string& domain : settings_.domains) domains += domain + '\n';
  ask::RcptHosts ours = domains.empty() ? ask::RcptHosts() : ask::RcptHosts(std::move(domains));
  ours.read();
  for (const std::string& path : valid_recipients())
    std::ranges::move(ask::judge_valid_records(path, ours), std::back_inserter(list_warnings_));
}

bool Policies::has(bool (*wanted)(const config::Start&)) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(classes_, [&](const Classes& classes) {
    return std::ranges::any_of(classes, [&](const auto& each) { return wanted(each.second->start); });
  });
}

bool Policies::has_dns_lists() const { return has(config::has_dns_lists); }

std::string Policies::warning_of_greylist() const {
  const bool is_asked = has([](const config::Start& start) { return start.greylist_seconds != 0; });
  if (is_asked && settings_.greylist_file.empty())
    return "GREYLIST without greylist_file: a restart forgets whom the greylist knows, and all of them are deferred "
           "once more; name a file in [server]";
  if (!is_asked && !settings_.greylist_file.empty())
    return "greylist_file has no effect: no listener and no class sets GREYLIST";
  return {};
}

// What is read without a class that names it.
void Policies::watch_fixed_files() const {
  if (!settings_.file.empty()) watch_->watch(settings_.file, settings_.file_state);
  if (!settings_.shadow.empty()) watch_->watch(settings_.shadow);
  for (const ProfileFile& file : control_files_read()) watch_->watch(file.path);
  for (const config::ListenerSettings& each : settings_.listeners)
    if (!each.tcprules.empty()) watch_->watch(each.tcprules);
}

// Whether any of them was not watched before. A folder in which mail is written changes with the mail: it is watched until it is
// there.
bool Policies::watch(const std::vector<ProfileFile>& files, const std::string& read_live) const {
  bool is_new = !read_live.empty() && watch_->watch_name(read_live);
  for (const ProfileFile& file : files) {
    if (file.path == read_live || (file.use == Use::written_in && config::is_usable_maildir_root(file.path))) continue;
    is_new = watch_->watch(file.path) || is_new;
  }
  return is_new;
}

std::vector<tls::CertificateEnd> Policies::certificate_ends() const {
  std::vector<tls::CertificateEnd> ends;
  const std::lock_guard lock(mutex_);
  for (const Classes& classes : classes_) {
    for (const auto& [value, served] : classes) {
      if (served->certificates == nullptr) continue;
      for (const tls::TlsContext& each : served->certificates->all()) {
        const auto [begins, until] = each.validity();
        tls::CertificateEnd end{.file = each.certificate_path(), .begins_seconds = begins, .ends_seconds = until};
        const auto known = std::ranges::find(ends, end.file, &tls::CertificateEnd::file);
        if (known == ends.end())
          ends.push_back(std::move(end));
        else if (end.ends_seconds < known->ends_seconds)  // a class that was judged before the file was renewed
          *known = std::move(end);
      }
    }
  }
  return ends;
}

}  // namespace postern::server
