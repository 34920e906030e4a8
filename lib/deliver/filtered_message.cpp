#include "deliver/filtered_message.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/client_protocol.hpp"
#include "deliver/envelope_paths.hpp"
#include "spec/policy_row.hpp"

namespace postern::deliver {
namespace {

using Result = Outcome::Result;
using spec::HandOverText;

constexpr std::size_t piece_octets = base::spool_memory_octets;

std::string words_of(HandOverText text) { return std::string(spec::text_of(text)); }

Outcome not_kept(int error) {
  const bool is_full = error == ENOSPC || error == EDQUOT;
  return {Result::deferred, words_of(is_full ? HandOverText::disk_full : HandOverText::cannot_store),
          "a message for filters cannot be kept in TMPDIR" + base::error_in_words(error)};
}

std::string words_or(const std::string& words, HandOverText otherwise) {
  return words.empty() ? words_of(otherwise) : words;
}

// Of one that is not handed over.
Outcome outcome_of(const filter::Judgement& judgement, MessageId id) {
  using Kind = filter::Judgement::Kind;
  switch (judgement.kind) {
    case Kind::refused: return {Result::filter_refused, words_or(judgement.words, HandOverText::filter_refused)};
    case Kind::deferred: return {Result::filter_deferred, words_or(judgement.words, HandOverText::filter_deferred)};
    case Kind::discarded: return {Result::filter_discarded, id.verdict()};
    case Kind::failed: return {Result::filter_failed, "a filter has failed"};
    case Kind::unfit: return {Result::refused, words_of(HandOverText::header_beyond_filters), judgement.cause};
    case Kind::no_room:
    case Kind::passed:
    case Kind::waived:
    case Kind::too_big: break;
  }
  return {Result::deferred, words_of(HandOverText::cannot_store), judgement.cause};
}

std::string envelope_of(const filter::FilterEnvelope& envelope) {
  std::string octets = 'F' + envelope.reverse_path + '\0';
  for (const std::string& path : envelope.forward_paths) octets += 'T' + path + '\0';
  return octets + '\0';
}

}  // namespace

std::string_view decided_by(const filter::Judgement& judgement, std::string_view way_out) {
  if (judgement.is_handed_over()) return way_out;
  return judgement.said_by.empty() ? "POSTERN_FILTERS" : std::string_view(judgement.said_by);
}

Outcome named_after(const filter::Judgement& judgement, Outcome outcome) {
  if (outcome.result != Result::accepted) return outcome;
  if (judgement.kind == filter::Judgement::Kind::waived) outcome.result = Result::filter_waived;
  if (judgement.kind == filter::Judgement::Kind::too_big) outcome.result = Result::filter_too_big;
  return outcome;
}

std::vector<std::string> parameters_of(const engine::Envelope& envelope) {
  if (envelope.declared_octets() == 0) return {};
  return {"SIZE=" + std::to_string(envelope.declared_octets())};
}

std::string FilteredMessage::begin(MessageId id, std::string_view received, std::string_view) {
  mail_.clear();
  id_ = id;
  received_ = received;
  if (file_ == File::at_once) mail_.open();
  return mail_.error() == 0 ? std::string() : not_kept(mail_.error()).cause;
}

void FilteredMessage::abandon() {
  mail_.clear();
  if (next_ != nullptr) next_->abandon();
}

Outcome FilteredMessage::finish(std::string_view octets, std::string_view envelope_octets) {
  if (auto outcome = judge(octets, envelope_octets)) {
    abandon();
    return std::move(*outcome);
  }
  Outcome outcome = next_->finish(last_octets_, envelope_);
  mail_.clear();
  return named_after(judgement_, std::move(outcome));
}

std::optional<Outcome> FilteredMessage::judge(std::string_view octets, std::string_view envelope_octets) {
  judgement_ = {};
  mail_.write(octets);
  if (mail_.error() != 0) return not_kept(mail_.error());
  const auto paths = parse_envelope(envelope_octets);
  if (!paths) return Outcome{Result::deferred, words_of(HandOverText::cannot_store), "no whole envelope"};
  filter::FilterMessage message{
      .client = introduction_.client,
      .envelope = {.reverse_path = std::string(paths->reverse_path),
                   .reverse_path_parameters = introduction_.reverse_path_parameters,
                   .forward_paths = {paths->forward_paths.begin(), paths->forward_paths.end()}},
      .host = introduction_.host,
      .id = id_.text(),
      .mail = &mail_};
  judgement_ = filters_.judge(message, mail_, introduction_.book);
  if (!judgement_.is_handed_over()) return outcome_of(judgement_, id_);
  envelope_ = envelope_of(message.envelope);
  next_->begin(id_, received_, message.envelope.reverse_path);  // finish() reports its failure
  auto last = hand_on();
  if (!last) return not_kept(last.error());
  last_octets_ = std::move(*last);
  return std::nullopt;
}

std::expected<std::string, int> FilteredMessage::hand_on() {
  std::string piece;
  for (std::uint64_t from = 0; from < mail_.octets(); from += piece.size()) {
    if (!piece.empty()) next_->append(piece);
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece_octets, mail_.octets() - from)));
    for (std::size_t filled = 0; filled < piece.size();) {
      const auto got = mail_.read(from + filled, std::span(piece).subspan(filled));
      if (!got || *got == 0) return std::unexpected(got ? EIO : got.error());
      filled += *got;
    }
  }
  return piece;
}

FilteredMessage::Next FilteredMessage::next_message() {
  mail_.clear();
  return {.message = std::move(next_), .last_octets = std::move(last_octets_), .envelope = std::move(envelope_)};
}

}  // namespace postern::deliver
