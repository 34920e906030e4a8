// Recipients that have taken a message for which the client got 451: when it sends it again, they do not get it twice.
// why     a mail cluster answers for each recipient (RFC 2033 4.2), a client of ours gets one reply. When some took it
//         and one did not for now, 451 is the only reply that loses nothing, and the client sends to all again
// in      marks: a hash of message (without our Received), reverse-path and forward-path
// out     has(): taken before, and not yet answered for. Once the client gets 250 or 554 the marks are dropped, so
//         a mark spares a recipient exactly what the client believes it has not sent
// harm    a collision would be lost mail, so the hash is SipHash-2-4 of 128 bits under a random key: nobody can make
//         two messages collide without the key, and by chance one meets one of 4,096 marks with 2^-116.
//         A client that sends on purpose what another is going to send has delivered exactly that to that recipient
// bounds  max_entries marks of 24 octets, the oldest give way; each for max_seconds. In memory: a restart forgets, and
//         then, as with any mark lost, a message comes twice. Without a key from the kernel nothing is remembered
// threads any number
// source  RFC 2033 4.2; RFC 5321 4.5.4.1 (when clients try again), 6.1
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/child.hpp"
#include "base/sip_hash.hpp"

namespace postern::deliver {

class LmtpTaken {
 public:
  using Mark = base::SipHash::Digest;

  LmtpTaken(std::size_t max_entries, unsigned max_seconds);

  // Of the message; mark_of() goes on from there.
  [[nodiscard]] base::SipHash begin() const { return base::SipHash(key_); }
  [[nodiscard]] static Mark mark_of(base::SipHash message, std::string_view reverse_path,
                                    std::string_view forward_path);

  [[nodiscard]] bool has(const Mark& mark) const;
  void remember(std::span<const Mark> marks);
  void forget(std::span<const Mark> marks);

 private:
  struct Entry {
    Mark mark;
    base::Deadline until;
  };

  std::size_t max_entries_;
  unsigned max_seconds_;
  base::SipHash::Key key_{};
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;  // the oldest first
};

}  // namespace postern::deliver
