// A way out for messages: who stores or delivers them, and on which threads.
// in      a Parcel a message, on its loop: octets as they come, then the envelope
// out     StoreJob::done() on the loop, with an Outcome when the message was finished
// lives   a parcel is with its session or in one job, never both; a lane outlives its parcels
// bounds  a parcel holds at most spool_octets in memory between two jobs; a lane has a fixed number of threads, and so of
//         children and of connections to a back end
// errors  in the Outcome, as lib/deliver/outgoing_message.hpp has it: no trouble ever becomes `accepted`
// source  RFC 5321 4.2.5, 6.1; docs/decisions/0005-durable-in-groups.md
#pragma once

#include <atomic>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/environment.hpp"
#include "config/start.hpp"
#include "deliver/outgoing_message.hpp"
#include "loop/workers.hpp"

namespace postern::deliver {

inline constexpr std::size_t spool_octets = std::size_t{64} * 1024;

// Where the octets of one message go; called by one job at a time.
class Parcel {
 public:
  Parcel() = default;
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;
  virtual ~Parcel() = default;  // abandons what was not finished; leaves nothing behind

  virtual void begin(MessageId id, std::string_view received, std::string_view reverse_path) = 0;
  virtual void write(std::string_view octets) = 0;
  [[nodiscard]] virtual Outcome finish(std::string_view envelope_octets) = 0;
};

// What is to be done with one message next; begin() goes before the first octets.
class StoreJob : public loop::Job {
 public:
  enum class Goal : std::uint8_t { spool, finish, abandon };

  StoreJob(loop::Loop& loop, Goal goal);
  void run() final;
  [[nodiscard]] Goal goal() const { return goal_; }
  // Begins, and writes what there is: all of run() but what the goal asks.
  void prepare();
  // The client has left: what has not begun to be made durable is not stored. Called on the loop's thread until done().
  void withdraw() { is_withdrawn_ = true; }
  // Asked where making durable begins; then the message is forgotten, and `outcome` says so.
  [[nodiscard]] bool forget_if_withdrawn();

  std::unique_ptr<Parcel> parcel;
  bool is_begun = false;
  MessageId id;  // of begin(), like these
  std::string received, reverse_path;
  std::string octets, envelope;
  Outcome outcome;          // deferred, until there is another
  bool has_failed = false;  // memory ended in the middle of the octets: the message can only be abandoned

 private:
  Goal goal_;
  std::atomic<bool> is_withdrawn_ = false;
};

class Lane {
 public:
  Lane() = default;
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  virtual ~Lane() = default;

  // `environment` outlives the parcel: it is that of the programs that are run for this client.
  [[nodiscard]] virtual std::unique_ptr<Parcel> open(const base::Environment& environment) = 0;
  virtual void submit(std::unique_ptr<StoreJob> job) = 0;
  // Without any, nothing may be submitted.
  [[nodiscard]] virtual bool has_threads() const { return true; }
  // Every message is accepted and none is kept: no parcel is opened, and the outcome is discarded().
  [[nodiscard]] virtual bool keeps_nothing() const { return false; }
};

// Where a message waits that is too large for memory: TMPDIR, or /tmp.
[[nodiscard]] std::string spool_folder(const base::Environment& environment);

// threads   how many messages are handed over at once
[[nodiscard]] std::expected<std::shared_ptr<Lane>, std::string> make_lane(const config::Start& start,
                                                                          const base::Environment& environment,
                                                                          unsigned threads);

}  // namespace postern::deliver
