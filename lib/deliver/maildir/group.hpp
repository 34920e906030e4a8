// Makes several messages durable together, so that they share the expensive part: the waits for the disk.
// in      messages, each with its last octets and its envelope ("Freverse-path\0Tforward-path\0...\0")
// out     an Outcome for each, in their order; the messages are as after abandon
// durable before `accepted`, in this order: every file synced, all together; each linked into the new/ of all its
//         recipients; every folder that got a link or a folder synced, all together, each once
// whole   a message is in all its mailboxes or in none: when one fails, the links made so far are taken back (a reader
//         may have seen them). A file is complete and on the disk before it has a name: no reader ever sees a part of one
// errors  of one message (no room, broken envelope, folder that cannot be made): deferred, and the others do not notice.
//         Of a folder: every message that was linked into it is deferred, the others are accepted
// shared  recipients of one message share an inode, of our user and mode 0600: readers may unlink and rename theirs, and
//         never write into it. A mailbox on another file system has a copy (mail_file.hpp)
// lives   on one thread, which it blocks for as long as the disk takes. Use one for each thread that commits:
//         while one group waits for the disk, another gathers
// source  RFC 5321 4.2.5; docs/decisions/0005-durable-in-groups.md
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "deliver/maildir/message.hpp"
#include "deliver/maildir/root.hpp"
#include "deliver/outgoing_message.hpp"
#include "deliver/sync_many.hpp"

namespace postern::deliver {

struct PreparedMessage {
  MaildirMessage* message;
  std::string_view envelope_octets;
  std::string_view octets{};  // the last piece of it
};

class MaildirGroup {
 public:
  // More than this in one commit gain little and keep the first waiting: gathering stops here.
  static constexpr std::size_t max_messages = 64;

  MaildirGroup(MaildirRoot& root, SyncMany::Way way) : root_(&root), sync_(way) {}

  [[nodiscard]] std::vector<Outcome> commit(std::span<const PreparedMessage> messages);

  // The same, one message after another: each outcome is there when finish() has returned.
  void add(const PreparedMessage& message, Outcome& outcome);
  void finish();
  void forget();  // what was added since

 private:
  void sync_files(std::span<const PreparedMessage> messages);

  MaildirRoot* root_;
  SyncMany sync_;
  std::vector<PreparedMessage> added_;
  std::vector<Outcome*> outcomes_;  // of those
};

}  // namespace postern::deliver
