#include "deliver/maildir/message.hpp"

#include <string.h>

#include <array>
#include <cerrno>

#include "base/write_all.hpp"
#include "deliver/received.hpp"
#include "spec/policy_row.hpp"

namespace postern::deliver {
namespace {

// What is written together: views, of which neighbours are one.
class Stretches {
 public:
  explicit Stretches(MailFile& file) : file_(file) {}

  void add(std::string_view octets) {
    octets_ += octets.size();
    if (count_ != 0 && all_[count_ - 1].data() + all_[count_ - 1].size() == octets.data()) {
      all_[count_ - 1] = {all_[count_ - 1].data(), all_[count_ - 1].size() + octets.size()};
      return;
    }
    if (count_ == all_.size()) error_ = write();
    all_[count_++] = octets;
  }
  // errno as a value, 0 for none
  [[nodiscard]] int write() {
    if (error_ == 0) error_ = file_.write({all_.data(), count_});
    count_ = 0;
    return error_;
  }
  [[nodiscard]] std::uint64_t octets() const { return octets_; }

 private:
  MailFile& file_;
  std::array<std::string_view, base::max_pieces> all_;
  std::size_t count_ = 0;
  std::uint64_t octets_ = 0;
  int error_ = 0;
};

}  // namespace

void MaildirMessage::begin(MessageId id, std::string_view received, std::string_view reverse_path) {
  abandon();
  id_ = id;
  head_ = return_path_field(reverse_path);  // RFC 5321 4.4: by the final delivery, and first
  trace_octets_ = head_.size();
  head_ += received;
  is_begun_ = true;
}

void MaildirMessage::write(std::string_view octets) {
  open();
  put(octets, Piece::one_of_many);
}

void MaildirMessage::put(std::string_view octets, Piece piece) {
  if (error_ != 0) return;
  Stretches kept(file_);
  kept.add(head_);
  filter_.pass(octets, [&](std::string_view each) { kept.add(each); });
  if (piece == Piece::last) filter_.finish([&](std::string_view each) { kept.add(each); });
  note(kept.write(), "write");
  size_ += kept.octets();
  head_.clear();
}

void MaildirMessage::open() {
  if (file_.is_open() || error_ != 0) return;
  folder_ = root_->open();
  create_file(folder_);
}

void MaildirMessage::complete(const base::Descriptor& folder, std::string_view octets) {
  if (error_ == 0 && !file_.is_open()) create_file(folder);
  put(octets, Piece::last);
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
  is_begun_ = false;
  head_.clear();
  size_ = 0;
  filter_ = {};
  error_ = 0;
  where_.clear();
}

}  // namespace postern::deliver
