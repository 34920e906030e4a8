#include "filter/filters.hpp"

#include <utility>

#include "filter/edit.hpp"
#include "filter/milter.hpp"
#include "filter/policy_service.hpp"
#include "filter/rspamd.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using Kind = Judgement::Kind;

ask::Outcome outcome_of(Verdict::Kind kind) {
  switch (kind) {
    case Verdict::Kind::accept:
    case Verdict::Kind::discard: return ask::Outcome::accepted;
    case Verdict::Kind::refuse: return ask::Outcome::refused;
    case Verdict::Kind::defer: return ask::Outcome::deferred;
    case Verdict::Kind::failed: break;
  }
  return ask::Outcome::failed;
}

// A field of the client's with that name would say what no filter has said. These edits are ours, and not of those that one filter
// may make.
Edits put_aside(const std::optional<std::string>& why) {
  Edits edits;
  if (!why) return edits;
  std::string value = " " + *why;
  for (char& octet : value)
    if (octet < ' ' || octet > '~') octet = '?';
  value.resize(std::min<std::size_t>(value.size(), 900));
  edits.header.push_back({.kind = HeaderEdit::Kind::remove, .name = "X-Quarantine"});
  edits.header.push_back({.kind = HeaderEdit::Kind::insert, .name = "X-Quarantine", .value = std::move(value)});
  return edits;
}

Filters::One make(const config::FilterPlace& place, const config::Start& start) {
  switch (place.kind) {
    case config::FilterKind::milter: return {std::make_unique<Milter>(place.address, place.text), ask::Source::milter};
    case config::FilterKind::policy:
      return {std::make_unique<PolicyService>(place.address, place.text), ask::Source::policy_service};
    case config::FilterKind::rspamd: break;
  }
  return {std::make_unique<Rspamd>(place.address, place.text, start.rspamd_settings), ask::Source::rspamd};
}

}  // namespace

Judgement Filters::judge(FilterMessage& message, base::MailSpool& mail, ask::QuestionBook* book) const {
  Judgement judgement;
  if (max_octets_ != 0 && mail.octets() > max_octets_) {
    judgement.kind = Kind::too_big;
    return judgement;
  }
  const auto header = Header::read(mail);
  if (!header) {
    const bool is_too_large = header.error().kind == HeaderTrouble::Kind::too_large;
    judgement.kind = is_too_large ? Kind::unfit : Kind::no_room;
    judgement.cause = is_too_large ? "its header has more octets or fields than filters may edit"
                                   : "the message cannot be read" + base::error_in_words(header.error().error);
    return judgement;
  }
  if (header->is_in_doubt()) {
    if (const auto written = write_again(*header, mail); !written) {
      judgement.kind = Kind::no_room;
      judgement.cause = written.error().why;
      return judgement;
    }
  }
  const base::Deadline end = base::after_seconds(spec::max_filter_seconds);
  for (std::size_t still_to_ask = filters_.size(); const One& one : filters_) {
    const auto asked = std::chrono::steady_clock::now();
    Verdict verdict = ask(one, message, base::end_of_share(asked, end, still_to_ask--), book);
    judgement.said_by = one.filter->name();
    judgement.remarks.push_back(
        {.filter = judgement.said_by,
         .verdict = verdict.kind,
         .took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - asked),
         .cause = verdict.cause});
    if (!follow(std::move(verdict), message, mail, judgement)) return judgement;
  }
  if (judgement.kind == Kind::passed) judgement.said_by.clear();
  return judgement;
}

Verdict Filters::ask(const One& one, const FilterMessage& message, base::Deadline end, ask::QuestionBook* book) const {
  ask::OpenQuestion question(book, one.source, one.filter->name());
  Verdict verdict = one.filter->judge(message, end);
  question.end(outcome_of(verdict.kind), verdict.cause);
  return verdict;
}

bool Filters::follow(Verdict verdict, FilterMessage& message, base::MailSpool& mail, Judgement& judgement) const {
  if (verdict.kind == Verdict::Kind::accept) {
    auto applied = apply(verdict.edits, message, mail);
    if (applied) applied = apply(put_aside(verdict.quarantine), message, mail);
    if (!applied && applied.error().kind == EditTrouble::Kind::no_room) {
      judgement.kind = Kind::no_room;
      judgement.cause = applied.error().why;
      return false;
    }
    if (applied && verdict.quarantine) judgement.is_quarantined = true;
    if (!applied) {  // what it wants cannot be; half of it may stand in the message, which goes nowhere now
      verdict.kind = judgement.remarks.back().verdict = Verdict::Kind::failed;
      verdict.is_silent = false;
      judgement.remarks.back().cause = applied.error().why;
    }
  }
  switch (verdict.kind) {
    case Verdict::Kind::accept:
      if (!message.envelope.forward_paths.empty()) return true;
      judgement.kind = Kind::discarded;  // it has removed all recipients
      return false;
    case Verdict::Kind::refuse: judgement.kind = Kind::refused; break;
    case Verdict::Kind::defer: judgement.kind = Kind::deferred; break;
    case Verdict::Kind::discard: judgement.kind = Kind::discarded; break;
    case Verdict::Kind::failed:
      judgement.kind = on_failure_ == OnFailure::accept && verdict.is_silent ? Kind::waived : Kind::failed;
      return judgement.kind == Kind::waived;
  }
  judgement.words = std::move(verdict.words);
  return false;
}

std::unique_ptr<Filters> make_filters(const config::Start& start) {
  if (start.filters.empty()) return nullptr;
  std::vector<Filters::One> filters;
  for (const config::FilterPlace& place : start.filters) filters.push_back(make(place, start));
  return std::make_unique<Filters>(std::move(filters),
                                   start.takes_unfiltered ? Filters::OnFailure::accept : Filters::OnFailure::defer,
                                   start.filter_max_octets);
}

}  // namespace postern::filter
