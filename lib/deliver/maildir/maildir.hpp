// Delivers into one Maildir for each recipient: ROOT/DOMAIN/LOCAL-PART/new (config/maildir_name.hpp says how names are made).
// in      mail data; the recipients come with the envelope, so everything is written once, for all of them
// out     the same file in each mailbox, beginning with Return-Path and Received; missing mailboxes are made, mode 0700
// durable before `accepted`, in all mailboxes or in none: one message is a group of one (group.hpp)
// errors  deferred; the reply says whether the disk is full, the log has errno and mailbox
// source  RFC 5321 4.4 (Return-Path); maildir(5); https://cr.yp.to/proto/maildir.html
#pragma once

#include <string>
#include <string_view>

#include "deliver/maildir/group.hpp"
#include "deliver/maildir/message.hpp"
#include "deliver/maildir/root.hpp"
#include "deliver/outgoing_message.hpp"

namespace postern::deliver {

class Maildir final : public OutgoingMessage {
 public:
  // at_once   a message that cannot have a file is refused before it is sent
  // late      it has one when it does not fit into memory, or when it is finished
  enum class File : std::uint8_t { at_once, late };

  // The root outlives this object.
  Maildir(MaildirRoot& root, File file) : root_(root), message_(root), file_(file) {}

  std::string begin(MessageId id, std::string_view received, std::string_view reverse_path) override;
  void append(std::string_view octets) override { message_.write(octets); }
  [[nodiscard]] Outcome finish(std::string_view octets, std::string_view envelope_octets) override;
  void finish_in(MaildirGroup& group, std::string_view octets, std::string_view envelope_octets,
                 Outcome& outcome) override;
  void abandon() override { message_.abandon(); }

 private:
  MaildirRoot& root_;
  MaildirMessage message_;
  File file_;
};

}  // namespace postern::deliver
