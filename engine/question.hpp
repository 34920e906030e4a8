// What a session asks of the world, and which event each answer is. The one place where a question is added.
// out     Question, the state in which the session waits for its answer, and Answer: an event of spec/events.toml
// ticket  each question has its own; an answer that bears another one is late, and changes nothing
// lives   the text of an answer until the call that it is given to returns
// source  spec/events.toml (recipient.*, credentials.*, hand_over.*); docs/decisions/0009-one-conversation.md
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "spec/policy_row.hpp"

namespace postern::engine {

enum class Question : std::uint8_t {
  recipient,    // Session::mailbox(): may this client send to it, and how is it written?
  credentials,  // Session::username(), password(): are they right?
  hand_over,    // Session::envelope(): is the message safe?
};

enum class Ticket : std::uint32_t { none };

// The address to keep is the text of recipient_*, the verdict that of hand_over_*.
struct Answer {
  spec::Event event;
  std::string_view text{};
};

enum class CredentialsResult : std::uint8_t { accepted, rejected, broken };

enum class HandOverResult : std::uint8_t {
  accepted,     // 250
  deferred,     // 451
  refused,      // 554
  client_gone,  // nobody is told, and nothing is stored (deviation D26)
};

struct QuestionRow {
  Question question;
  std::uint64_t waiting;  // the state in which an answer counts
};

inline constexpr std::array question_rows = {
    QuestionRow{Question::recipient, spec::bit::waiting_recipient},
    QuestionRow{Question::credentials, spec::bit::waiting_credentials},
    QuestionRow{Question::hand_over, spec::bit::waiting_hand_over},
};

inline constexpr std::uint64_t waiting_for_answer = [] {
  std::uint64_t any = 0;
  for (const QuestionRow& row : question_rows) any |= row.waiting;
  return any;
}();

// The question that is open in this state.
[[nodiscard]] constexpr std::optional<Question> question_of(spec::Guards guards) {
  for (const QuestionRow& row : question_rows)
    if (guards.has(row.waiting)) return row.question;
  return std::nullopt;
}

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
    case HandOverResult::deferred: break;
  }
  return {spec::Event::hand_over_deferred, verdict};
}

}  // namespace postern::engine
