#include "daemon/maildir_group.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <ranges>
#include <string>

#include "daemon/maildir_folders.hpp"
#include "daemon/maildir_name.hpp"

namespace postern::daemon {
namespace {

// One message on its way into its mailboxes.
struct Delivery {
  MaildirMessage* message;
  std::vector<std::string> mailboxes;
  std::vector<std::string> names;  // of the links made so far: the mailboxes from the first on
};

// Takes KIND path NUL off the front; nothing when something else stands there.
std::optional<std::string_view> take_path(std::string_view& octets, char kind) {
  const std::size_t end = octets.find('\0');
  if (!octets.starts_with(kind) || end == std::string_view::npos) return std::nullopt;
  const std::string_view path = octets.substr(1, end - 1);
  octets.remove_prefix(end + 1);
  return path;
}

// Empty when the envelope is not whole. Each mailbox once, however often it was named.
std::vector<std::string> mailboxes_of(std::string_view envelope_octets, std::string_view default_domain) {
  std::vector<std::string> mailboxes;
  if (!take_path(envelope_octets, 'F')) return mailboxes;
  while (const auto forward_path = take_path(envelope_octets, 'T'))
    mailboxes.push_back(mailbox_path(*forward_path, default_domain));
  if (envelope_octets != std::string_view("\0", 1)) return {};
  std::ranges::sort(mailboxes);
  const auto repeated = std::ranges::unique(mailboxes);
  mailboxes.erase(repeated.begin(), repeated.end());
  return mailboxes;
}

void take_back(Delivery& delivery, const MaildirFolders& folders) {
  for (std::size_t i = 0; i < delivery.names.size(); ++i) folders.take_back(delivery.mailboxes[i], delivery.names[i]);
  delivery.names.clear();
}

int link(Delivery& delivery, const std::string& mailbox, MaildirRoot& root, MaildirFolders& folders) {
  constexpr int max_tries = 8;
  int error = EEXIST;  // somebody set the clock back
  for (int i = 0; i < max_tries && error == EEXIST; ++i) {
    std::string name = root.unique_name() + ",S=" + std::to_string(delivery.message->size());
    error = folders.link(delivery.message->file(), mailbox, name);
    if (error == 0) delivery.names.push_back(std::move(name));
  }
  return error;
}

void link_all(Delivery& delivery, MaildirRoot& root, MaildirFolders& folders) {
  for (const std::string& mailbox : delivery.mailboxes) {
    if (!delivery.message->is_sound()) break;
    delivery.message->note(link(delivery, mailbox, root, folders), mailbox);
  }
  if (!delivery.message->is_sound()) take_back(delivery, folders);
}

void judge(Delivery& delivery, const MaildirFolders& folders) {
  for (const std::string& mailbox : delivery.mailboxes) {
    const MaildirFolders::Trouble trouble = folders.trouble(mailbox);
    delivery.message->note(trouble.error, trouble.where);
  }
  if (!delivery.message->is_sound()) take_back(delivery, folders);
}

}  // namespace

// Each step is done for all before the next one begins: the journal carries what all have written at once, and the
// moment in which some mailboxes have a message and some do not is short.
std::vector<Outcome> MaildirGroup::commit(std::span<const PreparedMessage> messages) {
  const Descriptor root = root_->open();
  const int root_error = root.is_open() ? 0 : errno;
  std::vector<Delivery> deliveries;
  for (const auto& [message, envelope_octets] : messages) {
    deliveries.push_back({message, mailboxes_of(envelope_octets, root_->default_domain()), {}});
    if (!message->is_begun() || deliveries.back().mailboxes.empty()) message->note(EINVAL, "no message or no envelope");
    message->note(root_error, "new file");
    message->complete(root);
  }
  sync_files(messages);
  MaildirFolders folders(root);
  for (Delivery& delivery : deliveries) link_all(delivery, *root_, folders);
  folders.sync(sync_);
  std::vector<Outcome> outcomes;
  for (Delivery& delivery : deliveries) {
    judge(delivery, folders);
    outcomes.push_back(delivery.message->outcome());
    delivery.message->abandon();
  }
  return outcomes;
}

void MaildirGroup::sync_files(std::span<const PreparedMessage> messages) {
  std::vector<MaildirMessage*> sound;
  std::vector<int> descriptors;
  for (const PreparedMessage& prepared : messages) {
    if (!prepared.message->is_sound()) continue;
    sound.push_back(prepared.message);
    descriptors.push_back(prepared.message->file().number());
  }
  if (sound.size() > 1)
    for (const MaildirMessage* message : sound) message->file().start_sync();
  const std::vector<int> errors = sync_.sync(descriptors);
  for (std::size_t i = 0; i < errors.size(); ++i) sound[i]->note(errors[i], "sync");
}

}  // namespace postern::daemon
