#include "testing/driver.hpp"

#include <algorithm>
#include <utility>

#include "testing/guard_page.hpp"

namespace postern::testing {

using spec::Effect;
using spec::Event;
using Kind = engine::Want::Kind;
namespace bit = spec::bit;

namespace {

// As much input is laid before an unreadable page; more would only be slow.
constexpr std::size_t guarded_octets = 32 * 1024;

}  // namespace

Driver::Driver(const engine::Service& service, AfterStarttls after_starttls)
    : Output(replies_),
      service_(service),
      after_starttls_(after_starttls),
      talk_(std::make_unique<engine::LoneConversation>(service, engine::Patience{})),
      want_(talk_->want()) {}

void Driver::send(std::string_view octets) {
  // RFC 3207 4.2: what comes between STARTTLS and the handshake is dropped.
  if (is_closed_ || want_.kind == Kind::tls) return;
  unread_ += octets;
  pump();
}

void Driver::tell(Event outcome, std::string_view text) {
  outcomes_.emplace_back(outcome, text);
  pump();
}

bool Driver::waits_for(Event event) const { return !is_closed_ && session().guards().has(spec::waiting_for(event)); }

void Driver::happen(Event event, std::string_view text) {
  if (is_closed_) return;
  if (!waits_for(event))
    return fail(std::string(spec::name_of(event)) + " happens, and the session does not wait for it");
  if (event == Event::handshake_done && after_starttls_ == AfterStarttls::sibling) start_sibling();
  go_on(talk_->happen(event, now_, *this, text));
  pump();
}

std::vector<audit::Item> Driver::take_heard() { return std::exchange(heard_, {}); }

void Driver::start_sibling() {
  const engine::Counters counters = session().counters();
  before_ = session().guards();
  before_->set(bit::errors_spent, counters.errors >= spec::max_errors);
  before_->set(bit::auth_attempts_spent, counters.auth_attempts >= spec::max_auth_attempts);
  talk_ = std::make_unique<engine::LoneConversation>(service_, engine::Patience{}, counters);
}

void Driver::fail(const std::string& what) {
  if (problem_.empty()) problem_ = what;
}

void Driver::pump() {
  while (problem_.empty()) {
    switch (want_.kind) {
      case Kind::room:
      case Kind::octets:
        feed();
        if (want_.kind == Kind::octets) return;
        break;
      case Kind::answer:
        if (!take_outcome()) return;
        break;
      case Kind::pause:
        now_ = talk_->deadline();
        go_on(talk_->time_passed(now_, *this));
        break;
      case Kind::opening:
      case Kind::tls:
      case Kind::end: return;
    }
  }
}

void Driver::feed() {
  static GuardedOctets guarded(guarded_octets);  // for one call at a time; to map pages for every driver is slow
  const bool is_guarded = unread_.size() <= guarded_octets;
  const std::span<char> octets = is_guarded ? guarded.space_before_guard(unread_.size()) : std::span<char>(unread_);
  if (is_guarded) unread_.copy(octets.data(), unread_.size());
  scratch_.resize(unread_.size() + 2);
  const engine::Want next = talk_->feed(octets, scratch_, now_, *this);
  if (next.consumed > octets.size()) return fail("more octets are consumed than there were");
  unread_.erase(0, next.consumed);
  go_on(next);
}

bool Driver::take_outcome() {
  if (outcomes_.empty() && choose_) outcomes_.emplace_back(choose_(session().guards()), "");
  if (outcomes_.empty()) return false;
  const auto [event, text] = std::move(outcomes_.front());
  outcomes_.pop_front();
  if (!waits_for(event)) {
    fail(std::string(spec::name_of(event)) + " is told, and the session waits for something else");
    return false;
  }
  const bool is_recipient = want_.question == engine::Question::recipient;
  const std::string mailbox(is_recipient ? session().mailbox() : std::string_view());
  go_on(talk_->answer(want_.ticket, audit::answer_as_written(event, text, mailbox), now_, *this));
  return true;
}

void Driver::note(const engine::Note& note) {
  const engine::Step& step = note.step;
  const spec::Guards before = std::exchange(before_, std::nullopt).value_or(step.before);
  decisions_.push_back({before, step.event, step.rule, step.code, step.effect, note.session.guards()});
  if (see_) see_({decisions_.back(), step, note.session});
  if (step.effect == Effect::begin_message) message_.clear();
  if (step.effect == Effect::hand_over) hear_message();
}

// Takes what was said before it continues with what is wanted.
void Driver::go_on(engine::Want next) {
  want_ = next;
  for (std::string_view rest = replies(); !rest.empty();) {
    const std::size_t end = std::min(rest.find("\r\n"), rest.size() - 2) + 2;
    heard_.push_back({.kind = audit::ItemKind::server, .octets = std::string(rest.substr(0, end))});
    rest.remove_prefix(end);
  }
  clear();
  if (next.kind == Kind::end && !std::exchange(is_closed_, true))
    heard_.push_back({.kind = audit::ItemKind::closes, .octets = {}});
  if (talk_->stray_reports() != 0) fail("something is told that may not happen now");
}

// qmail-queue(8): F reverse-path NUL, T forward-path NUL for each, NUL
void Driver::hear_message() {
  std::string_view envelope = session().envelope().octets();
  while (envelope.size() > 1) {
    const std::size_t end = std::min(envelope.find('\0'), envelope.size() - 1);
    const audit::ItemKind kind =
        envelope.front() == 'F' ? audit::ItemKind::reverse_path : audit::ItemKind::forward_path;
    heard_.push_back({.kind = kind, .octets = std::string(envelope.substr(1, end - 1))});
    envelope.remove_prefix(end + 1);
  }
  std::string_view message = message_;
  while (!message.empty()) {
    const std::size_t end = std::min(message.find('\n'), message.size() - 1) + 1;
    heard_.push_back({.kind = audit::ItemKind::message, .octets = std::string(message.substr(0, end))});
    message.remove_prefix(end);
  }
}

}  // namespace postern::testing
