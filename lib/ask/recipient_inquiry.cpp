#include "ask/recipient_inquiry.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "ask/mailboxes.hpp"
#include "ask/recipient_program.hpp"
#include "spec/limits.hpp"

namespace postern::ask {

using spec::Event;

namespace {

Outcome outcome_of(Event event) {
  if (event == Event::recipient_program_refused) return Outcome::refused;
  if (event == Event::recipient_program_deferred) return Outcome::deferred;
  return event == Event::recipient_ours ? Outcome::accepted : Outcome::failed;
}

}  // namespace

RecipientInquiry::RecipientInquiry(Facts& facts, std::string_view address, Event when_unknown)
    : start_(facts.start()),
      address_(address),
      deadline_(base::after_seconds(spec::question_row(engine::Question::recipient).seconds)),
      book_(facts.question_book()),
      when_unknown_(when_unknown) {
  if (start_.recipient_program.empty()) return;
  const engine::Session& session = facts.session();
  environment_ = base::Environment(facts.environment().pointers());
  environment_.set("SENDER", session.envelope().reverse_path());
  environment_.set("RECIPIENT", address_);
  environment_.set("HELO", session.client_name());
  environment_.set("USE_FD4", "1");
}

void RecipientInquiry::run() try {
  if (base::milliseconds_until(deadline_) == 0) return;
  event_ = Event::recipient_ours;
  if (start_.refuses_without_mailbox) look_for_mailbox();
  if (event_ == Event::recipient_ours && !start_.recipient_program.empty()) ask_program();
} catch (const std::bad_alloc&) {
  event_ = Event::recipient_unknowable;
  problem_ = "no memory";
}

void RecipientInquiry::look_for_mailbox() {
  OpenQuestion question(book_, Source::mailbox);
  said_by_ = "mailbox";
  switch (mailbox_standing(start_.hand_over_path, address_, problem_)) {
    case ValidRecipients::Standing::valid: return question.end(Outcome::accepted);
    case ValidRecipients::Standing::unknown: event_ = when_unknown_; return question.end(Outcome::refused);
    case ValidRecipients::Standing::unknowable: event_ = Event::recipient_unknowable; break;
  }
  question.end(Outcome::failed, problem_);
}

void RecipientInquiry::ask_program() {
  const base::Deadline deadline = std::min(deadline_, base::after_seconds(spec::max_recipient_check_seconds));
  OpenQuestion question(book_, Source::recipient_program);
  ProgramVerdict verdict =
      ask_recipient_program(start_.recipient_program, environment_, deadline, start_.program_errors);
  event_ = verdict.event;
  said_by_ = "RCPTCHECK";
  words_ = std::move(verdict.words);
  problem_ = std::move(verdict.problem);
  question.end(outcome_of(event_), words_.empty() ? problem_ : words_);
}

Finding RecipientInquiry::finding() const {
  const bool is_deferred = event_ == Event::recipient_program_deferred;
  return {.answer = {event_, event_ == Event::recipient_program_refused ? words_ : address_},
          .trouble = problem_,
          .said_by = event_ == Event::recipient_ours ? std::string_view() : said_by_,
          .words = is_deferred ? std::string_view(words_) : std::string_view()};
}

}  // namespace postern::ask
