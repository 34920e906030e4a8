#include "dns/confirmed_name.hpp"

#include <algorithm>
#include <new>

namespace postern::dns {
namespace {

// All names of clients share the places of one, since each client chooses whose servers are asked: else silent ones of his would
// leave none for DNS lists.
constexpr std::string_view zone = "names of clients";

}  // namespace

ConfirmedName::ConfirmedName(Resolver& resolver) : resolver_(resolver) {
  reverse_.owner = this;
  for (Step& step : forward_) step.owner = this;
}

const ConfirmedName::Outcome* ConfirmedName::begin(const base::Address& address) {
  cancel();
  outcome_.failure = Answer::Failure::nothing;
  address_ = address;
  try {
    ask(reverse_, Type::ptr, reverse_name(address));
  } catch (const std::bad_alloc&) {
    reverse_.found = Found::failed;
    outcome_.failure = Answer::Failure::no_memory;
  }
  return conclude() ? &outcome_ : nullptr;
}

void ConfirmedName::cancel() {
  reverse_.cancel();
  reverse_.found = Found::none;
  for (Step& step : forward_) {
    step.cancel();
    step.found = Found::none;
  }
}

void ConfirmedName::ask(Step& step, Type type, std::string_view name) {
  step.found = Found::waits;
  if (const Answer* const known = resolver_.ask({.type = type, .name = name, .zone = zone}, step)) take(step, *known);
}

void ConfirmedName::step_ended(Step& step, const Answer& answer) {
  take(step, answer);
  if (conclude()) ended(outcome_);
}

void ConfirmedName::take(Step& step, const Answer& answer) {
  step.found = answer.kind == Answer::Kind::failed ? Found::failed : Found::none;
  if (step.found == Found::failed) outcome_.failure = answer.failure;
  if (answer.kind != Answer::Kind::found) return;
  if (&step == &reverse_)
    take_names(answer);
  else if (std::ranges::find(answer.addresses, address_) != answer.addresses.end())
    step.found = Found::confirmed;
}

// The answer may end with the next question: what is needed of it is taken first.
void ConfirmedName::take_names(const Answer& answer) {
  std::size_t names = 0;
  try {
    for (const std::string& text : answer.texts)
      if (names < max_names && !text.starts_with('-'))
        forward_[names++].name = text;  // no program takes it for an option
    for (std::size_t i = 0; i < names; ++i)
      ask(forward_[i], address_.is_ipv4() ? Type::a : Type::aaaa, forward_[i].name);
  } catch (const std::bad_alloc&) {
    cancel();
    reverse_.found = Found::failed;
    outcome_.failure = Answer::Failure::no_memory;
  }
}

// Whether nothing is waited for any more; then the outcome stands.
bool ConfirmedName::conclude() {
  const auto has = [this](Found found) {
    return reverse_.found == found || std::ranges::find(forward_, found, &Step::found) != forward_.end();
  };
  if (has(Found::waits)) return false;
  outcome_.kind = has(Found::failed) ? Outcome::Kind::failed : Outcome::Kind::none;
  outcome_.name.clear();
  if (outcome_.kind != Outcome::Kind::failed) outcome_.failure = Answer::Failure::nothing;
  const auto first = std::ranges::find(forward_, Found::confirmed, &Step::found);
  if (first == forward_.end()) return true;
  outcome_.kind = Outcome::Kind::confirmed;
  outcome_.failure = Answer::Failure::nothing;
  outcome_.name = std::move(first->name);
  return true;
}

}  // namespace postern::dns
