#include "deliver/store_job.hpp"

#include <new>

#include "spec/policy_row.hpp"

namespace postern::deliver {

StoreJob::StoreJob(loop::Loop& loop, Goal goal)
    : loop::Job(loop),
      outcome{.result = Outcome::Result::deferred,
              .verdict = std::string(spec::text_of(spec::HandOverText::cannot_store)),
              .cause = "no memory"},
      goal_(goal) {}

void StoreJob::append() {
  message->append(buffer.octets());
  buffer.clear();
}

void StoreJob::run() {
  if (goal_ == Goal::finish && forget_if_withdrawn()) return;
  try {
    if (goal_ == Goal::append) append();
    if (goal_ == Goal::finish) outcome = message->finish(buffer.octets(), envelope);
  } catch (const std::bad_alloc&) {
    has_failed = true;
  }
  if (goal_ != Goal::append) message.reset();
}

bool StoreJob::judge() try {
  FilteredMessage* const filtered = message->for_filters();
  const bool is_withdrawn = turn_.load() == Turn::withdrawn;
  if (is_withdrawn) outcome = withdrawn();
  const bool goes_on = !is_withdrawn && ask_filters(*filtered);
  if (!goes_on) message.reset();
  return goes_on;
} catch (const std::bad_alloc&) {
  has_failed = true;
  message.reset();
  return false;
}

// What its turn is counted from is when it begins to be made durable: until then it may be withdrawn.
bool StoreJob::ask_filters(FilteredMessage& filtered) {
  auto over = filtered.judge(buffer.octets(), envelope);
  judgement = filtered.judgement();
  if (over) {
    outcome = std::move(*over);
    return false;
  }
  FilteredMessage::Next next = filtered.next_message();
  buffer.clear();
  buffer.append(next.last_octets);
  envelope = std::move(next.envelope);
  message = std::move(next.message);
  return true;
}

void StoreJob::join(MaildirGroup& group) {
  if (!forget_if_withdrawn()) message->finish_in(group, buffer.octets(), envelope, outcome);
}

bool StoreJob::withdraw() {
  Turn turn = Turn::awaited;
  return turn_.compare_exchange_strong(turn, Turn::withdrawn) || turn == Turn::withdrawn;
}

bool StoreJob::forget_if_withdrawn() {
  Turn turn = Turn::awaited;
  turn_.compare_exchange_strong(turn, Turn::come);
  if (turn != Turn::withdrawn) return false;
  outcome = withdrawn();
  message.reset();
  return true;
}

}  // namespace postern::deliver
