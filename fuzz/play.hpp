// A whole session at speed: what testing/driver.hpp does, with storage that is kept from one session to the next.
// in      SessionView; in which pieces the client's octets come, and who serves after STARTTLS
// out     Trace: each decision, and all that was said and handed over, in order; complaint() when something is wrong
// judged  at every step: the laws, the second opinion, one reply a command; the input ends at an unreadable page; what
//         the session shows lies in the input, in `scratch` or in itself; step() and report() allocate nothing (where a
//         sanitizer counts); what is to be stored is what the naive reader of RFC 5321 4.5.2 makes of the octets
// limits  most_octets of input, and what its long octets stand for
// source  engine/session.hpp; testing/judge.hpp; RFC 3207 4.2
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/session.hpp"
#include "fuzz/session_input.hpp"
#include "testing/driver.hpp"
#include "testing/guard_page.hpp"
#include "testing/judge.hpp"

namespace postern::fuzz {

inline constexpr std::size_t most_octets = std::size_t{32} * 1024;
inline constexpr std::string_view fuzz_host = "mx.example";

struct Trace {
  std::vector<testing::Decision> decisions;
  // `S` and a reply; `F`, `T` and a path with LF; `M` and a message; `X`: closes.
  std::string said;
  std::string replies;  // alone
};

class Player {
 public:
  explicit Player(const testing::Judge& judge);
  // The trace lives until the next play() with the same `after_starttls`. `model`: what is to be said and done once more;
  // then its decisions, which are judged already, are only compared.
  const Trace& play(const SessionView& view, std::size_t piece_octets, testing::AfterStarttls after_starttls,
                    const Trace* model = nullptr);
  // The first thing that was wrong since the player was made.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }

 private:
  void start(const SessionView& view);
  void play_part(std::string_view part, std::size_t piece_octets);
  void play_for_ever(std::string_view part);
  void pump();
  bool take_step();
  bool take_outcome();
  void happen(spec::Event event, std::string_view text);
  void take(const engine::Step& step, spec::Guards before);
  void change_workspace();
  void judge(const testing::Decision& decision);
  void report_late();
  void check_views(const engine::Step& step);
  void check_stored();
  void hear_message();
  void complain(std::string_view what);
  [[nodiscard]] spec::Guards guards_at_decision() const;
  [[nodiscard]] bool waits_for(spec::Event event) const;

  const testing::Judge& judge_;
  testing::GuardedOctets session_storage_;
  std::array<testing::GuardedOctets, 2> workspace_storage_;
  testing::GuardedOctets input_, scratch_;
  std::array<engine::Workspace*, 2> workspaces_;  // the first is lent to the session
  engine::Session* session_ = nullptr;
  engine::Service service_;
  const SessionView* view_ = nullptr;
  testing::AfterStarttls after_starttls_{};
  Trace whole_, cut_;
  Trace* trace_ = nullptr;
  const Trace* model_ = nullptr;
  std::string_view unread_;  // before the unreadable page
  std::string_view sent_;    // of the body: what of it is unread still
  std::string mail_data_;    // as the client sent it
  std::string message_;      // as it is stored
  std::size_t asked_ = 0;
  std::size_t late_ = 0;  // the event that comes too late next
  bool is_closed_ = false;
  std::string complaint_;
};

// The same session by the second opinion, octet by octet, in the words of Trace::said; empty when the client uses
// addresses that it does not read.
[[nodiscard]] std::string said_by_reference(const SessionView& view);

}  // namespace postern::fuzz
