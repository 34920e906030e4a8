// The shape of the generated policy: one row decides one event in some of the states.
// out     PolicyRow, ReplyRow, CapabilityRow, QueueExitRow; the rows themselves are written by spec/generate.cpp
// states  Guards, one word: a bit for every setting, fact and state value of spec/settings.toml (policy_names.hpp)
// lives   for ever: everything here is constant data without pointers, so that a process pays no relocation for it
// source  spec/settings.toml, spec/events.toml, spec/policy.toml, spec/replies.toml
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "spec/policy_names.hpp"  // generated: enum classes Event, Reply, Effect, Rule, Question; namespace bit

namespace postern::spec {

// Everything that may affect a decision, and nothing else. A setting or fact has one bit; of a state's bits one is set.
struct Guards {
  std::uint64_t bits = 0;

  [[nodiscard]] bool has(std::uint64_t bit) const { return (bits & bit) != 0; }
  void set(std::uint64_t bit, bool value) { bits = value ? bits | bit : bits & ~bit; }
  friend bool operator==(const Guards&, const Guards&) = default;
};

// Decides when (guards & care) == want; then guards becomes (guards & ~clear) | set.
struct PolicyRow {
  std::uint64_t care, want;
  std::uint64_t clear, set;
  Rule rule;
  Reply reply;
  Effect effect;
};

// A piece of the one text that holds all generated strings.
struct TextAt {
  std::uint16_t offset, octets;
};

struct ReplyRow {
  std::uint16_t code;         // 0: nothing is sent
  bool has_capability_lines;  // an EHLO reply: one more line a capability that holds
  bool is_mistake;            // counts against the client (deviation D6)
  TextAt text;                // without the code; {host}, {size}, {verdict}, {version} are filled in
};

// What is asked of the world.
struct QuestionRow {
  std::uint64_t waiting;  // the state in which an answer counts
  Event nobody;           // the answer when there is nobody to ask, no memory to ask with, or no answer in time
  std::uint16_t seconds;  // so long an answer is waited for; 0: until it comes
};

// What an event does to the counts of a session.
struct CountsOf {
  bool is_auth_attempt;    // deviation D7
  bool forgives_mistakes;  // deviation D6
};

struct CapabilityRow {
  std::uint64_t care, want;
  TextAt text;
  std::uint16_t number;  // rows of one capability share it: any of them may hold
};

struct CipherListRow {
  std::uint64_t care, want;
  TextAt text;
};

struct QueueExitRow {
  std::uint8_t first, last;
  bool is_permanent;
  TextAt text;
};

// A setting that the operator has not given: it is as a fact is, where `default_fact` names one, else as `default_value`.
struct SettingRow {
  std::uint64_t bit, default_fact;
  bool default_value;
  TextAt name;
};

// Tried in order; in every state in which the event may happen one of them decides.
[[nodiscard]] std::span<const PolicyRow> policy_rows(Event event);
// The values of `waiting` in which the event may happen (`while` of spec/events.toml), as guards.
[[nodiscard]] std::uint64_t waiting_for(Event event);
[[nodiscard]] const ReplyRow& reply_row(Reply reply);
[[nodiscard]] CountsOf counts_of(Event event);
[[nodiscard]] const QuestionRow& question_row(Question question);
[[nodiscard]] std::span<const CapabilityRow> capability_rows();
// Tried in order; the last one fits every exit code but 0.
[[nodiscard]] std::span<const QueueExitRow> queue_exit_rows();
[[nodiscard]] std::span<const SettingRow> setting_rows();
[[nodiscard]] std::string_view text_of(HandOverText text);
// The ciphers of TLS 1.2 under these settings, where the operator names none.
[[nodiscard]] std::string_view cipher_list(Guards guards);
[[nodiscard]] std::string_view text_at(TextAt at);

[[nodiscard]] std::string_view name_of(Event event);
[[nodiscard]] std::string_view name_of(Rule rule);    // the id that a log line carries
[[nodiscard]] std::string_view reason_of(Rule rule);  // the shortest explanation; empty for most rules

// SHA-256 of spec/policy.snapshot in hexadecimal: which policy this program follows.
[[nodiscard]] std::string_view policy_hash();

// These settings and facts, and the default for each setting whose bit is not among those given.
[[nodiscard]] Guards with_defaults(Guards settings_and_facts, std::uint64_t given);
// The first state of a session under these settings and facts.
[[nodiscard]] Guards start(Guards settings_and_facts);

}  // namespace postern::spec
