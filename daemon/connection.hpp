// The loop of one client: read, step, write, perform the effect.
// in      a session, a transport, and the parts that perform effects; all outlive the connection
// out     run() returns when the session has ended: ended_by_quit says how
// writes  replies are gathered and leave in one write, just before the connection would wait
// limits  input_octets of unread input, output_octets of replies; nothing grows
// errors  told in the log, one line each; a client never sees more than a reply of the spec
// source  RFC 5321 4.5.3.2; RFC 2920 3.2; RFC 3207 4.2
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "daemon/credentials.hpp"
#include "daemon/environment.hpp"
#include "daemon/hand_over.hpp"
#include "daemon/journal.hpp"
#include "daemon/message_id.hpp"
#include "daemon/received.hpp"
#include "daemon/recipients.hpp"
#include "daemon/start.hpp"
#include "daemon/transport.hpp"
#include "engine/session.hpp"

namespace postern::daemon {

// How a cleartext connection becomes an encrypted one. Returns only when it could not.
class TlsStarter {
 public:
  virtual ~TlsStarter() = default;
  virtual void start_tls(engine::Counters counters) = 0;
};

struct Parts {
  Transport& transport;
  HandOver& hand_over;
  Recipients& recipients;
  Backend* backend;  // null: the policy never asks for one
  TlsStarter& tls;
  const Start& start;
  Environment& environment;
  const Journal& journal;
};

class Connection {
 public:
  Connection(engine::Session& session, Parts parts) : session_(session), parts_(parts) {}

  // `first` is the event that opens the session: connect_* or handshake_*.
  void run(spec::Event first);
  [[nodiscard]] bool ended_by_quit() const { return ended_by_quit_; }

 private:
  void serve_unread();
  void wait_for_client();
  void drop_consumed(const engine::Step& step);
  void take(engine::Step step);
  void say(const engine::Step& step);
  void flush();
  // Performs the effect; the outcome, where the session waits for one.
  [[nodiscard]] engine::Step perform(const engine::Step& step);
  [[nodiscard]] engine::Step check_recipient();
  [[nodiscard]] engine::Step check_credentials();
  [[nodiscard]] engine::Step hand_over();
  [[nodiscard]] TraceFacts trace_facts() const;
  void begin_message();
  void abandon_message();

  static constexpr std::size_t input_octets = std::size_t{32} * 1024;
  static constexpr std::size_t output_octets = std::size_t{8} * 1024;
  static_assert(input_octets >= spec::max_auth_line_octets);

  engine::Session& session_;
  Parts parts_;
  bool is_open_ = true;
  bool ended_by_quit_ = false;
  bool is_receiving_ = false;  // a message has begun and is neither handed over nor abandoned
  MessageIds ids_;
  MessageId id_;  // of the message that was begun last
  std::size_t unread_begin_ = 0, unread_end_ = 0;
  std::size_t unsent_octets_ = 0;
  std::array<char, output_octets> output_;
  std::array<char, input_octets> input_;
  std::array<char, input_octets + 2> decoded_;
};

}  // namespace postern::daemon
