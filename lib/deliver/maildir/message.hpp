// One message for Maildirs, as far as it needs no other: its octets, and what went wrong with them.
// in      begin, write the pieces of a message that is too large for memory; then MaildirGroup takes the last piece and
//         makes all of it durable, or abandon. Then begin again
// out     a file that no mailbox shows yet, beginning with Return-Path and Received; a Return-Path that the message
//         brought is left out of it. Each piece is one write(2), and nothing is copied
// lives   on one thread at a time, which may be another for the group; no view is kept
// errors  the first trouble is remembered and reported by the group; the reply says whether the disk is full, the log
//         has errno and where
// source  RFC 5321 4.4 (Return-Path)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/child.hpp"
#include "deliver/mail_file.hpp"
#include "deliver/maildir/root.hpp"
#include "deliver/message_id.hpp"
#include "deliver/outgoing_message.hpp"
#include "deliver/return_path_filter.hpp"

namespace postern::deliver {

class MaildirMessage {
 public:
  explicit MaildirMessage(MaildirRoot& root) : root_(&root) {}
  MaildirMessage(const MaildirMessage&) = delete;
  MaildirMessage& operator=(const MaildirMessage&) = delete;
  ~MaildirMessage() { abandon(); }

  void begin(MessageId id, std::string_view received, std::string_view reverse_path);
  // The file, now and not when it is needed: a message that cannot have one is refused before it is sent.
  void open();
  void write(std::string_view octets);
  void abandon();  // leaves no file

  // What follows is for MaildirGroup.

  // The last piece; then everything is in the file, or there is trouble. folder: the root, open until the message is abandoned.
  void complete(const base::Descriptor& folder, std::string_view octets);

  // The first one counts, and gives up the file: others need the rest of the disk. 0 is no trouble.
  void note(int error, std::string_view where);

  [[nodiscard]] bool is_begun() const { return is_begun_; }
  [[nodiscard]] bool is_sound() const { return error_ == 0; }
  [[nodiscard]] const MailFile& file() const { return file_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }  // octets
  [[nodiscard]] std::size_t return_path_octets() const { return trace_octets_; }
  [[nodiscard]] Outcome outcome() const;

 private:
  enum class Piece : std::uint8_t { one_of_many, last };

  void create_file(const base::Descriptor& folder);
  void put(std::string_view octets, Piece piece);

  MaildirRoot* root_;
  base::Descriptor folder_;  // the root, opened by a message that does not fit into memory
  MailFile file_;            // created for the first piece
  bool is_begun_ = false;
  MessageId id_;
  std::string head_;  // Return-Path and Received, until they are written
  ReturnPathFilter filter_;
  std::size_t trace_octets_ = 0;  // of our Return-Path, which goes first
  std::uint64_t size_ = 0;
  int error_ = 0;  // errno of the first trouble
  std::string where_;
};

}  // namespace postern::deliver
