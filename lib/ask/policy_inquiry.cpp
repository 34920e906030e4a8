#include "ask/policy_inquiry.hpp"

#include <algorithm>
#include <utility>

namespace postern::ask {

using config::PolicyService;
using config::PolicyStage;
using spec::Event;
namespace bit = spec::bit;

namespace {

constexpr unsigned only(PolicyStage stage) { return 1U << static_cast<unsigned>(stage); }

unsigned stages_named(const config::Start& start) {
  unsigned stages = 0;
  for (const PolicyService& service : start.policy_services) stages |= only(service.stage);
  return stages;
}

bool is_decided(PolicyStageFound::End end) {
  using End = PolicyStageFound::End;
  return end == End::refused || end == End::deferred || end == End::failed;
}

void keep_first(SaidByService& kept, const SaidByService& said) {
  if (kept.words.empty()) kept = said;
}

}  // namespace

// Who may relay is known by more than its address and the name that it gives itself; what it sends is judged as anybody's.
unsigned policy_stages_of(const engine::Answer& found, const config::Start& start, const engine::Session& session) {
  const spec::Guards guards = session.guards();
  const unsigned named = stages_named(start);
  if (found.event == Event::message_permitted) return named & only(PolicyStage::data);
  const bool may_relay = guards.has(bit::relay_client | bit::authentication_done);
  const bool is_relayed = found.event == Event::recipient_foreign && may_relay && !guards.has(bit::local_only);
  if (found.event != Event::recipient_ours && !is_relayed) return 0;
  if (may_relay) return named & only(PolicyStage::mail);
  const unsigned with_helo = guards.has(bit::greeting_none) ? 0U : only(PolicyStage::helo);
  return named & (only(PolicyStage::connect) | with_helo | only(PolicyStage::mail) | only(PolicyStage::rcpt));
}

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

PolicyInquiry::PolicyInquiry(const config::Start& start, const engine::Session& session, const engine::Answer& found,
                             const PolicyClient& client, PolicyMemory& memory)
    : start_(&start),
      memory_(&memory),
      found_(found.event),
      recipient_(found.text),
      transaction_(session.transactions()) {
  const unsigned stages = policy_stages_of(found, start, session);
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const auto stage = static_cast<PolicyStage>(i);
    if ((stages & only(stage)) != 0) requests_[i] = write_policy_request(stage, session, recipient_, client);
  }
  go_on();
}

const PolicyService* PolicyInquiry::next() const { return place_ == services().size() ? nullptr : &services()[place_]; }

std::size_t PolicyInquiry::still_to_ask() const {
  return static_cast<std::size_t>(std::count_if(
      services().begin() + static_cast<std::ptrdiff_t>(place_), services().end(),
      [this](const PolicyService& each) { return !requests_[static_cast<std::size_t>(each.stage)].empty(); }));
}

void PolicyInquiry::go_on() {
  for (; place_ < services().size(); leave_stage()) {
    const auto number = static_cast<std::size_t>(services()[place_].stage);
    stage_ = {.request = requests_[number]};
    if (stage_.request.empty()) continue;
    const bool is_remembered = number < memory_->size() && (*memory_)[number].request == stage_.request;
    if (!is_remembered) return;
    give_fields((*memory_)[number]);
    conclude((*memory_)[number]);
    if (is_decided(all_.end)) break;
  }
  place_ = services().size();
  finish();
}

// Past the last service of the stage.
void PolicyInquiry::leave_stage() {
  const PolicyStage stage = services()[place_].stage;
  while (place_ < services().size() && services()[place_].stage == stage) ++place_;
}

PolicyRemark::Kind PolicyInquiry::remark_on(const PolicyVerdict& verdict) const {
  if (verdict.kind != PolicyVerdict::Kind::prepend) return PolicyRemark::Kind::said;
  if (is_about_message()) return PolicyRemark::Kind::too_late;
  return verdict.words.empty() ? PolicyRemark::Kind::no_field : PolicyRemark::Kind::said;
}

void PolicyInquiry::hear(PolicyAnswer answer) {
  const PolicyService& service = services()[place_];
  bool ends_stage = place_ + 1 == services().size() || services()[place_ + 1].stage != service.stage;
  if (!answer.trouble.empty()) {
    using Kind = PolicyRemark::Kind;
    remarks_.push_back({.kind = answer.has_begun ? Kind::malformed : Kind::silent,
                        .service = service.text,
                        .text = std::move(answer.trouble)});
    hear_failure(remarks_.back());
  } else {
    using Kind = PolicyVerdict::Kind;
    PolicyVerdict verdict =
        policy_verdict(answer.action, is_about_message() ? PolicyAbout::message : PolicyAbout::recipient);
    if (verdict.kind != Kind::permit && verdict.kind != Kind::indifferent)
      remarks_.push_back({.kind = remark_on(verdict), .service = service.text, .text = std::move(answer.action)});
    ends_stage = ends_stage || verdict.kind == Kind::permit;
    follow(service.text, std::move(verdict));
  }
  if (!is_decided(stage_.end) && !ends_stage) return void(++place_);
  const auto number = static_cast<std::size_t>(service.stage);
  PolicyStageFound* const kept = number < memory_->size() ? &(*memory_)[number] : nullptr;
  if (kept != nullptr) stage_.transaction = kept->transaction;
  give_fields(stage_);
  const bool has_failed = stage_.end == End::failed || stage_.end == End::waived;
  if (kept != nullptr) *kept = has_failed ? PolicyStageFound{.transaction = stage_.transaction} : stage_;
  conclude(stage_);
  if (is_decided(all_.end)) {
    place_ = services().size();
    return;
  }
  leave_stage();
  go_on();
}

// What came, and is no answer, may have been meant to refuse.
void PolicyInquiry::hear_failure(const PolicyRemark& trouble) {
  const bool is_waived = trouble.kind == PolicyRemark::Kind::silent && start_->takes_unjudged;
  if (is_waived && stage_.end == End::waived) return;  // the first one is named
  stage_.end = is_waived ? End::waived : End::failed;
  stage_.said = {trouble.service, trouble.text};
}

// What asks for something else than to take, refuse or defer is never taken: POSTERN_POLICY_FAILURE=accept is for silence.
void PolicyInquiry::follow(std::string_view service, PolicyVerdict verdict) {
  using Kind = PolicyVerdict::Kind;
  const auto decide = [&](End end, SaidByService said) {
    stage_.end = end;
    stage_.said = std::move(said);
  };
  switch (verdict.kind) {
    case Kind::refuse:
      for (const SaidByService* const softer : {&all_.if_refused, &stage_.if_refused})
        if (!softer->words.empty()) return decide(End::deferred, *softer);
      return decide(End::refused, {service, std::move(verdict.words)});
    case Kind::defer: return decide(End::deferred, {service, std::move(verdict.words)});
    case Kind::defer_if_permit: return keep_first(stage_.if_permitted, {service, std::move(verdict.words)});
    case Kind::defer_if_refuse: return keep_first(stage_.if_refused, {service, std::move(verdict.words)});
    case Kind::prepend:
      if (!verdict.words.empty() && !is_about_message()) stage_.fields.push_back(std::move(verdict.words));
      return;
    case Kind::another: return decide(End::failed, {service, "what it asks for is not done here"});
    case Kind::permit:
    case Kind::indifferent:
    case Kind::remark: return;
  }
}

// Once to each transaction.
void PolicyInquiry::give_fields(PolicyStageFound& stage) {
  if (stage.fields.empty() || std::exchange(stage.transaction, transaction_) == transaction_) return;
  fields_.insert(fields_.end(), stage.fields.begin(), stage.fields.end());
}

// What this stage adds to what those before it have said.
void PolicyInquiry::conclude(const PolicyStageFound& stage) {
  keep_first(all_.if_permitted, stage.if_permitted);
  keep_first(all_.if_refused, stage.if_refused);
  if (!is_decided(stage.end) && (stage.end == End::taken || all_.end == End::waived)) return;
  all_.end = stage.end;
  all_.said = stage.said;
}

// After the last service, where none has decided.
void PolicyInquiry::finish() {
  if (is_decided(all_.end)) return;
  if (!all_.if_permitted.words.empty()) {
    all_.end = End::deferred;
    all_.said = all_.if_permitted;
  } else if (all_.end == End::waived) {
    remarks_.push_back({.kind = PolicyRemark::Kind::waived, .service = all_.said.service});
    all_.said = {};
  }
}

engine::Answer PolicyInquiry::answer() const {
  const bool is_of_message = is_about_message();
  switch (all_.end) {
    case End::taken: return {found_, recipient_};
    case End::waived:
      return {is_of_message ? Event::message_policy_waived : Event::recipient_policy_waived, recipient_};
    case End::refused:
      return {is_of_message ? Event::message_policy_refused : Event::recipient_policy_refused, all_.said.words};
    case End::deferred:
      return {is_of_message ? Event::message_policy_deferred : Event::recipient_policy_deferred, all_.said.words};
    case End::failed: break;
  }
  return {is_of_message ? Event::message_policy_failed : Event::recipient_policy_failed, recipient_};
}

}  // namespace postern::ask
