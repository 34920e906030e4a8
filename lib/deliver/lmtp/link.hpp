// One connection to a mail cluster, greeted and ready for transactions.
// in      an address, the name that we give ourselves, timeouts; then octets to send
// out     replies, one at a time, and what the cluster offered after LHLO
// lives   from open() until it is destroyed; moved between the pool and who uses it, never shared
// bounds  no call outlasts its deadline, however slowly octets come; a reply is bounded as lmtp_reply.hpp says
// errors  LmtpTrouble; after one the connection is of no more use
// source  RFC 2033 4.1; RFC 5321 4.5.3.2; RFC 2920; RFC 1870; RFC 6152
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/child.hpp"
#include "config/lmtp_address.hpp"
#include "deliver/lmtp/reply.hpp"

namespace postern::deliver {

struct LmtpTimeouts {
  unsigned connect_seconds = 5;
  unsigned reply_seconds = 60;  // of each reply, and of each write that makes no progress
  // RFC 5321 4.5.3.2.6: of all replies after the final dot together. A client of ours waits no longer for its one
  // reply than this; what we would hear later, it would not hear any more.
  unsigned delivery_seconds = 600;
};

struct LmtpTrouble {
  enum class Kind : std::uint8_t {
    unreachable,  // no connection; errno says why
    unwilling,    // a connection, and neither 220 nor 250 after LHLO
    timed_out,
    closed,   // by the other side; errno, or 0 at end of file
    garbage,  // no reply, or none that belongs here
    unread,   // our own message could not be read back; errno
  } kind;
  int error = 0;
};
[[nodiscard]] std::string describe(LmtpTrouble trouble);

class LmtpLink {
 public:
  // Connects, hears the greeting, says LHLO.
  [[nodiscard]] static std::expected<LmtpLink, LmtpTrouble> open(const config::LmtpAddress& address,
                                                                 std::string_view host, const LmtpTimeouts& timeouts);

  [[nodiscard]] bool has_pipelining() const { return has_pipelining_; }
  [[nodiscard]] bool has_8bitmime() const { return has_8bitmime_; }
  [[nodiscard]] bool has_size() const { return has_size_; }

  // max_seconds   without any progress
  [[nodiscard]] std::optional<LmtpTrouble> send(std::string_view octets, unsigned max_seconds);
  [[nodiscard]] std::expected<LmtpReply, LmtpTrouble> receive(base::Deadline deadline);

  // Whether nothing has come that nobody asked for: neither a word nor the end. An idle connection that is not quiet
  // has died, or is about to.
  [[nodiscard]] bool is_quiet() const;
  // A last word, if it can be said without waiting.
  void quit();

 private:
  explicit LmtpLink(base::Descriptor socket) : socket_(std::move(socket)) {}

  [[nodiscard]] std::optional<LmtpTrouble> greet(std::string_view host, const LmtpTimeouts& timeouts);
  void note_offers(std::string_view lines);
  [[nodiscard]] std::expected<std::string, LmtpTrouble> receive_line(base::Deadline deadline);
  [[nodiscard]] std::optional<LmtpTrouble> read_more(base::Deadline deadline);
  [[nodiscard]] bool wait(short events, base::Deadline deadline) const;

  base::Descriptor socket_;
  std::string unread_;
  bool has_pipelining_ = false, has_8bitmime_ = false, has_size_ = false;
};

}  // namespace postern::deliver
