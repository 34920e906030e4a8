// The ways out of a service: queue program, Maildirs, mail cluster, or nowhere; one factory for both shells.
// in      a judged start; whether the caller waits for one client, or has threads for many
// out     an OutgoingMessage for each message; a group in which several become durable together, where there is one
// lives   a Delivery outlives its messages and groups. It belongs to one thread when the caller waits, else open() and
//         make_group() are for any thread
// bounds  what waits for its end (a message that a program or a mail cluster gets whole) is in memory up to 64 KiB, and
//         beyond that in TMPDIR
// errors  make_delivery() gives a sentence; those of a message are in its Outcome
// source  RFC 5321 4.2.5, 6.1; docs/decisions/0011-one-delivery.md
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "base/environment.hpp"
#include "config/start.hpp"
#include "deliver/lmtp/cluster.hpp"
#include "deliver/maildir/group.hpp"
#include "deliver/outgoing_message.hpp"

namespace postern::deliver {

class Delivery {
 public:
  Delivery() = default;
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;
  virtual ~Delivery() = default;

  // environment   of the programs that are run for this client; outlives the message
  [[nodiscard]] virtual std::unique_ptr<OutgoingMessage> open(const base::Environment& environment) = 0;
  // Null: each message is finished alone.
  [[nodiscard]] virtual std::unique_ptr<MaildirGroup> make_group() { return nullptr; }
  // The mail cluster that each message is for: then each is an Lmtp. Null: it is not for one.
  [[nodiscard]] virtual LmtpCluster* cluster() { return nullptr; }
  // Each message is a FilteredMessage, and what it becomes part of, or is for, is what it hands on.
  [[nodiscard]] virtual bool has_filters() const { return false; }
  // Every message is accepted and none is kept: none needs to be opened, and the outcome is discarded().
  [[nodiscard]] virtual bool keeps_nothing() const { return false; }
};

// waits     one client: a message gets what it needs when it begins, so a lack is known before the client sends
// threads   many: a message takes files, children and connections only when they are needed
enum class Caller : std::uint8_t { waits, threads };

// environment   of the process: where large messages wait (TMPDIR)
[[nodiscard]] std::expected<std::unique_ptr<Delivery>, std::string> make_delivery(const config::Start& start,
                                                                                  const base::Environment& environment,
                                                                                  Caller caller);

// Where a message waits that is too large for memory: TMPDIR, or /tmp.
[[nodiscard]] std::string spool_folder(const base::Environment& environment);

}  // namespace postern::deliver
