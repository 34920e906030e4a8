#include "ask/policy_inquiry.hpp"

#include <utility>

namespace postern::ask {

using spec::Event;

Outcome outcome_of(const PolicyAnswer& answer) {
  if (!answer.trouble.empty()) return Outcome::failed;
  using Kind = PolicyVerdict::Kind;
  switch (policy_verdict(answer.action).kind) {
    case Kind::refuse: return Outcome::refused;
    case Kind::defer:
    case Kind::defer_if_permit:
    case Kind::defer_if_refuse: return Outcome::deferred;
    case Kind::another: return Outcome::failed;
    case Kind::permit:
    case Kind::indifferent:
    case Kind::prepend:
    case Kind::remark: break;
  }
  return Outcome::accepted;
}

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
    hear_failure(service, answer.has_begun);
  } else {
    PolicyVerdict verdict = policy_verdict(answer.action);
    const bool is_remarkable =
        verdict.kind != PolicyVerdict::Kind::permit && verdict.kind != PolicyVerdict::Kind::indifferent;
    if (is_remarkable) remarks_.push_back({.service = service, .text = std::move(answer.action)});
    follow(service, std::move(verdict));
  }
  if (is_decided_) return;
  if (++place_ == start_->policy_services.size()) decide_at_the_end();
}

// What came, and is no answer, may have been meant to refuse.
void PolicyInquiry::hear_failure(std::string_view service, bool has_begun) {
  if (has_begun || !start_->takes_unjudged) return decide(Event::recipient_policy_failed, {service});
  if (passed_over_.empty()) passed_over_ = service;
}

// What asks for something else than to take, refuse or defer is never taken: POSTERN_POLICY_FAILURE=accept is for silence.
void PolicyInquiry::follow(std::string_view service, PolicyVerdict verdict) {
  using Kind = PolicyVerdict::Kind;
  switch (verdict.kind) {
    case Kind::permit: return decide_at_the_end();
    case Kind::refuse:
      if (!if_refused_.words.empty()) return decide(Event::recipient_policy_deferred, std::move(if_refused_));
      return decide(Event::recipient_policy_refused, {service, std::move(verdict.words)});
    case Kind::defer: return decide(Event::recipient_policy_deferred, {service, std::move(verdict.words)});
    case Kind::defer_if_permit:
      if (if_permitted_.words.empty()) if_permitted_ = {service, std::move(verdict.words)};
      return;
    case Kind::defer_if_refuse:
      if (if_refused_.words.empty()) if_refused_ = {service, std::move(verdict.words)};
      return;
    case Kind::prepend:
      if (!verdict.words.empty()) fields_.push_back(std::move(verdict.words));
      return;
    case Kind::another: return decide(Event::recipient_policy_failed, {service});
    case Kind::indifferent:
    case Kind::remark: return;
  }
}

void PolicyInquiry::decide(Event event, Said said) {
  event_ = event;
  said_ = std::move(said);
  is_decided_ = true;
}

void PolicyInquiry::decide_at_the_end() {
  if (!if_permitted_.words.empty()) return decide(Event::recipient_policy_deferred, std::move(if_permitted_));
  if (passed_over_.empty()) return decide(Event::recipient_ours, {});
  remarks_.push_back({.kind = PolicyRemark::Kind::waived, .service = passed_over_});
  decide(Event::recipient_policy_waived, {});
}

engine::Answer PolicyInquiry::answer() const {
  const bool has_words = event_ == Event::recipient_policy_refused || event_ == Event::recipient_policy_deferred;
  return {event_, has_words ? said_.words : recipient_};
}

}  // namespace postern::ask
