#include "simulate/asker.hpp"

#include <array>
#include <utility>

#include "simulate/actions.hpp"
#include "simulate/allocations.hpp"
#include "simulate/trace_field.hpp"

namespace postern::simulate {

using engine::Question;
using engine::Ticket;
using engine::Want;
using spec::Event;
namespace bit = spec::bit;

void Asker::ask(Watched& watched) {
  const Want& want = watched.want();
  if (want.ticket == ticket_) return;
  if (want.ticket < ticket_) return storage_.overseer.complain("a ticket is used again");
  ticket_ = want.ticket;
  const OwnAllocations own;
  switch (want.question) {
    case Question::recipient: return ask_recipient(watched.talk().session());
    case Question::message: return ask_message();
    case Question::credentials: return ask_credentials(watched.talk().session());
    case Question::hand_over: return ask_hand_over(watched.talk().session());
  }
}

void Asker::ask_recipient(const engine::Session& session) {
  storage_.text = session.mailbox();
  const std::uint32_t kind = stage_.random.below(16);
  const bool is_ours = storage_.text.contains("@ours");
  promise(kind == 0                              ? Event::recipient_unknowable
          : kind == 1                            ? Event::recipient_sender_refused
          : kind == 2                            ? Event::recipient_refused
          : kind == 3                            ? Event::recipient_unknown
          : kind == 4 && stage_.random.one_in(4) ? Event::recipient_too_many_unknown
          : kind == 5                            ? Event::recipient_program_refused
          : kind == 6                            ? Event::recipient_program_deferred
          : kind == 7                            ? Event::recipient_client_listed
          : kind == 8 && stage_.random.one_in(2) ? Event::recipient_policy_refused
          : kind == 8                            ? Event::recipient_policy_deferred
          : kind == 9 && stage_.random.one_in(2) ? Event::recipient_policy_failed
          : kind == 9                            ? Event::recipient_policy_waived
          : kind == 10                           ? Event::recipient_greylisted
          : is_ours                              ? Event::recipient_ours
                                                 : Event::recipient_foreign);
}

void Asker::ask_message() {
  storage_.text = "as a policy service says";
  const std::uint32_t kind = stage_.random.below(8);
  promise(kind == 0   ? Event::message_policy_refused
          : kind == 1 ? Event::message_policy_deferred
          : kind == 2 ? Event::message_policy_failed
          : kind == 3 ? Event::message_policy_waived
                      : Event::message_permitted);
}

void Asker::ask_credentials(const engine::Session& session) {
  const bool is_own = session.username() == client_.login().user && session.password() == client_.login().password;
  if (!is_own && !client_.is_blind())
    storage_.overseer.complain("the credentials that are asked about are another client's");
  storage_.text.clear();
  const std::uint32_t kind = stage_.random.below(8);
  promise(kind < 4 ? Event::credentials_accepted : kind < 7 ? Event::credentials_rejected : Event::credentials_broken);
}

// The answer comes, or it comes too late: then the time limit of the question has answered.
void Asker::promise(Event event) {
  event_ = event;
  engine::Interval delay = some_delay(stage_.random);
  if (stage_.random.one_in(stage_.climate.lost_in)) delay = engine::seconds(91 + stage_.random.below(30));
  stage_.add(delay, Happening::answer, seat_.slot, seat_.life, static_cast<std::uint32_t>(ticket_));
}

void Asker::ask_hand_over(const engine::Session& session) {
  mail_ = stage_.ledger.number_in(storage_.kept);
  if (mail_ == stage_.ledger.size()) return storage_.overseer.complain("what is kept is nobody's message");
  const Mail& mail = stage_.ledger.mail(mail_);
  if (mail.is_flawed || mail.body != storage_.kept) storage_.overseer.complain("what is kept is not what was sent");
  stage_.ledger.hand_over(mail_, trace_field, session.envelope().octets());
  stage_.waiting.push_back(seat_.slot);
  log_submit(mail);
  if (std::exchange(stage_.has_commit_ahead, true)) return;
  stage_.add(milliseconds(stage_.random.below(20)), Happening::commit, 0, 0);
}

// What a filter says no to, or drops, is stored nowhere.
void Asker::filter() {
  constexpr std::array said{Event::hand_over_filter_refused, Event::hand_over_filter_deferred,
                            Event::hand_over_filter_failed, Event::hand_over_filter_discarded};
  const OwnAllocations own;
  actions().add("mail withdraw %u", mail_);  // as the group sees it
  actions().add("mail answer %u %d", mail_, static_cast<int>(engine::HandOverResult::client_gone));
  storage_.text = "5.7.1 as a filter says";
  event_ = said[stage_.random.below(said.size())];
  stage_.add(some_delay(stage_.random), Happening::answer, seat_.slot, seat_.life, static_cast<std::uint32_t>(ticket_));
}

void Asker::log_submit(const Mail& mail) {
  if (!actions().is_open()) return;
  std::string mailboxes;
  for (const std::string& mailbox : mail.mailboxes) mailboxes += ' ' + mailbox;
  actions().add("mail submit %u%s", mail_, mailboxes.c_str());
}

void Asker::learn(const deliver::Outcome& outcome) {
  using engine::HandOverResult;
  const OwnAllocations own;
  storage_.text = outcome.verdict;
  constexpr std::array results{HandOverResult::accepted, HandOverResult::deferred, HandOverResult::refused,
                               HandOverResult::client_gone};
  actions().add("mail answer %u %d", mail_, static_cast<int>(outcome.result));
  event_ = engine::answer_of(results[static_cast<std::size_t>(outcome.result)], {}).event;
  if (event_ == Event::hand_over_accepted && stage_.random.one_in(8))
    event_ = stage_.random.one_in(2) ? Event::hand_over_filter_waived : Event::hand_over_filter_too_big;
  stage_.add(some_delay(stage_.random), Happening::answer, seat_.slot, seat_.life, static_cast<std::uint32_t>(ticket_));
}

void Asker::withdraw() {
  actions().add("mail withdraw %u", mail_);
  learn(deliver::withdrawn());
}

void Asker::deliver(Watched& watched) {
  const bool is_hand_over = watched.guards().has(bit::waiting_hand_over);
  watched.answer(ticket_, {event_, storage_.text});
  const bool has_waited = watched.guards().has(bit::waiting_hand_over);
  const bool is_stored = event_ == Event::hand_over_accepted || event_ == Event::hand_over_filter_waived ||
                         event_ == Event::hand_over_filter_too_big;
  if (is_hand_over && !has_waited && mail_ < stage_.ledger.size())
    stage_.ledger.mail(mail_).fate = is_stored ? Fate::accepted : Fate::declined;
}

void Asker::report_late(Watched& watched, Ticket ticket) const {
  const Ticket open = open_ticket(watched.talk().want());
  watched.change_nothing(1, [&](engine::Conversation& talk, engine::Output& output) {
    return talk.answer(ticket, {event_, "late@ours0.example"}, stage_.now, output);
  });
  storage_.course.note_answer(seat_.life, ticket, open, watched.talk().want());
}

void Asker::misbehave(Watched& watched, std::span<char> unread) const {
  const auto old = Ticket{static_cast<std::uint32_t>(ticket_) - 1};
  const bool is_recipient = watched.want().question == Question::recipient;
  const Event wrong = is_recipient ? Event::hand_over_accepted : Event::recipient_ours;
  const Ticket open = open_ticket(watched.talk().want());
  watched.change_nothing(3, [&](engine::Conversation& talk, engine::Output& output) {
    static_cast<void>(talk.answer(old, {event_, "late@ours0.example"}, stage_.now, output));
    static_cast<void>(talk.happen(Event::timeout, stage_.now, output));
    return talk.answer(ticket_, {wrong, "wrong@ours0.example"}, stage_.now, output);
  });
  storage_.course.note_answer(seat_.life, old, open, watched.talk().want());
  watched.change_nothing(0, [&](engine::Conversation& talk, engine::Output& output) {
    return talk.feed(unread, stage_.scratch, stage_.now, output);
  });
  if (stage_.now >= watched.deadline()) return;  // the machine slept, and the answer is as late as the time limit
  watched.change_nothing(
      0, [&](engine::Conversation& talk, engine::Output& output) { return talk.time_passed(stage_.now, output); });
}

void Asker::end(const Watched& watched) {
  const bool is_in_doubt = watched.guards().has(bit::waiting_hand_over) && mail_ < stage_.ledger.size();
  if (is_in_doubt) stage_.ledger.mail(mail_).fate = Fate::uncertain;
}

}  // namespace postern::simulate
