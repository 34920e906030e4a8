#include "deliver/maildir/group.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <new>
#include <ranges>
#include <string>

#include "config/maildir_name.hpp"
#include "deliver/envelope_paths.hpp"
#include "deliver/maildir/folders.hpp"
#include "deliver/received.hpp"

namespace postern::deliver {
namespace {

// One message on its way into its mailboxes.
struct Delivery {
  MaildirMessage* message;
  std::vector<std::string> mailboxes;
  std::vector<std::string> recipients;  // the first one of each mailbox
  std::vector<std::string> names;       // of the links made so far: the mailboxes from the first on
};

// Without mailboxes when the envelope is not whole. Each mailbox once, however often it was named.
Delivery delivery_of(const PreparedMessage& prepared, std::string_view default_domain) {
  Delivery delivery{.message = prepared.message, .mailboxes = {}, .recipients = {}, .names = {}};
  const auto paths = parse_envelope(prepared.envelope_octets);
  if (!paths) return delivery;
  std::map<std::string, std::string_view> recipient_of;
  for (const std::string_view path : paths->forward_paths)
    recipient_of.try_emplace(config::mailbox_path(path, default_domain), path);
  for (const auto& [mailbox, path] : recipient_of) {
    delivery.mailboxes.push_back(mailbox);
    const bool has_domain = path.contains('@');
    delivery.recipients.push_back(std::string(path) + (has_domain ? "" : '@' + std::string(default_domain)));
  }
  return delivery;
}

void take_back(Delivery& delivery, const MaildirFolders& folders) {
  for (std::size_t i = 0; i < delivery.names.size(); ++i) folders.take_back(delivery.mailboxes[i], delivery.names[i]);
  delivery.names.clear();
}

int link(Delivery& delivery, std::size_t index, MaildirRoot& root, MaildirFolders& folders) {
  constexpr int max_tries = 8;
  MaildirFolders::Own own;
  if (root.has_delivered_to())
    own = {delivery.message->return_path_octets(), delivered_to_field(delivery.recipients[index])};
  const std::string& mailbox = delivery.mailboxes[index];
  int error = EEXIST;  // the clock was set back
  for (int i = 0; i < max_tries && error == EEXIST; ++i) {
    std::string name = root.unique_name() + ",S=" + std::to_string(delivery.message->size() + own.text.size());
    error = folders.link(delivery.message->file(), mailbox, name, own);
    if (error == 0) delivery.names.push_back(std::move(name));
  }
  return error;
}

void link_all(Delivery& delivery, MaildirRoot& root, MaildirFolders& folders) {
  for (std::size_t i = 0; i < delivery.mailboxes.size() && delivery.message->is_sound(); ++i)
    delivery.message->note(link(delivery, i, root, folders), delivery.mailboxes[i]);
  if (!delivery.message->is_sound()) take_back(delivery, folders);
}

// A message without memory delays no other one.
void complete(const PreparedMessage& prepared, const base::Descriptor& root) try {
  prepared.message->complete(root, prepared.octets);
} catch (const std::bad_alloc&) {
  prepared.message->note(ENOMEM, "write");
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
  const base::Descriptor root = root_->open();
  const int root_error = root.is_open() ? 0 : errno;
  std::vector<Delivery> deliveries;
  for (const PreparedMessage& prepared : messages) {
    deliveries.push_back(delivery_of(prepared, root_->default_domain()));
    MaildirMessage* const message = prepared.message;
    if (!message->is_begun() || deliveries.back().mailboxes.empty()) message->note(EINVAL, "no message or no envelope");
    message->note(root_error, "new file");
    complete(prepared, root);
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

void MaildirGroup::add(const PreparedMessage& message, Outcome& outcome) {
  outcomes_.reserve(outcomes_.size() + 1);
  added_.push_back(message);
  outcomes_.push_back(&outcome);
}

void MaildirGroup::finish() {
  if (added_.empty()) return;
  std::vector<Outcome> outcomes = commit(added_);
  for (std::size_t i = 0; i < outcomes.size(); ++i) *outcomes_[i] = std::move(outcomes[i]);
}

void MaildirGroup::forget() {
  added_.clear();
  outcomes_.clear();
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

}  // namespace postern::deliver
