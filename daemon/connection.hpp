// The loop of one client: read, step, write, perform the effect.
// in      a session, a transport, and the parts that perform effects; all outlive the connection
// out     run() returns when the session has ended: ended_by_quit and has_run_out say how, lost_replies what nobody heard
// writes  replies are gathered and leave in one write, just before the connection would wait
// limits  input_octets of unread input, output_octets of replies; nothing grows
// errors  told in the log, one line each; a client never sees more than a reply of the spec. Memory that is not there is
//         the outcome `unknowable`, `broken`, `no_room` or `deferred` of the work that wanted it, or `exhausted`
// source  RFC 5321 4.5.3.2; RFC 2920 3.2; RFC 3207 4.2
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ask/credentials.hpp"
#include "ask/recipients.hpp"
#include "base/environment.hpp"
#include "config/start.hpp"
#include "daemon/transport.hpp"
#include "deliver/outgoing_message.hpp"
#include "deliver/message_id.hpp"
#include "deliver/received.hpp"
#include "engine/session.hpp"
#include "observe/journal.hpp"

namespace postern::daemon {

// How a cleartext connection becomes an encrypted one. Returns only when it could not.
class TlsStarter {
 public:
  virtual ~TlsStarter() = default;
  virtual void start_tls(engine::Counters counters) = 0;
};

struct Parts {
  Transport& transport;
  deliver::HandOver& hand_over;
  ask::Recipients& recipients;
  ask::Backend* backend;  // null: the policy never asks for one
  TlsStarter& tls;
  const config::Start& start;
  base::Environment& environment;
  const observe::Journal& journal;
};

class Connection final : private engine::Room {
 public:
  Connection(engine::Session& session, Parts parts) : session_(session), parts_(parts) {}

  // `first` is the event that opens the session: connect_* or handshake_*.
  void run(spec::Event first);
  [[nodiscard]] bool ended_by_quit() const { return ended_by_quit_; }
  // Memory ended, and the session with it.
  [[nodiscard]] bool has_run_out() const { return has_run_out_; }
  // The last ones, which could not be written.
  [[nodiscard]] std::size_t lost_replies() const { return lost_replies_; }

 private:
  [[nodiscard]] bool reserve() override;
  void run_out_of_memory();
  void serve_unread();
  void store(std::string_view data);
  void wait_for_client();
  void drop_consumed(const engine::Step& step);
  void take(engine::Step step);
  void say(const engine::Step& step);
  void queue(std::string_view reply);
  void flush();
  void start_tls();
  // Performs the effect; the outcome, where the session waits for one.
  [[nodiscard]] engine::Step perform(const engine::Step& step);
  [[nodiscard]] engine::Step check_recipient();
  [[nodiscard]] ask::CheckResult ask_backend();
  [[nodiscard]] engine::Step check_credentials();
  [[nodiscard]] std::optional<deliver::Outcome> finish_message();
  [[nodiscard]] engine::Step hand_over();
  [[nodiscard]] deliver::TraceFacts trace_facts() const;
  void abandon_message();

  static constexpr std::size_t input_octets = std::size_t{32} * 1024;
  static constexpr std::size_t output_octets = std::size_t{8} * 1024;
  static_assert(input_octets >= spec::max_auth_line_octets);

  engine::Session& session_;
  Parts parts_;
  bool is_open_ = true;
  bool ended_by_quit_ = false;
  bool has_run_out_ = false;
  bool is_receiving_ = false;  // a message has begun and is neither handed over nor abandoned
  deliver::MessageIds ids_;
  deliver::MessageId id_;  // of the message that was begun last
  std::size_t unread_begin_ = 0, unread_end_ = 0;
  std::size_t unsent_octets_ = 0, lost_replies_ = 0;
  // Made while there is memory, for when there is none.
  const deliver::Outcome no_memory_{deliver::Outcome::Result::deferred,
                                    std::string(spec::text_of(spec::HandOverText::cannot_store)), "no memory"};
  std::array<char, output_octets> output_;
  std::array<char, input_octets> input_;
  std::array<char, input_octets + 2> decoded_;
};

}  // namespace postern::daemon
