// What a session asks of the world (the questions of spec/events.toml), and which event each answer is.
// out     Question, which one is open, and Answer: an event of spec/events.toml
// ticket  each question has its own; an answer that bears another one is late, and changes nothing
// lives   the texts of an answer until the call that it is given to returns
// source  spec/events.toml: [[question]]; docs/decisions/0009-one-conversation.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "spec/policy_row.hpp"

namespace postern::engine {

using spec::Question;

enum class Ticket : std::uint32_t { none };

// The address to keep is the text of recipient_*; the verdict is the text of hand_over_*, recipient_program_refused,
// recipient_policy_refused and _deferred, message_policy_refused and _deferred, and the words of recipient_client_listed, which has an
// address, too.
struct Answer {
  spec::Event event;
  std::string_view text{};
  std::string_view words{};
};

enum class CredentialsResult : std::uint8_t { accepted, rejected, broken };

enum class HandOverResult : std::uint8_t {
  accepted,          // 250
  deferred,          // 451
  refused,           // 554
  client_gone,       // no reply is sent, and nothing is stored (deviation D26)
  filter_refused,    // 554, in the words of a filter
  filter_deferred,   // 451, in the words of a filter
  filter_failed,     // 451: a filter has said nothing, or nonsense
  filter_discarded,  // 250, and nothing is stored: a filter wants it so
  filter_waived,     // 250: accepted, although a filter has failed
  filter_too_big,    // 250: accepted, and no filter was asked
};
inline constexpr std::size_t hand_over_result_count = std::to_underlying(HandOverResult::filter_too_big) + 1UZ;

// Whether the message is stored or sent on.
[[nodiscard]] constexpr bool is_accepted(HandOverResult result) {
  return result == HandOverResult::accepted || result == HandOverResult::filter_waived ||
         result == HandOverResult::filter_too_big;
}

// The question that is open in this state.
[[nodiscard]] inline std::optional<Question> question_of(spec::Guards guards) {
  for (std::size_t i = 0; i < spec::question_count; ++i)
    if (guards.has(spec::question_row(Question{static_cast<std::uint8_t>(i)}).waiting))
      return Question{static_cast<std::uint8_t>(i)};
  return std::nullopt;
}

// When there is nobody to ask, no memory to ask with, or no answer in time.
[[nodiscard]] inline Answer nobody_answers(Question question) { return {spec::question_row(question).nobody}; }

[[nodiscard]] constexpr Answer answer_of(CredentialsResult result) {
  switch (result) {
    case CredentialsResult::accepted: return {spec::Event::credentials_accepted};
    case CredentialsResult::rejected: return {spec::Event::credentials_rejected};
    case CredentialsResult::broken: break;
  }
  return {spec::Event::credentials_broken};
}

[[nodiscard]] constexpr Answer answer_of(HandOverResult result, std::string_view verdict) {
  switch (result) {
    case HandOverResult::accepted: return {spec::Event::hand_over_accepted, verdict};
    case HandOverResult::refused: return {spec::Event::hand_over_refused, verdict};
    case HandOverResult::client_gone: return {spec::Event::hand_over_client_gone};
    case HandOverResult::filter_refused: return {spec::Event::hand_over_filter_refused, verdict};
    case HandOverResult::filter_deferred: return {spec::Event::hand_over_filter_deferred, verdict};
    case HandOverResult::filter_failed: return {spec::Event::hand_over_filter_failed};
    case HandOverResult::filter_discarded: return {spec::Event::hand_over_filter_discarded, verdict};
    case HandOverResult::filter_waived: return {spec::Event::hand_over_filter_waived, verdict};
    case HandOverResult::filter_too_big: return {spec::Event::hand_over_filter_too_big, verdict};
    case HandOverResult::deferred: break;
  }
  return {spec::Event::hand_over_deferred, verdict};
}

// The word for it in the log, the metrics and the manual: that of its event, `filter_refused`.
[[nodiscard]] inline std::string_view name_of(HandOverResult result) {
  constexpr std::string_view begin = "hand_over.";
  return spec::name_of(answer_of(result, {}).event).substr(begin.size());
}

}  // namespace postern::engine
