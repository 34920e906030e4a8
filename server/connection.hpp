// One client on a loop, from accept to close: the driver of daemon/connection.hpp, in turns that never wait.
// in      readiness of its socket, its deadlines, jobs that are done
// out     replies, gathered and sent when a turn ends; jobs for what waits
// turn    one read at most, then the others have theirs; what is not read stays with the kernel, and so with the client
// memory  at rest: this object (768 octets), and OpenSSL's inside TLS. A workspace, a parcel, unread and unsent
//         octets only while there are any; unsent octets stop reading, so they are few
// lives   it owns itself: LoopContext::connections lists it, and it is disposed of when the session and its job are over
// errors  told in the log, one line each; a client never sees more than a reply of the spec. Memory that is not there is
//         `exhausted`, `no_room` at DATA, or the outcome `unknowable`, `broken` or `deferred` of the work that wanted it
// source  daemon/connection.hpp; RFC 5321 4.5.3.2; RFC 2920 3.2; RFC 3207 4.2; deviations D16, D22 to D24
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "base/environment.hpp"
#include "config/tcpserver_env.hpp"
#include "deliver/outgoing_message.hpp"
#include "deliver/received.hpp"
#include "engine/session.hpp"
#include "loop/carry.hpp"
#include "loop/channel.hpp"
#include "observe/journal.hpp"
#include "server/loop_context.hpp"
#include "server/served.hpp"

namespace postern::server {

// Where a client comes to: a listener of the configuration, as one set of policies has it.
struct Door {
  std::size_t listener;  // its place in the configuration
  bool has_proxy;        // the peer is a proxy that says for whom it speaks
};

class Connection final : public loop::Watcher, public loop::Timer, private engine::Room {
 public:
  Connection(LoopContext& context, base::Endpoint remote, Door door);
  ~Connection() override;

  // Whoever calls it owns it no longer.
  void open(base::Descriptor socket);
  void on_ready(std::uint32_t events) override;
  void on_time() override;
  // The server ends: at once when nothing is in hand, with what is in hand otherwise.
  void shut_down();

  [[nodiscard]] bool has_work_in_hand() const;
  [[nodiscard]] bool is_to_end() const;

 private:
  friend class CredentialsJob;
  friend class StoreJobOfConnection;

  enum class Phase : std::uint8_t {
    proxy,      // waits for the PROXY header
    handshake,  // TLS begins
    greet,      // GREETDELAY runs
    serving,
    working,   // a job has the session
    delaying,  // a reply waits (deviation D7)
    closing,   // the last reply is on its way
    draining,  // it is sent; what still comes is thrown away, so that no reset overtakes it
    over,
  };

  // What programs and trace fields say of the client; the peer is read anew when the environment has changed.
  struct Facts {
    base::Environment environment;
    config::Peer peer;
  };

  // A message between DATA and its outcome.
  struct Message {
    MessageSlot slot;
    std::unique_ptr<deliver::Parcel> parcel;
    std::string received;  // until the first job
    std::string octets;    // that no job has taken yet
    bool is_begun = false;
    deliver::MessageId id;
    deliver::StoreJob* finishing = nullptr;  // hands it over
  };

  // opening (connection_open.cpp)
  void read_proxy_header();
  void admit();
  [[nodiscard]] limits::ClientTable::Standing standing() const;
  void begin_session(std::string_view class_value);
  void refuse(spec::Event event);
  void turn_away(spec::Event event, std::string_view text);
  void begin_handshake();
  void continue_handshake();
  void handshake_ended(spec::Event event);
  void greet();
  void greet_now(spec::Event event);
  void discard_early_input();
  void handshake_timed_out();

  // turns (connection.cpp)
  // Every entry is a turn: at its end replies leave, storage goes back, and who is over is disposed of. Memory that is not
  // to be had ends this session alone.
  template <typename Work>
  void in_turn(Work work) {
    try {
      if (session_ && workspace_ == nullptr) session().use(*context_.workspace);
      work();
      end_turn();
    } catch (const std::bad_alloc&) {
      run_out_of_memory();
    }
  }
  void run_out_of_memory();
  void say_exhausted();
  void advance();
  void take_time();
  void serve();
  [[nodiscard]] bool read_more(std::size_t& octets);
  [[nodiscard]] std::size_t process(std::span<char> unread, std::size_t carried);
  void take(engine::Step step);
  void say(const engine::Step& step);
  void append_output(std::string_view octets);
  void flush();
  [[nodiscard]] loop::Progress write_some(std::string_view& octets);
  void send_unsent();
  void watch_output(bool on);
  void lose_client();
  void count_lost(std::string_view replies);
  void say_shutting_down();
  void end_turn();
  void note_reply_time(bool has_replied);
  void settle_workspace();
  void note_progress(const engine::Step& step);
  void arm_patience();
  [[nodiscard]] base::Time window_end() const;
  void patience_is_over();
  void begin_window();
  void wait_at_most(base::Interval interval) { context_.loop.arm(*this, interval); }
  void close_gracefully();
  void drain();
  void die(std::string_view how);
  void try_to_leave();
  void leave_list();

  // effects (connection_work.cpp)
  [[nodiscard]] engine::Step perform(const engine::Step& step);
  [[nodiscard]] engine::Step check_recipient();
  void submit_credentials();
  void drop_message();
  [[nodiscard]] engine::Step check_credentials();
  void note_gates(const limits::GateChanges& changes);
  void credentials_checked(const ask::CheckResult& result, std::string_view pairs);
  [[nodiscard]] bool reserve() override;
  [[nodiscard]] std::unique_ptr<Message> make_message();
  void abandon_message();
  [[nodiscard]] engine::Step hand_over();
  [[nodiscard]] engine::Step handed_over(const deliver::Outcome& outcome, deliver::MessageId id = {});
  void store(const engine::Step& step);
  void submit(deliver::StoreJob::Goal goal);
  void stored(deliver::StoreJob& job);
  [[nodiscard]] bool is_client_gone();
  void withdraw_if_gone();
  void take_outcome(deliver::StoreJob& job);
  void take_verdict(const ask::CheckResult& result, std::string_view pairs);
  void resume(spec::Event event);
  [[nodiscard]] deliver::TraceFacts trace_facts();
  [[nodiscard]] Facts& facts();
  [[nodiscard]] base::Environment& environment() { return facts().environment; }
  [[nodiscard]] const base::Endpoint& local_end();
  [[nodiscard]] observe::Journal journal_of_decisions();  // it names the listener, too
  // There is one from begin_session() on; in the phases before it nobody asks.
  // NOLINTBEGIN(bugprone-unchecked-optional-access)
  [[nodiscard]] engine::Session& session() { return *session_; }
  [[nodiscard]] const engine::Session& session() const { return *session_; }
  // NOLINTEND(bugprone-unchecked-optional-access)

  LoopContext& context_;
  loop::Channel channel_;
  base::Endpoint remote_, local_;
  Door door_;
  Phase phase_ = Phase::proxy;
  bool is_readable_ = false;  // the kernel may have more
  bool has_hung_up_ = false;  // an end of the stream is to be read
  bool is_resumed_ = false;   // what is carried may hold whole lines
  bool is_queued_ = false;    // Loop::again has it
  bool is_listed_ = false;    // in LoopContext::connections
  bool is_admitted_ = false;  // ClientTable counts it
  bool knows_local_ = false;
  bool watches_output_ = false;
  bool ended_by_quit_ = false;
  bool is_in_line_ = false;  // half a line has come
  bool drips_ = false;       // and later more of it, but not its end
  bool starts_tls_ = false;  // once what is unsent is sent
  bool is_greeted_ = false;
  std::uint32_t place_ = 0;          // in LoopContext::connections
  std::uint32_t jobs_ = 0;           // that will come back here
  std::uint32_t lost_replies_ = 0;   // the last ones, which could not be written
  std::uint64_t number_;             // names the session in the log
  std::uint64_t window_octets_ = 0;  // of mail data since window_began_
  base::Time window_began_{}, patience_began_{}, job_began_{};
  base::Time heard_{};  // when what is to be answered came; none: nothing is
  std::shared_ptr<const Served> served_;
  std::optional<engine::Session> session_;
  std::unique_ptr<engine::Workspace> workspace_;  // null at rest
  std::unique_ptr<Message> message_;
  std::unique_ptr<Facts> facts_;
  std::string unsent_, delayed_;
  loop::Carry carry_;
};

}  // namespace postern::server
