#include "deliver/maildir/message.hpp"

#include <string.h>

#include <cerrno>

#include "deliver/received.hpp"
#include "spec/policy_row.hpp"

namespace postern::deliver {
namespace {

constexpr std::size_t buffer_octets = 64UZ * 1024;  // a small message is one write

}  // namespace

void MaildirMessage::begin(MessageId id, std::string_view received, std::string_view reverse_path) {
  abandon();
  id_ = id;
  buffer_ = std::make_unique_for_overwrite<char[]>(buffer_octets);
  append(return_path_field(reverse_path));  // RFC 5321 4.4: by the final delivery, and first
  trace_octets_ = size_;
  append(received);
}

void MaildirMessage::write(std::string_view octets) {
  filter_.pass(octets, [this](std::string_view kept) { append(kept); });
}

void MaildirMessage::append(std::string_view octets) {
  size_ += octets.size();
  if (error_ != 0 || buffer_ == nullptr) return;
  if (octets.size() > buffer_octets - buffered_) {  // what does not fit is large enough to go as it is
    flush();
    if (error_ == 0) note(file_.write(octets), "write");
    return;
  }
  buffered_ += octets.copy(buffer_.get() + buffered_, octets.size());
}

void MaildirMessage::open() {
  if (file_.is_open() || error_ != 0) return;
  folder_ = root_->open();
  create_file(folder_);
}

void MaildirMessage::flush() {
  open();
  if (error_ == 0) note(file_.write({buffer_.get(), buffered_}), "write");
  buffered_ = 0;
}

void MaildirMessage::complete(const base::Descriptor& folder) {
  filter_.finish([this](std::string_view kept) { append(kept); });
  if (error_ == 0 && !file_.is_open()) create_file(folder);
  if (error_ == 0) note(file_.write({buffer_.get(), buffered_}), "write");
  buffered_ = 0;
}

void MaildirMessage::create_file(const base::Descriptor& folder) {
  note(folder.is_open() ? file_.create(folder, root_->unique_name()) : errno, "new file");
}

void MaildirMessage::note(int error, std::string_view where) {
  if (error == 0 || error_ != 0) return;
  error_ = error;
  where_ = where;
  file_.discard();
}

Outcome MaildirMessage::outcome() const {
  if (error_ == 0) return {Outcome::Result::accepted, id_.verdict()};
  const bool is_full = error_ == ENOSPC || error_ == EDQUOT;
  const char* symbol = ::strerrorname_np(error_);
  return {Outcome::Result::deferred,
          std::string(spec::text_of(is_full ? spec::HandOverText::disk_full : spec::HandOverText::cannot_store)),
          std::string(symbol != nullptr ? symbol : "error") + ": " + where_};
}

void MaildirMessage::abandon() {
  file_.discard();
  folder_.close();
  buffer_.reset();
  buffered_ = 0;
  size_ = 0;
  filter_ = {};
  error_ = 0;
  where_.clear();
}

}  // namespace postern::deliver
