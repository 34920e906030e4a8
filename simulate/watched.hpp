// The shipped conversation with the message it keeps: each call is made through here, and what must be true after it is asked.
// in      the calls of a shell
// out     want(); again(): which call is to be made once more when there is room; replies() until clear()
// judged  laws and second opinion; what is said is what was decided; nothing is allocated; secrets are wiped; a message is in
//         hand only while the state says so; stray reports are those that were provoked
// lives   a workspace is lent while the session is not at rest
// source  engine/conversation.hpp
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "deliver/maildir/message.hpp"
#include "engine/conversation.hpp"
#include "simulate/client.hpp"
#include "simulate/storage.hpp"

namespace postern::simulate {

enum class Again : std::uint8_t { nothing, feed, happen, answer, time_passed, run_out, shut_down };

class Watched final : private engine::Output {
 public:
  Watched(Stage& stage, Seat seat, const Client& client, Storage& storage, const engine::Service& service);

  using Output::clear;
  using Output::has_room;
  using Output::replies;

  void feed(std::span<char> octets);
  void answer(engine::Ticket ticket, const engine::Answer& answer);
  void happen(spec::Event event, std::string_view text);
  void happen_again() { happen(event_, {}); }  // for what there was no room
  void pass_time();
  void shut_down(engine::ShutDown how);
  void run_out();
  void begin_patience();
  // RFC 3207 4.2: another conversation goes on, and knows of the first one only what counts.
  void become_sibling();
  // Some calls that may not count, nor be seen in what is said; so many of them are stray.
  template <typename Calls>
  void change_nothing(std::uint32_t strays, Calls calls);
  // No call follows.
  void retire();

  [[nodiscard]] engine::Conversation& talk() { return *talk_; }
  [[nodiscard]] spec::Guards guards() const { return talk_->session().guards(); }
  [[nodiscard]] const engine::Want& want() const { return want_; }
  // While room is wanted, only what the client takes matters.
  [[nodiscard]] engine::Time deadline() const {
    return want_.kind == engine::Want::Kind::room ? engine::never : talk_->deadline();
  }
  [[nodiscard]] Again again() const { return again_; }
  [[nodiscard]] deliver::MaildirMessage& message() { return message_; }

 private:
  struct Before {
    Again again;
    std::size_t said;  // octets of replies()
    std::uint64_t allocations;
    std::uint32_t decisions;
  };
  void note(const engine::Note& note) override;
  [[nodiscard]] std::span<char> room_for_mail_data(std::size_t octets, std::span<char> scratch) override;
  void keep(std::string_view mail_data) override;
  void drop() override;
  [[nodiscard]] Before prepare(Again again);
  void settle(const Before& before, const engine::Want& want);
  void check_message();
  void give_back();

  Stage& stage_;
  Seat seat_;
  const Client& client_;
  Storage& storage_;
  engine::Workspace* workspace_;
  engine::Service service_;
  std::optional<engine::Conversation> talk_;
  deliver::MaildirMessage message_;
  engine::Want want_{};
  Again again_{};
  spec::Event event_{};         // that happened last
  std::uint32_t provoked_ = 0;  // stray reports
};

template <typename Calls>
void Watched::change_nothing(std::uint32_t strays, Calls calls) {
  const spec::Guards old_guards = guards();
  const engine::Want wanted = want_;
  const Before before = prepare(again_);
  const engine::Want got = calls(*talk_, static_cast<engine::Output&>(*this));
  provoked_ += strays;
  const bool is_same = old_guards == guards() && before.decisions == storage_.overseer.decisions() &&
                       got.kind == wanted.kind && got.consumed == 0 && replies().size() == before.said;
  if (!is_same) storage_.overseer.complain("what may not count changes something");
  settle(before, wanted);
}

}  // namespace postern::simulate
