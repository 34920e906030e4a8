#include "daemon/maildir.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ranges>

#include "daemon/envelope_paths.hpp"
#include "daemon/maildir_name.hpp"
#include "daemon/received.hpp"
#include "spec/policy_row.hpp"

namespace postern::daemon {
namespace {

constexpr std::size_t buffer_octets = 64UZ * 1024;  // a small message is one write
constexpr std::size_t max_open_folders = 16;  // of one message; a thousand recipients must not need as many descriptors
constexpr mode_t only_owner = 0700;

Descriptor open_folder_at(const Descriptor& parent, const std::string& path) {
  return Descriptor(::openat(parent.number(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

int make_folder(const Descriptor& root, const std::string& path) {
  return ::mkdirat(root.number(), path.c_str(), only_owner) == 0 || errno == EEXIST ? 0 : errno;
}

// Every folder in which something may be new is added to `changed`, also when the folder was there already: who made it
// may not have come as far as to sync it. new/ comes last: who finds it finds a whole mailbox.
int make_mailbox(const Descriptor& root, const std::string& mailbox, std::vector<std::string>& changed) {
  changed.emplace_back(".");
  for (std::size_t end = 0; end != std::string::npos;) {
    end = mailbox.find('/', end + 1);
    changed.push_back(mailbox.substr(0, end));
    if (const int error = make_folder(root, changed.back()); error != 0) return error;
  }
  for (const char* name : {"/tmp", "/cur", "/new"})
    if (const int error = make_folder(root, mailbox + name); error != 0) return error;
  return 0;
}

int sync(const Descriptor& folder) { return ::fsync(folder.number()) == 0 ? 0 : errno; }

int sync_path(const Descriptor& root, const std::string& path) {
  const Descriptor folder = open_folder_at(root, path);
  return folder.is_open() ? sync(folder) : errno;
}

// maildir(5): a slash or colon of the host would end the name, or begin its flags. A comma begins our size.
std::string sanitised(std::string_view host) {
  constexpr std::size_t max_octets = 128;
  std::string name;
  for (const char octet : host.substr(0, max_octets)) {
    if (octet == '/')
      name += "\\057";
    else if (octet == ':')
      name += "\\072";
    else
      name += octet > ' ' && octet <= '~' && octet != ',' ? octet : '?';
  }
  return name;
}

}  // namespace

bool Maildir::usable(const std::string& root) {
  const Descriptor folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.is_open() && ::faccessat(folder.number(), ".", W_OK | X_OK, AT_EACCESS) == 0;
}

void Maildir::begin(std::string_view received, std::string_view reverse_path) {
  abandon();
  buffer_ = std::make_unique_for_overwrite<char[]>(buffer_octets);
  write(return_path_field(reverse_path));  // RFC 5321 4.4: by the final delivery, and first
  write(received);
}

void Maildir::write(std::string_view octets) {
  size_ += octets.size();
  while (error_ == 0 && buffer_ != nullptr && !octets.empty()) {
    const std::size_t taken = std::min(octets.size(), buffer_octets - buffered_);
    std::ranges::copy(octets.substr(0, taken), buffer_.get() + buffered_);
    buffered_ += taken;
    octets.remove_prefix(taken);
    if (buffered_ == buffer_octets) flush();
  }
}

void Maildir::flush() {
  if (error_ == 0 && !file_.is_open()) note(create_file(), "new file");
  if (error_ == 0) note(file_.write({buffer_.get(), buffered_}), "write");
  buffered_ = 0;
}

void Maildir::note(int error, std::string_view where) {
  if (error == 0 || error_ != 0) return;
  error_ = error;
  where_ = where;
  file_.discard();  // at once: what is left of the disk is of use to others
}

int Maildir::create_file() {
  if (!root_.is_open()) root_ = Descriptor(::open(settings_.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root_.is_open()) return errno;
  return file_.create(root_, unique_name());
}

Outcome Maildir::finish(std::string_view envelope_octets) {
  std::vector<Delivery> deliveries = deliveries_to(envelope_octets);
  if (buffer_ == nullptr || deliveries.empty()) note(EINVAL, "no message or no envelope");
  if (error_ == 0) flush();
  if (error_ == 0) note(file_.sync(), "sync");
  if (error_ == 0) deliver(deliveries);
  Outcome result = outcome();
  abandon();
  return result;
}

// Empty when the envelope is not whole. Each mailbox once, however often it was named.
std::vector<Maildir::Delivery> Maildir::deliveries_to(std::string_view envelope_octets) const {
  const auto envelope = parse_envelope(envelope_octets);
  if (!envelope) return {};
  std::vector<Delivery> deliveries;
  for (const std::string_view forward_path : envelope->forward_paths)
    deliveries.push_back({.mailbox = mailbox_path(forward_path, settings_.default_domain), .name = {}, .folder = {}});
  std::ranges::sort(deliveries, {}, &Delivery::mailbox);
  const auto repeated = std::ranges::unique(deliveries, {}, &Delivery::mailbox);
  deliveries.erase(repeated.begin(), repeated.end());
  return deliveries;
}

// First all links, which are quick, then all syncs: the moment in which some have it and some do not is short, and the
// journal carries most of it at once.
void Maildir::deliver(std::vector<Delivery>& deliveries) {
  for (std::size_t i = 0; i < deliveries.size() && error_ == 0; ++i) {
    note(link(deliveries[i]), deliveries[i].mailbox);
    if (i >= max_open_folders) deliveries[i].folder.close();
  }
  sync_folders(deliveries);
  if (error_ != 0) take_back(deliveries);
}

void Maildir::sync_folders(std::vector<Delivery>& deliveries) {
  std::ranges::sort(changed_);
  const auto repeated = std::ranges::unique(changed_);
  changed_.erase(repeated.begin(), repeated.end());
  for (const std::string& path : changed_)
    if (error_ == 0) note(sync_path(root_, path), path);
  for (const Delivery& delivery : deliveries) {
    if (error_ != 0) return;
    note(delivery.folder.is_open() ? sync(delivery.folder) : sync_path(root_, delivery.mailbox + "/new"),
         delivery.mailbox);
  }
}

void Maildir::take_back(const std::vector<Delivery>& deliveries) const {
  for (const Delivery& delivery : deliveries)
    if (!delivery.name.empty()) ::unlinkat(root_.number(), (delivery.mailbox + "/new/" + delivery.name).c_str(), 0);
}

// Leaves delivery.name empty unless the link was made.
int Maildir::link(Delivery& delivery) {
  if (const int error = open_folder(delivery); error != 0) return error;
  constexpr int max_tries = 8;
  int error = EEXIST;  // somebody set the clock back
  for (int i = 0; i < max_tries && error == EEXIST; ++i) {
    std::string name = unique_name() + ",S=" + std::to_string(size_);
    error = file_.link_into(delivery.folder, name);
    if (error == 0) delivery.name = std::move(name);
  }
  return error;
}

int Maildir::open_folder(Delivery& delivery) {
  const std::string path = delivery.mailbox + "/new";
  delivery.folder = open_folder_at(root_, path);
  if (!delivery.folder.is_open() && errno == ENOENT) {
    if (const int error = make_mailbox(root_, delivery.mailbox, changed_); error != 0) return error;
    delivery.folder = open_folder_at(root_, path);
  }
  return delivery.folder.is_open() ? 0 : errno;
}

// maildir(5): time, then what is unique in that second. The thread stands for the process: it is the process where
// there is only one, and two threads never share it.
std::string Maildir::unique_name() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::to_string(now.tv_sec) + ".M" + std::to_string(now.tv_nsec / 1000) + 'P' + std::to_string(::gettid()) +
         'Q' + std::to_string(++counter_) + '.' + sanitised(settings_.host);
}

Outcome Maildir::outcome() const {
  // "qp" and the number in the file's name after P: what the log says finds the file.
  if (error_ == 0)
    return {Outcome::Result::accepted, std::to_string(::time(nullptr)) + " qp " + std::to_string(::gettid())};
  const bool is_full = error_ == ENOSPC || error_ == EDQUOT;
  const char* symbol = ::strerrorname_np(error_);
  return {Outcome::Result::deferred,
          std::string(spec::text_of(is_full ? spec::HandOverText::disk_full : spec::HandOverText::cannot_store)),
          std::string(symbol != nullptr ? symbol : "error") + ": " + where_};
}

void Maildir::abandon() {
  file_.discard();
  buffer_.reset();
  buffered_ = 0;
  size_ = 0;
  error_ = 0;
  where_.clear();
  changed_.clear();
}

}  // namespace postern::daemon
