// The conversation with one client, and the octets that come and go for it.
// in      readiness of the stream, answers, events, the end of a time limit: each for the conversation
// out     what it wants next; questions, which are asked of the client's work at once
// turn    one read at most; replies are gathered in LoopContext::turn and leave with flush()
// memory  at rest this object alone: a workspace, unread and unsent octets only while there are any
// errors  a client that has gone: is_lost(), and the replies that it did not receive are counted
// source  engine/conversation.hpp
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "engine/conversation.hpp"
#include "loop/unread_tail.hpp"
#include "server/client/client.hpp"
#include "server/client/client_work.hpp"
#include "server/client/stream.hpp"

namespace postern::server {

class ClientTalk {
 public:
  using Kind = engine::Want::Kind;

  explicit ClientTalk(LoopContext& context) : context_(context) {}

  void begin(const Client& client);
  [[nodiscard]] bool has_begun() const { return talk_.has_value(); }
  // From here on there is a conversation.
  // NOLINTBEGIN(bugprone-unchecked-optional-access)
  [[nodiscard]] engine::Conversation& conversation() { return *talk_; }
  [[nodiscard]] const engine::Conversation& conversation() const { return *talk_; }
  // NOLINTEND(bugprone-unchecked-optional-access)
  // Room there always is: what is not sent is kept.
  [[nodiscard]] Kind wants() const { return kind_; }
  [[nodiscard]] bool has_ended_by_quit() const { return talk_ && talk_->has_ended_by_quit(); }

  void happen(spec::Event event, std::string_view text = {});
  void answer(engine::Ticket ticket, const engine::Answer& answer);
  void time_passed();
  void shut_down(engine::ShutDown how);
  void run_out();

  // One read and what it brought, or what was left of it.
  void serve(ClientWork& work);
  // What is left may hold whole lines: it is fed again without a read.
  // Where memory ended and it was lost, the session cannot go on: std::bad_alloc.
  void resume();
  void send_kept();
  void flush();
  // And notes how long the client has waited for it.
  void end_turn(const ClientWork& work);
  [[nodiscard]] bool is_lost() const { return is_lost_; }
  // Nothing more is sent; replies not sent yet are lost.
  void end();

  void borrow_workspace();
  // What a job answers stands in a workspace that no other session is lent, whatever ends this turn.
  void keep_workspace();
  void settle_workspace();

  Stream stream;
  loop::UnreadTail unread_tail;

 private:
  [[nodiscard]] std::size_t feed(std::span<char> unread, ClientWork& work);
  void make_room();
  void note(const engine::Want& want) { kind_ = want.kind; }

  LoopContext& context_;
  std::optional<engine::Conversation> talk_;
  std::unique_ptr<engine::Workspace> workspace_;  // null at rest
  base::Time heard_{};                            // when what is to be answered came; none: nothing is
  Kind kind_ = Kind::opening;
  bool is_resumed_ = false;
  bool is_input_lost_ = false;
  bool is_lost_ = false;
};

[[nodiscard]] inline engine::Time engine_time(base::Time at) { return {at.time_since_epoch().count()}; }
[[nodiscard]] inline base::Interval loop_interval(engine::Interval span) {
  return std::chrono::nanoseconds(span.nanoseconds);
}

}  // namespace postern::server
