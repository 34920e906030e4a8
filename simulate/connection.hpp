// The shell of one simulated session: it does with each Want what a shell is to do, on a made-up loop.
// in      octets of the client, its end, its reset; outcomes; deadlines; the end of the server, of memory, new limits
// out     calls on a Watched conversation, replies on a Wire, questions to an Asker, one timer
// judged  a session that waits has a deadline
// source  engine/conversation.hpp
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "deliver/maildir/group.hpp"
#include "simulate/asker.hpp"
#include "simulate/watched.hpp"
#include "simulate/wire.hpp"

namespace postern::simulate {

class Connection {
 public:
  Connection(Stage& stage, Seat seat, Client& client, Storage& storage, const engine::Service& service);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  void open(spec::Event event);
  void act(const Entry& entry);
  [[nodiscard]] std::size_t space() const { return input_octets - unread_.size(); }
  void arrive(std::string_view octets);
  void hear_end();  // of what the client sends
  void shut_down(engine::ShutDown how);
  void set_limits();
  // No reply can be sent any more.
  void break_off();

  [[nodiscard]] bool is_closed() const { return is_closed_; }
  [[nodiscard]] bool is_open_to_client() const { return !is_closed_ && wire_.is_open(); }
  [[nodiscard]] Wire& wire() { return wire_; }
  [[nodiscard]] deliver::PreparedMessage prepared() {
    return {&watched_.message(), watched_.talk().session().envelope().octets(), storage_.piece.octets()};
  }
  void learn(const deliver::Outcome& outcome) { asker_.learn(outcome); }
  // Its message, before anything has begun to make it durable: the client has left, or a filter does not let it pass.
  enum class Leaves : std::uint8_t { with_its_client, by_a_filter };
  void leave_line(Leaves how);

 private:
  struct Timer {
    engine::Time deadline = engine::never;
    engine::Time next = engine::never;  // the timer that is ahead: it may come before the deadline
  };
  void go_on();
  void repeat();
  void feed();
  void happen(spec::Event event);
  void reset();
  void pass_time();
  void answer(engine::Ticket ticket);
  void begin_handshake();
  void shake_hands();
  void arm();
  void close();

  Stage& stage_;
  Seat seat_;
  Client& client_;
  Storage& storage_;
  Watched watched_;
  Wire wire_;
  Asker asker_;
  std::span<char> unread_;
  Timer timer_;
  bool has_news_ = false, has_handshake_ahead_ = false, is_closed_ = false;
};

}  // namespace postern::simulate
