// What the trials say of the laws and of the rules: which hold, which are broken and where that is seen.
// in      the policy; the settings and facts of the server; trials and their records, of the same length and order
// out     Findings, in the order of the spec; `shown` is the shortest dialogue that shows it
// order   a law is what its worst clause is: broken before held in part before not tried
// errors  none
// source  spec/laws.toml; spec/policy.toml
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/judge/trial_play.hpp"

namespace postern::audit {

enum class Finding : std::uint8_t {
  holds,    // it was tried, and nothing broke it
  in_part,  // of a law: some of its clauses were tried and hold, others were not tried
  broken,
  not_tried,
  unseen,  // nobody can see it from outside
  idle,    // nothing comes to it under these settings
};
[[nodiscard]] std::string_view name_of(Finding finding);

// Where it is seen: the first lines of the dialogue of a trial.
struct Shown {
  std::size_t trial = 0, lines = 0;
};

struct ClauseFinding {
  std::string statement;
  Finding finding{};
  std::string reason;          // of what is not tried, or unseen
  std::size_t tried = 0;       // decisions that it was tried on, ten at most
  std::optional<Shown> shown;  // of a broken one
};

struct LawFinding {
  std::string kind, name, sentence, source;
  unsigned line = 0;  // of spec/laws.toml
  Finding finding{};
  std::vector<ClauseFinding> clauses;
};

struct RuleFinding {
  std::string id, source, reason;
  unsigned line = 0;  // of spec/policy.toml
  Finding finding{};
  unsigned wanted = 0;                // the code of the table
  std::vector<unsigned> other_codes;  // of the same class, which were heard instead
  std::optional<Shown> shown;         // in which it is answered otherwise
};

struct Tried {
  spec::Guards settings_and_facts;
  std::vector<Trial> trials;
  std::vector<TrialRecord> records;
  std::vector<std::string> why_not;  // of each trial; empty where it was played
};

[[nodiscard]] std::vector<LawFinding> judge_laws(const Policy& policy, const Tried& tried);
[[nodiscard]] std::vector<RuleFinding> judge_rules(const Policy& policy, const Tried& tried);

}  // namespace postern::audit
