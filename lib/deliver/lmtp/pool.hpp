// What all threads that hand mail over to one mail cluster share: its address, idle connections, what was taken.
// in      settings; connections that are between two transactions
// out     such a connection again, the one used last first; it was quiet a moment ago and may die all the same
// bounds  max_idle connections, none older than idle_seconds since its last use; more and older ones are closed
// threads any number, each with its own Lmtp
// source  RFC 2033 4.1; RFC 5321 4.1.1.10 (QUIT)
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "deliver/lmtp/link.hpp"
#include "deliver/lmtp/taken.hpp"

namespace postern::deliver {

struct LmtpSettings {
  base::SocketAddress address;
  std::string host;                  // ours, for LHLO
  std::string default_domain;        // of a recipient without a domain: control/me
  std::string file_folder = "/tmp";  // where a message waits that is too large for memory
  bool opens_file_at_once = false;  // before it is known whether the message wants it, so that its lack is told at DATA
  LmtpTimeouts timeouts{};
  std::size_t max_idle = 8;
  unsigned idle_seconds = 30;
  std::size_t max_taken = 4096;
  unsigned taken_seconds = 24 * 60 * 60;  // clients try again for days, and most of them within hours
};

class LmtpPool {
 public:
  explicit LmtpPool(LmtpSettings settings)
      : settings_(std::move(settings)), taken_(settings_.max_taken, settings_.taken_seconds) {}
  LmtpPool(const LmtpPool&) = delete;
  LmtpPool& operator=(const LmtpPool&) = delete;
  ~LmtpPool();

  [[nodiscard]] const LmtpSettings& settings() const { return settings_; }
  [[nodiscard]] LmtpTaken& taken() { return taken_; }

  // None when there is none that lives.
  [[nodiscard]] std::optional<LmtpLink> take();
  void give_back(LmtpLink link);
  // take and give_back do it too; a timer may, where there can be long silence.
  void close_old();
  [[nodiscard]] std::size_t idle() const;

 private:
  struct Idle {
    LmtpLink link;
    base::Deadline until;
  };

  void drop_old();

  LmtpSettings settings_;
  LmtpTaken taken_;
  mutable std::mutex mutex_;
  std::vector<Idle> idle_;  // the oldest first
};

}  // namespace postern::deliver
