// What all messages to one mail cluster share: its address, what was taken, what it said of recipients, and the idle connection of a
// caller that waits.
// in      settings; a transaction
// out     what became of it, over a connection that is used again
// again   an idle connection that turns out to be dead (an end, or 421 to MAIL) is replaced by a new one, once
// bounds  one connection, no older than idle_seconds since its last use; no call outlasts its deadline
// threads settings(), taken() and known() are for any thread, the connection for one
// errors  in the LmtpResult
// source  RFC 2033 4.1; RFC 5321 4.1.1.10 (QUIT)
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "deliver/lmtp/link.hpp"
#include "deliver/lmtp/taken.hpp"
#include "limits/known_recipients.hpp"

namespace postern::deliver {

struct LmtpSettings {
  base::SocketAddress address;
  std::string host;                  // ours, for LHLO
  std::string default_domain;        // of a recipient without a domain: control/me
  std::string file_folder = "/tmp";  // where a message waits that is too large for memory
  bool opens_file_at_once = false;   // before the message is known to need it, so that its lack is known at DATA
  LmtpTimeouts timeouts{};
  unsigned idle_seconds = 30;
  std::size_t max_taken = 4096;
  unsigned taken_seconds = 24 * 60 * 60;  // clients try again for days, and most of them within hours
};

// No command may have one.
[[nodiscard]] bool has_control_octet(std::string_view path);
// A recipient as RCPT names it: with a domain. Empty: there is none, or it has a control octet.
[[nodiscard]] std::string forward_path_of(const LmtpSettings& settings, std::string_view recipient);

class LmtpCluster {
 public:
  explicit LmtpCluster(LmtpSettings settings)
      : settings_(std::move(settings)), taken_(settings_.max_taken, settings_.taken_seconds) {}
  LmtpCluster(const LmtpCluster&) = delete;
  LmtpCluster& operator=(const LmtpCluster&) = delete;
  ~LmtpCluster();

  [[nodiscard]] const LmtpSettings& settings() const { return settings_; }
  [[nodiscard]] LmtpTaken& taken() { return taken_; }
  [[nodiscard]] limits::KnownRecipients& known() { return known_; }

  // Waits for it.
  [[nodiscard]] LmtpResult transact(const LmtpMail& mail, base::Deadline end);

 private:
  // None when there is none that lives.
  [[nodiscard]] std::optional<LmtpLink> take();
  void give_back(LmtpLink link);

  struct Idle {
    LmtpLink link;
    base::Deadline until;
  };

  LmtpSettings settings_;
  LmtpTaken taken_;
  limits::KnownRecipients known_;
  std::optional<Idle> idle_;
};

}  // namespace postern::deliver
