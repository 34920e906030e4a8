#include "simulate/watched.hpp"

#include <algorithm>

#include "simulate/allocations.hpp"
#include "simulate/trace_field.hpp"

namespace postern::simulate {

using engine::Want;
using Kind = engine::Want::Kind;
using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

namespace {

// Often as little as a conversation can do with.
std::span<char> some_of(std::span<char> room, Random& random) {
  constexpr std::size_t least = engine::ReplyWriter::most_octets;
  return room.first(random.one_in(2) ? least : random.between(least, static_cast<std::uint32_t>(room.size())));
}

bool holds(std::string_view memory, std::string_view secret) { return !secret.empty() && memory.contains(secret); }

}  // namespace

Watched::Watched(Stage& stage, Seat seat, const Client& client, Storage& storage, const engine::Service& service)
    : Output(some_of(storage.room, stage.random)),
      stage_(stage),
      seat_(seat),
      client_(client),
      storage_(storage),
      workspace_(stage.workspaces.take()),
      service_(service),
      message_(*stage.root) {
  talk_.emplace(service_, *workspace_, stage.patience);
  storage.piece.clear();
  storage.kept.clear();
}

void Watched::note(const engine::Note& note) {
  const OwnAllocations own;
  storage_.overseer.judge(note);
  if (note.step.effect != Effect::begin_message) return;
  message_.begin({.unix_time = 1, .number = seat_.life}, trace_field, note.session.envelope().reverse_path());
  storage_.piece.clear();
  storage_.kept.clear();
}

std::span<char> Watched::room_for_mail_data(std::size_t octets, std::span<char>) {
  const OwnAllocations own;
  return storage_.piece.room(octets);
}

void Watched::keep(std::string_view mail_data) {
  const OwnAllocations own;
  storage_.piece.append(mail_data);
  storage_.kept += mail_data;
  if (!stage_.random.one_in(8)) return;  // as where it is full
  message_.write(storage_.piece.octets());
  storage_.piece.clear();
}

void Watched::drop() {
  const OwnAllocations own;
  message_.abandon();
  storage_.piece.clear();
  storage_.kept.clear();
}

// Before a call on the conversation: a workspace is lent to it.
Watched::Before Watched::prepare(Again again) {
  Overseer& overseer = storage_.overseer;
  if (workspace_ == nullptr) {
    workspace_ = stage_.workspaces.take();
    talk_->use(*workspace_);
  }
  overseer.begin_call();
  const bool ends_pause = again == Again::time_passed && want_.kind == Kind::pause && stage_.now >= deadline();
  if (ends_pause && has_room()) overseer.owe_delayed();
  return {again, replies().size(), allocations().made, overseer.decisions()};
}

// After it: all that must be true.
void Watched::settle(const Before& before, const Want& want) {
  Overseer& overseer = storage_.overseer;
  want_ = want;
  if (allocations().made != before.allocations) overseer.complain("a conversation allocates");
  overseer.check_replies(replies().substr(before.said));
  // A call that was obeyed and then finds no room for what follows from the end of the server must not be made again: the
  // same answer would be stray.
  const bool is_obeyed = overseer.decisions() != before.decisions || replies().size() != before.said;
  again_ = want_.kind != Kind::room ? Again::nothing : is_obeyed ? Again::feed : before.again;
  if (want_.kind == Kind::room && has_room()) overseer.complain("room is wanted where there is some");
  check_message();
  storage_.course.note(seat_.life, talk_->want());
  if (talk_->stray_reports() != provoked_) overseer.complain("stray reports are not those that were provoked");
  if (talk_->session().is_at_rest()) give_back();
}

void Watched::check_message() {
  const bool may_be = guards().has(bit::waiting_mail_data | bit::waiting_hand_over) && want_.kind != Kind::end;
  const bool must_be = guards().has(bit::waiting_mail_data) && want_.kind != Kind::end;
  if (message_.is_begun() && !may_be) storage_.overseer.complain("a message is kept that nobody waits for");
  if (!message_.is_begun() && must_be) storage_.overseer.complain("mail data comes and no message was begun");
}

void Watched::give_back() {
  const bool has_secrets = storage_.overseer.has_seen_secret();
  const std::string_view memory(reinterpret_cast<const char*>(&workspace_->sasl), sizeof workspace_->sasl);
  if (has_secrets && holds(memory, client_.login().password))
    storage_.overseer.complain("a password is left in a workspace");
  stage_.workspaces.give_back(workspace_);
  workspace_ = nullptr;
}

void Watched::feed(std::span<char> octets) {
  const bool was_mail_data = guards().has(bit::waiting_mail_data);
  const Before before = prepare(Again::feed);
  settle(before, talk_->feed(octets, stage_.scratch, stage_.now, *this));
  Overseer& overseer = storage_.overseer;
  if (want_.consumed > octets.size()) overseer.complain("more octets are consumed than there were");
  want_.consumed = std::min(want_.consumed, octets.size());
  const std::string_view used(octets.data(), want_.consumed);
  if (!client_.is_blind() && overseer.has_seen_secret() && holds(used, client_.login().secret))
    overseer.complain("credentials are left where they were fed");
  const bool is_mail_data = guards().has(bit::waiting_mail_data);
  if (was_mail_data || is_mail_data) overseer.count_mail_data(used.size(), was_mail_data && is_mail_data);
}

void Watched::answer(engine::Ticket ticket, const engine::Answer& answer) {
  const engine::Ticket open = open_ticket(talk_->want());
  const bool is_heard = has_room();
  const Before before = prepare(Again::answer);
  const Want next = talk_->answer(ticket, answer, stage_.now, *this);
  if (is_heard) storage_.course.note_answer(seat_.life, ticket, open, talk_->want());
  settle(before, next);
  const bool has_waited = want_.kind == Kind::room && again_ == Again::answer;
  if (!has_waited && before.decisions == storage_.overseer.decisions())
    storage_.overseer.complain("an answer changes nothing");
}

void Watched::happen(Event event, std::string_view text) {
  event_ = event;
  const Before before = prepare(Again::happen);
  settle(before, talk_->happen(event, stage_.now, *this, text));
}

void Watched::pass_time() {
  const bool was_pause = want_.kind == Kind::pause;
  const engine::Ticket open = open_ticket(talk_->want());
  const Before before = prepare(Again::time_passed);
  const Want next = talk_->time_passed(stage_.now, *this);
  storage_.course.note_time(seat_.life, open, talk_->want());
  settle(before, next);
  if (was_pause) storage_.overseer.note_progress();
  storage_.overseer.check_patience(guards().has(bit::waiting_mail_data), want_.kind == Kind::octets);
}

// deviation D23. A call that waits for room still does.
void Watched::shut_down(engine::ShutDown how) {
  const Again again = again_;
  const bool has_waited = want_.kind == Kind::room;
  const Before before = prepare(Again::shut_down);
  settle(before, talk_->shut_down(how, stage_.now, *this));
  if (has_waited || want_.kind == Kind::room) {
    want_ = {.kind = Kind::room};
    again_ = has_waited ? again : Again::feed;
    return;
  }
  const bool may_listen = how == engine::ShutDown::when_idle && guards().has(bit::waiting_mail_data);
  if (want_.kind == Kind::octets && !may_listen) storage_.overseer.complain("the server ends and goes on listening");
}

void Watched::run_out() {
  if (has_room()) storage_.overseer.forgive_replies();
  const Before before = prepare(Again::run_out);
  settle(before, talk_->run_out(stage_.now, *this));
  if (want_.kind != Kind::room && want_.kind != Kind::end)
    storage_.overseer.complain("memory ends and the session does not");
}

void Watched::begin_patience() {
  talk_->begin_patience(stage_.now);
  storage_.overseer.note_progress();
}

void Watched::become_sibling() {
  const engine::Counters counters = talk_->session().counters();
  spec::Guards before = guards();
  before.set(bit::errors_spent, counters.errors >= spec::max_errors);
  before.set(bit::auth_attempts_spent, counters.auth_attempts >= spec::max_auth_attempts);
  storage_.overseer.continue_from(before);
  if (workspace_ == nullptr) workspace_ = stage_.workspaces.take();
  storage_.course.note_end(seat_.life);
  talk_.emplace(service_, *workspace_, stage_.patience, counters);
  provoked_ = 0;
  if (stage_.end == ServerEnd::when_idle) shut_down(engine::ShutDown::when_idle);
  if (stage_.end == ServerEnd::at_once) shut_down(engine::ShutDown::at_once);
}

void Watched::retire() {
  storage_.course.note_end(seat_.life);
  message_.abandon();
  if (workspace_ == nullptr) return;
  workspace_->envelope.clear();
  workspace_->sasl.wipe();
  give_back();
}

}  // namespace postern::simulate
