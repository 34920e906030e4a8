// Delivers into one Maildir for each recipient: ROOT/DOMAIN/LOCAL-PART/new (maildir_name.hpp says how names are made).
// in      mail data; the recipients come with the envelope, so everything is written once, whoever they are
// out     the same file in each mailbox, beginning with Return-Path and Received; missing mailboxes are made, mode 0700
// durable before `accepted`: file synced, then linked into every new/, then every new/ synced, and every folder
//         in which a folder was made. (That another process is just making the same mailbox is left to the journal.)
// whole   all mailboxes or none: when one fails, the links made so far are taken back (a reader may have seen them)
// shared  recipients of one message share an inode: readers may unlink and rename theirs, and never write into it
// errors  deferred; the client hears whether the disk is full, the log hears errno and mailbox
// source  RFC 5321 4.4 (Return-Path); maildir(5); https://cr.yp.to/proto/maildir.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/child.hpp"
#include "daemon/hand_over.hpp"
#include "daemon/mail_file.hpp"

namespace postern::daemon {

struct MaildirSettings {
  std::string root;            // POSTERN_MAILDIR
  std::string host;            // ours, for unique file names
  std::string default_domain;  // of a recipient without a domain: control/me
};

class Maildir final : public HandOver {
 public:
  explicit Maildir(MaildirSettings settings) : settings_(std::move(settings)) {}
  ~Maildir() override { abandon(); }

  // Whether mail could be written there; asked at start, so that a mistyped root is found before a client finds it.
  [[nodiscard]] static bool usable(const std::string& root);

  void begin(std::string_view received, std::string_view reverse_path) override;
  void write(std::string_view octets) override;
  [[nodiscard]] Outcome finish(std::string_view envelope_octets) override;
  void abandon() override;

 private:
  struct Delivery {
    std::string mailbox;  // below the root
    std::string name;     // in its new/
    Descriptor folder;    // new/; may be closed to save descriptors
  };

  void flush();
  void note(int error, std::string_view where);
  [[nodiscard]] int create_file();
  [[nodiscard]] std::vector<Delivery> deliveries_to(std::string_view envelope_octets) const;
  void deliver(std::vector<Delivery>& deliveries);
  [[nodiscard]] int link(Delivery& delivery);
  [[nodiscard]] int open_folder(Delivery& delivery);
  void sync_folders(std::vector<Delivery>& deliveries);
  void take_back(const std::vector<Delivery>& deliveries) const;
  [[nodiscard]] std::string unique_name();
  [[nodiscard]] Outcome outcome() const;

  MaildirSettings settings_;
  Descriptor root_;                 // opened by the first message
  MailFile file_;                   // created when the buffer is full, at the latest by finish
  std::unique_ptr<char[]> buffer_;  // only between begin and the end of a message
  std::size_t buffered_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t counter_ = 0;  // names made so far
  int error_ = 0;              // errno of the first trouble
  std::string where_;
  std::vector<std::string> changed_;  // folders below the root in which this message made others
};

}  // namespace postern::daemon
