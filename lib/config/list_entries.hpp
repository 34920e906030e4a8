// What may stand in a list of domains or addresses, and what can never match.
// in      one entry, as text_lines.hpp leaves it; never empty
// out     EntryJudgement: fine; idle: no client can ever match it; wrong: it would not be read as it was meant
// errors  none; `remedy` says what to write
// source  qmail-control(5): rcpthosts, badmailfrom; badrcptto patch; jms1 patch 7.08 (expressions in both)
#pragma once

#include <cstdint>
#include <string_view>

namespace postern::config {

// domains   control/rcpthosts, `domains` of postern.toml: example.org, .example.org
// addresses control/badmailfrom, control/badrcptto: user@example.org, @example.org
enum class EntryKind : std::uint8_t { domains, addresses };

struct EntryJudgement {
  enum class Verdict : std::uint8_t { fine, idle, wrong } verdict = Verdict::fine;
  std::string_view remedy{};
};

[[nodiscard]] EntryJudgement judge_entry(std::string_view entry, EntryKind kind);

}  // namespace postern::config
