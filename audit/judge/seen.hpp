// What can be seen of one decision of a server, in the words of the laws: of each word the values that it may have had.
// in      a trial and its record; what the server does where nothing is wrong (Usual), to read the state after an act
// out     Seen; Words for a decision; whether a formula is true, false or cannot be told of them
// how     three values (Kleene): what nobody can see is any of its values. Codes that a client acts upon are seen as they
//         are, of others the class: another code of the same class may mean the same
// errors  none
// source  spec/laws.hpp (the vocabulary); RFC 5321 4.2.1 (classes of codes)
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "audit/judge/trial_play.hpp"
#include "spec/laws.hpp"

namespace postern::audit {

struct Seen {
  unsigned code = 0;
  std::optional<bool> is_closed;
  std::uint64_t transactions = 0, authentications = 0;  // bits of the states that may follow
  bool awaits_command = false;                          // surely; false: perhaps
  bool is_late = false;                                 // the reply came after a delay
  std::optional<Capabilities> listed;
  std::optional<spec::Effect> effect;  // of the question before the outcome that was answered
};

// A decision, seen: of the tested act of a trial.
struct Observation {
  std::size_t trial = 0;
  spec::Guards before;
  spec::Event event{};
  Seen seen;
  std::optional<Seen> at_once;  // without what was looked at after the act; none: it is of that
};

// Where a command by itself is answered as the table has it, and by which code: (the state before, the event).
using Usual = std::map<std::pair<std::uint64_t, spec::Event>, unsigned>;
[[nodiscard]] Usual usual_of(std::span<const Trial> trials, std::span<const TrialRecord> records);
// One, or two where a question was asked; none when the trial did not get there. One more is a look at the state after the
// act that is answered as in no state of the table.
[[nodiscard]] std::vector<Observation> observations_of(const Trial& trial, const TrialRecord& record,
                                                       const Usual& usual);

using Values = std::bitset<128>;
using Words = std::vector<Values>;
enum class Truth : std::uint8_t { no, unknown, yes };

// What is true of a decision before anything is seen of it: the words of the client's side.
[[nodiscard]] Words unseen_words(const spec::Model& model, const spec::Vocabulary& words, spec::Guards before,
                                 spec::Event event);
[[nodiscard]] Words words_of(const spec::Model& model, const spec::Vocabulary& words, const Observation& observation);
[[nodiscard]] Truth truth_of(const spec::Expression& expression, const Words& words);

}  // namespace postern::audit
