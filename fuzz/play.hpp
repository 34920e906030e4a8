// A whole session at speed: what testing/driver.hpp does, with storage that is kept from one session to the next.
// in      SessionView; in which pieces the client's octets come, and what serves after STARTTLS
// out     Trace: each decision, and all that was said and handed over, in order; complaint() when something is wrong
// judged  at every step: the laws, the second opinion, one reply a command; the input ends at an unreadable page; what
//         the session shows lies in the input, in `scratch` or in itself; a conversation allocates nothing (where a
//         sanitizer counts); what is to be stored is what the naive reader of RFC 5321 4.5.2 makes of the octets
// limits  most_octets of input, and what its long octets stand for
// source  engine/conversation.hpp; testing/judge.hpp; RFC 3207 4.2
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/conversation.hpp"
#include "fuzz/session_input.hpp"
#include "testing/course.hpp"
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

class Player final : private engine::Output {
 public:
  explicit Player(const testing::Judge& judge);
  // The trace lives until the next play() with the same `after_starttls`. `model`: what is to be said and done once more;
  // then its decisions, which are judged already, are only compared.
  const Trace& play(const SessionView& view, std::size_t piece_octets, testing::AfterStarttls after_starttls,
                    const Trace* model = nullptr);
  // The first thing that was wrong since the player was made.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }

 private:
  void note(const engine::Note& note) override;
  void keep(std::string_view mail_data) override;
  void drop() override {}

  void start(const SessionView& view, std::optional<engine::Counters> counters = {});
  void play_part(std::string_view part, std::size_t piece_octets);
  void play_for_ever(std::string_view part);
  void pump();
  void feed();
  void answer();
  void happen(spec::Event event);
  template <typename Call>
  void go_on(Call call);
  void take(const engine::Step& step);
  void change_workspace();
  void judge(const testing::Decision& decision);
  void report_late();
  void change_nothing_by(spec::Event event);
  void check_views(const engine::Step& step);
  void check_stored();
  void hear_message();
  void complain(std::string_view what);
  [[nodiscard]] bool waits_for(spec::Event event) const;
  [[nodiscard]] const engine::Session& session() const { return talk_->session(); }

  const testing::Judge& judge_;
  std::array<char, engine::ReplyWriter::most_octets> reply_;  // room for one: so each decision is seen by itself
  testing::GuardedOctets talk_storage_;
  std::array<testing::GuardedOctets, 2> workspace_storage_;
  testing::GuardedOctets input_, scratch_;
  std::array<engine::Workspace*, 2> workspaces_;  // the first is lent to the session
  engine::Conversation* talk_ = nullptr;
  engine::Want want_{};
  engine::Time now_{};
  const SessionView* view_ = nullptr;
  testing::AfterStarttls after_starttls_{};
  Trace whole_, cut_;
  Trace* trace_ = nullptr;
  const Trace* model_ = nullptr;
  std::optional<engine::Step> noted_;  // by the call that has just returned
  std::string_view sent_, kept_;       // mail data that it consumed, and what is to be stored of it
  testing::Course course_;
  std::optional<spec::Guards> before_;  // of a session that another one continues
  std::span<char> unread_;              // before the unreadable page
  std::string mail_data_;               // as the client sent it
  std::string message_;                 // as it is stored
  std::size_t asked_ = 0;
  std::size_t late_ = 0;  // the event that comes too late next
  bool is_closed_ = false;
  std::string complaint_;
};

// The same session by the second opinion, octet by octet, in the words of Trace::said; empty when the client uses
// addresses that it does not read.
[[nodiscard]] std::string said_by_reference(const SessionView& view);

}  // namespace postern::fuzz
