// Watches one session from outside and knows what may not happen.
// in      decisions, the replies that they cause, mail data that was fed; the clock
// out     complaints to the Witness
// state   what is owed to the client: replies that were decided and are not yet in the output; where patience must be
// lives   with its slot: begin() is a new session
// source  testing/laws.hpp, testing/judge.hpp; RFC 5321 4.5.3.2; deviation D24
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/dialogue.hpp"
#include "engine/output.hpp"
#include "simulate/stage.hpp"
#include "testing/course.hpp"

namespace postern::simulate {

class Overseer {
 public:
  void begin(Stage& stage, std::uint32_t life, bool is_recording);
  void complain(std::string_view what) { stage_->witness.complain(life_, what); }

  void judge(const engine::Note& note);
  // Of the session that the next one continues (RFC 3207 4.2, by another process).
  void continue_from(spec::Guards before) { before_ = before; }
  // Its end needs no event.
  void break_off() { course_.break_off(); }
  void end() { complain(course_.end()); }
  [[nodiscard]] std::uint32_t decisions() const { return course_.decisions(); }
  [[nodiscard]] bool has_seen_secret() const { return has_seen_secret_; }

  // A pause is over: its reply is due.
  void owe_delayed() { owed_ += std::exchange(delayed_, {}); }
  // What a call has added to the output.
  void check_replies(std::string_view added);
  void begin_call() { owed_.clear(), has_seen_secret_ = false; }
  void forgive_replies() { is_forgiving_ = true; }

  void count_mail_data(std::size_t octets, bool is_exact);
  void note_progress() { progress_ = stage_->now; }
  // A deadline has come, and this is how the session waits after it.
  void check_patience(bool is_mail_data, bool waits);

  // As a .smtp file has it; empty where nothing is recorded.
  void record(audit::Item item);
  [[nodiscard]] bool is_recording() const { return is_recording_; }
  [[nodiscard]] const std::vector<audit::Item>& heard() const { return heard_; }

 private:
  // Mail data that came in the running window, at least and at most.
  struct Window {
    engine::Time began{};
    std::uint64_t least = 0, most = 0;
  };
  void check_end_of_server(const engine::Step& step);
  void check_too_slow(const engine::Step& step);

  Stage* stage_ = nullptr;
  std::uint32_t life_ = 0;
  std::optional<spec::Guards> before_;
  testing::Course course_;
  std::string owed_, delayed_;
  Window window_;
  engine::Time progress_{};
  std::vector<audit::Item> heard_;
  bool has_seen_secret_ = false, is_recording_ = false, is_forgiving_ = false;
};

}  // namespace postern::simulate
