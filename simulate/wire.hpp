// What lies between the server and one client: replies on their way, how fast the client takes them, and whether it is there.
// in      what a Watched has said; the moments at which the client takes some of it
// out     octets to the Client; patience restarts when it has taken all
#pragma once

#include <cstdint>
#include <string_view>

#include "simulate/client.hpp"
#include "simulate/watched.hpp"

namespace postern::simulate {

class Wire {
 public:
  enum class State : std::uint8_t { open, half_closed, gone };

  Wire(Stage& stage, Seat seat, Client& client, Storage& storage);

  // What the client has not taken yet is on its way to it; when it has taken all, the next replies may come.
  void flush(Watched& watched);
  void take(const Watched& watched);
  void lose_rest(Watched& watched) { watched.talk().lose(watched.replies().substr(sent_)); }
  // Until then the client must have taken the oldest of what it was sent.
  [[nodiscard]] engine::Time deadline() const;

  // The next piece of what the client has to say comes then, where none does before.
  void expect_octets(engine::Interval in);
  void close_half() { state_ = State::half_closed; }
  void cut() { state_ = State::gone; }
  [[nodiscard]] bool is_open() const { return state_ == State::open; }

 private:
  void give(std::string_view octets);
  void record(std::string_view octets);

  Stage& stage_;
  Seat seat_;
  Client& client_;
  Storage& storage_;
  State state_ = State::open;
  std::size_t sent_ = 0, seen_ = 0;  // octets of the replies: that the client took, that the wire knows of
  engine::Time began_{};             // when the oldest of the others was said
  std::uint32_t slowness_ = 0;       // milliseconds; ~0: takes nothing
  bool is_taking_ = false;           // a take() is ahead
};

}  // namespace postern::simulate
