// What a shell lends a conversation for one call: room for replies, a place for mail data, an ear for each decision.
// in      replies, whole and in order; mail data of the message that was begun last; a Note for each decision
// limits  has_room() says whether a reply fits, whichever it is; where none does, the conversation wants room and does
//         nothing, so that no reply waits anywhere else
// lives   the views that note() and keep() get die with the next call on the conversation
// rule    note(), keep() and drop() may look at the session; they call nothing of the conversation, whose turn it is, and
//         throw nothing
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "engine/session.hpp"
#include "engine/time.hpp"

namespace postern::engine {

// One decision, at the moment it is taken: the log, the counters and the laws read it alike.
struct Note {
  const Step& step;        // event, rule, code, effect, reply
  const Session& session;  // after it
  Interval waited{};       // for the answer that is decided on
};

class Output {
 public:
  explicit Output(std::span<char> room) : room_(room) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  [[nodiscard]] bool has_room() const { return room_.size() - used_ >= ReplyWriter::most_octets; }
  [[nodiscard]] std::string_view replies() const { return {room_.data(), used_}; }
  // Nothing of what it holds is said again.
  void clear() { used_ = 0; }
  // Only where there is room.
  void append(std::string_view reply) { used_ += reply.copy(room_.data() + used_, room_.size() - used_); }

  virtual void note(const Note& note) = 0;
  // Where mail data is decoded next: at least so many octets; what is kept of them lies there still. `scratch` has as many.
  [[nodiscard]] virtual std::span<char> room_for_mail_data(std::size_t, std::span<char> scratch) { return scratch; }
  virtual void keep(std::string_view mail_data) = 0;
  // The message that was begun last is given up, if there is one still.
  virtual void drop() = 0;

 protected:
  ~Output() = default;

 private:
  std::span<char> room_;
  std::size_t used_ = 0;
};

}  // namespace postern::engine
