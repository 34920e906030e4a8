// What `check` says of one environment: of the service, or of one class of its clients.
// out     Judgement: values, start, dangers; the gravest grade makes the exit code
// source  deviations D10, D11, D12
#pragma once

#include <string>
#include <vector>

#include "cli/advice.hpp"
#include "cli/behaviour.hpp"
#include "cli/explanation.hpp"
#include "cli/json.hpp"
#include "cli/seed_table.hpp"
#include "cli/source.hpp"

namespace postern::cli {

struct Judgement {
  std::string title;  // "the environment", "class 192.0.2."
  Explanation explanation;
  std::string certificate_from, backend_from;
  std::vector<Advice> advice;  // the gravest first
  std::vector<std::string> remarks;
  PlaceInTable place;
  std::string reply;   // to every client; the greeting when the start is fine
  std::string rule;    // that decides the start
  std::string listed;  // the reply by which RBLSMTPD refuses these clients; empty: it lets them in
  bool password_in_clear = false;
  std::string password;  // may it cross in clear, and why

  [[nodiscard]] Grade worst() const { return advice.empty() ? Grade::note : advice.front().grade; }
};

[[nodiscard]] Judgement judge(const Policy& policy, const Comparison& comparison, const Variables& variables,
                              const SaidFacts& said, Clients clients);

// Names that are nearly those of a variable: what they were meant to set is not set.
void warn_of_misspellings(std::vector<Advice>& advice, const std::vector<std::string>& names);

[[nodiscard]] std::string write_text(const Policy& policy, const Judgement& judgement);
[[nodiscard]] Json to_json(const Policy& policy, const Judgement& judgement);

}  // namespace postern::cli
