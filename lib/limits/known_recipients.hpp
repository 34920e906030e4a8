// What a service has said of recipients, for a while: so a client that comes again asks nothing.
// in      a recipient, as the service is asked about it, the present, and what was said: recipient_ours or recipient_unknown
// out     find(): what was said, until its time is over: spec::known_recipient_seconds, or unknown_recipient_seconds
// harm    a collision would answer for another recipient, so a mark is SipHash-2-4 of 128 bits under a random key. Without a key from
//         the kernel nothing is remembered
// bounds  max_entries of 32 octets, taken with the first answer; without memory for them nothing is remembered. Eight of them share a
//         place: of these the one that would end first gives way, so that unknown recipients, which anybody can invent, push out
//         known ones last
// threads any number; none holds the lock for longer than it looks at one place, but the one that takes the memory
// source  docs/decisions/0021-ask-the-mail-cluster.md, 0024-ask-dovecot.md
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/sip_hash.hpp"
#include "spec/limits.hpp"
#include "spec/policy_row.hpp"

namespace postern::limits {

// Whether a service knows a recipient: recipient_ours, recipient_unknown, or recipient_unknowable.
struct RecipientStanding {
  spec::Event event = spec::Event::recipient_unknowable;
  std::string trouble{};  // why it is unknowable, for the log
  std::string
      words{};  // by which it is unknown, for the log: printable; none: it gave none, or they are not remembered
  bool is_deferred = false;  // by the service, in its own words: it is not known for now

  [[nodiscard]] bool is_known() const { return event != spec::Event::recipient_unknowable; }
};

class KnownRecipients {
 public:
  using Mark = base::SipHash::Digest;

  explicit KnownRecipients(std::size_t max_entries = spec::max_probe_answers);

  [[nodiscard]] Mark mark_of(std::string_view name) const;
  [[nodiscard]] std::optional<spec::Event> find(const Mark& mark, base::Time now) const;
  // Anything else than these two is not kept.
  void keep(const Mark& mark, spec::Event said, base::Time now);

 private:
  struct Entry {
    Mark mark{};
    base::Time until{};  // of an empty one the beginning of time
    spec::Event said = spec::Event::recipient_unknowable;
  };
  using Place = std::array<Entry, 8>;
  [[nodiscard]] std::size_t place_of(const Mark& mark) const { return mark[0] % places_.size(); }
  [[nodiscard]] bool has_places();

  base::SipHash::Key key_{};
  std::size_t max_places_ = 0;  // 0: there is no key
  mutable std::mutex mutex_;
  std::vector<Place> places_;  // under mutex_; empty before the first answer
};

}  // namespace postern::limits
