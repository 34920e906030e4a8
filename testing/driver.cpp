#include "testing/driver.hpp"

#include <algorithm>
#include <utility>

#include "testing/guard_page.hpp"

namespace postern::testing {

using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

namespace {

// As much input is laid before an unreadable page; more would only be slow.
constexpr std::size_t guarded_octets = 32 * 1024;

}  // namespace

Driver::Driver(const engine::Service& service, AfterStarttls after_starttls)
    : service_(service), after_starttls_(after_starttls), session_(std::make_unique<engine::LoneSession>(service)) {}

void Driver::send(std::string_view octets) {
  // RFC 3207 4.2: what comes between STARTTLS and the handshake is for nobody.
  if (is_closed_ || session_->guards().has(bit::waiting_handshake)) return;
  unread_ += octets;
  pump();
}

void Driver::tell(Event outcome, std::string_view text) {
  outcomes_.emplace_back(outcome, text);
  pump();
}

bool Driver::waits_for(Event event) const { return !is_closed_ && session_->guards().has(spec::waiting_for(event)); }

void Driver::happen(Event event, std::string_view text) {
  if (is_closed_) return;
  if (!waits_for(event))
    return fail(std::string(spec::name_of(event)) + " happens, and the session does not wait for it");
  const spec::Guards before = guards_at_decision();
  if (event == Event::handshake_done && after_starttls_ == AfterStarttls::sibling) start_sibling();
  take(session_->report(event, text), before, event);
  pump();
}

std::vector<audit::Item> Driver::take_heard() { return std::exchange(heard_, {}); }

void Driver::start_sibling() {
  const engine::Counters counters = session_->counters();
  session_ = std::make_unique<engine::LoneSession>(service_);
  session_->resume_after_starttls(counters);
}

void Driver::fail(const std::string& what) {
  if (problem_.empty()) problem_ = what;
}

spec::Guards Driver::guards_at_decision() const {
  spec::Guards guards = session_->guards();
  guards.set(bit::errors_spent, session_->counters().errors >= spec::max_errors);
  guards.set(bit::auth_attempts_spent, session_->counters().auth_attempts >= spec::max_auth_attempts);
  return guards;
}

void Driver::pump() {
  while (!is_closed_ && problem_.empty()) {
    const spec::Guards guards = session_->guards();
    if (guards.has(bit::waiting_connect | bit::waiting_handshake)) return;
    const bool waits = (guards.bits & waiting_for_outcome) != 0;
    if (waits ? !take_outcome() : !take_step()) return;
  }
}

bool Driver::take_outcome() {
  if (outcomes_.empty() && choose_) outcomes_.emplace_back(choose_(session_->guards()), "");
  if (outcomes_.empty()) return false;
  const auto [event, text] = std::move(outcomes_.front());
  outcomes_.pop_front();
  if (!waits_for(event)) {
    fail(std::string(spec::name_of(event)) + " is told, and the session waits for something else");
    return false;
  }
  const bool is_recipient = session_->guards().has(bit::waiting_recipient);
  const std::string address = is_recipient && text.empty() ? std::string(session_->mailbox()) : text;
  const spec::Guards before = guards_at_decision();
  take(session_->report(event, address), before, event);
  return true;
}

bool Driver::take_step() {
  static GuardedOctets guarded(guarded_octets);  // for one step at a time; to map pages for every driver is slow
  const bool is_guarded = unread_.size() <= guarded_octets;
  const std::string_view octets = is_guarded ? guarded.before_guard(unread_) : std::string_view(unread_);
  scratch_.resize(unread_.size() + 2);
  const spec::Guards before = guards_at_decision();
  const engine::Step step = session_->step(octets, scratch_);
  if (step.consumed > octets.size()) {
    fail("more octets are consumed than there were");
    return false;
  }
  unread_.erase(0, step.consumed);
  message_ += step.data;
  if (step.is_decision) {
    take(step, before, step.event);
    return true;
  }
  return step.consumed != 0 && !unread_.empty();
}

void Driver::take(const engine::Step& step, spec::Guards before, Event event) {
  if (!step.is_decision) return fail(std::string(spec::name_of(event)) + " may not happen now");
  decisions_.push_back({before, event, step.rule, step.code, step.effect, session_->guards()});
  if (see_) see_({decisions_.back(), step, *session_});
  hear_reply(step.reply);
  if (step.effect == Effect::begin_message) message_.clear();
  if (step.effect == Effect::hand_over) hear_message();
  if (step.effect == Effect::close) {
    heard_.push_back({.kind = audit::ItemKind::closes, .octets = {}});
    is_closed_ = true;
  }
}

void Driver::hear_reply(std::string_view reply) {
  while (!reply.empty()) {
    const std::size_t end = std::min(reply.find("\r\n"), reply.size() - 2) + 2;
    heard_.push_back({.kind = audit::ItemKind::server, .octets = std::string(reply.substr(0, end))});
    reply.remove_prefix(end);
  }
}

// qmail-queue(8): F reverse-path NUL, T forward-path NUL for each, NUL
void Driver::hear_message() {
  std::string_view envelope = session_->envelope().octets();
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
