// One client on a loop, from accept to close: the shell of a conversation, in turns that never wait.
// in      readiness of its socket, its deadlines, jobs that are done
// out     replies, gathered and sent when a turn ends; jobs for what waits (client_work.hpp)
// turn    one read at most, then the others have theirs; what is not read stays with the kernel, and so with the client
// memory  at rest: this object (816 octets), and OpenSSL's inside TLS. A workspace, a message, unread and unsent octets
//         only while there are any; unsent octets stop reading, so they are few
// lives   LoopContext::connections owns it, until the session and its jobs are over
// errors  lines of the log, one each; a client never sees more than a reply of the spec. Lack of memory is
//         `exhausted`, `no_room` at DATA, or the outcome `unknowable`, `broken` or `deferred` of the work that needed it
// source  engine/conversation.hpp; RFC 5321 4.5.3.2; RFC 2920 3.2; RFC 3207 4.2; deviations D16, D22 to D24
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <string_view>

#include "server/client/client.hpp"
#include "server/client/client_talk.hpp"
#include "server/client/client_work.hpp"
#include "server/client/closing.hpp"
#include "server/client/opening.hpp"
#include "server/loop_context.hpp"

namespace postern::server {

class Connection final : public loop::Watcher, public loop::Timer {
 public:
  Connection(LoopContext& context, base::Endpoint remote, ListenerRef listener);
  ~Connection() override { --context().open_connections; }

  // Once LoopContext::connections has it.
  void open(base::Descriptor socket);
  void move_to(std::uint32_t place) { place_ = place; }
  void on_ready(std::uint32_t events) override;
  void on_time() override;
  // The server ends: at once when nothing is in hand, with what is in hand otherwise.
  void shut_down();

 private:
  friend class ClassJob;
  friend class ClientMessage;
  friend class ClientName;
  friend class ClientPolicy;
  friend class ClientProbe;
  friend class ClientWork;
  friend class DnsLists;
  friend class DomainLists;
  friend class InquiryJob;
  friend class StoreJobOfClient;

  enum class Phase : std::uint8_t { opening, talking, closing, over };

  // Every entry is a turn: at its end replies leave, storage goes back, and a session that is over goes. Memory that is
  // not to be had ends this session alone.
  template <typename Work>
  void in_turn(Work work) {
    context().turn.give_to(work_);
    try {
      talk_.borrow_workspace();
      work();
      end_turn();
    } catch (const std::bad_alloc&) {
      run_out_of_memory();
    }
  }
  // A job has come back; the turn goes on with what it had stopped.
  template <typename Work>
  void job_done(Work work) {
    --jobs_;
    if (phase_ == Phase::over) return leave_if_unused();
    in_turn([&] {
      work();
      end_with_server();
      talk_.resume();
      go_on();
    });
  }

  void advance();
  void take_time();
  void obey(const OpeningWant& want);
  void go_on();
  void shake_hands();
  void end_with_server();
  void end_turn();
  void lose_client();
  void close_gracefully();
  void arm();
  void die(std::string_view how);
  void leave_if_unused();
  void run_out_of_memory();
  void say_exhausted();
  [[nodiscard]] LoopContext& context() const { return client_.context; }
  [[nodiscard]] bool waits_for_job() const;
  [[nodiscard]] bool has_job_in_hand() const;
  [[nodiscard]] bool is_in_handshake();

  static constexpr std::uint32_t nowhere = UINT32_MAX;

  Client client_;
  ClientTalk talk_;
  ClientWork work_{*this};
  std::uint32_t place_ = nowhere;  // in LoopContext::connections
  std::uint32_t jobs_ = 0;         // that will come back here
  engine::Ticket awaited_{};       // of the question that a job is out for
  Opening opening_;
  Closing closing_;
  Phase phase_ = Phase::opening;
  bool is_queued_ = false;  // Loop::again has it
};

}  // namespace postern::server
