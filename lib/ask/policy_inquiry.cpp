#include "ask/policy_inquiry.hpp"

#include <utility>

namespace postern::ask {

using spec::Event;

const base::SocketAddress* PolicyInquiry::next() const {
  return is_decided_ || place_ == start_->policy_services.size() ? nullptr : &start_->policy_services[place_];
}

void PolicyInquiry::hear(PolicyAnswer answer) {
  const std::string_view service = start_->policy_services[place_].text;
  if (!answer.trouble.empty()) {
    using Kind = PolicyRemark::Kind;
    remarks_.push_back({.kind = answer.has_begun ? Kind::malformed : Kind::silent,
                        .service = service,
                        .text = std::move(answer.trouble)});
    hear_failure(answer.has_begun);
  } else {
    PolicyVerdict verdict = policy_verdict(answer.action);
    const bool is_remarkable =
        verdict.kind != PolicyVerdict::Kind::permit && verdict.kind != PolicyVerdict::Kind::indifferent;
    if (is_remarkable) remarks_.push_back({.service = service, .text = std::move(answer.action)});
    follow(std::move(verdict));
  }
  if (is_decided_) return;
  if (++place_ == start_->policy_services.size()) decide_at_the_end();
}

// What came, and is no answer, may have been meant to refuse.
void PolicyInquiry::hear_failure(bool has_begun) {
  has_failed_ = true;
  if (has_begun || !start_->takes_unjudged) decide(Event::recipient_policy_failed);
}

// What asks for something else than to take, refuse or defer is never taken: POSTERN_POLICY_FAILURE=accept is for silence.
void PolicyInquiry::follow(PolicyVerdict verdict) {
  using Kind = PolicyVerdict::Kind;
  switch (verdict.kind) {
    case Kind::permit: return decide_at_the_end();
    case Kind::refuse:
      if (!words_if_refused_.empty()) return decide(Event::recipient_policy_deferred, std::move(words_if_refused_));
      return decide(Event::recipient_policy_refused, std::move(verdict.words));
    case Kind::defer: return decide(Event::recipient_policy_deferred, std::move(verdict.words));
    case Kind::defer_if_permit:
      if (words_if_permitted_.empty()) words_if_permitted_ = std::move(verdict.words);
      return;
    case Kind::defer_if_refuse:
      if (words_if_refused_.empty()) words_if_refused_ = std::move(verdict.words);
      return;
    case Kind::prepend:
      if (!verdict.words.empty()) fields_.push_back(std::move(verdict.words));
      return;
    case Kind::another: return decide(Event::recipient_policy_failed);
    case Kind::indifferent:
    case Kind::remark: return;
  }
}

void PolicyInquiry::decide(Event event, std::string words) {
  event_ = event;
  words_ = std::move(words);
  is_decided_ = true;
}

void PolicyInquiry::decide_at_the_end() {
  if (!words_if_permitted_.empty()) return decide(Event::recipient_policy_deferred, std::move(words_if_permitted_));
  decide(has_failed_ ? Event::recipient_policy_waived : Event::recipient_ours);
}

engine::Answer PolicyInquiry::answer() const {
  const bool has_words = event_ == Event::recipient_policy_refused || event_ == Event::recipient_policy_deferred;
  return {event_, has_words ? words_ : recipient_};
}

}  // namespace postern::ask
