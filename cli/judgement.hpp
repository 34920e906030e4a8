// What `check` says of one environment: of the service, or of one class of its clients.
// out     Judgement: values, start, dangers; the gravest grade makes the exit code
// source  deviations D10, D11, D12
#pragma once

#include <string>
#include <vector>

#include "audit/advice.hpp"
#include "audit/behaviour.hpp"
#include "audit/explanation.hpp"
#include "audit/json.hpp"
#include "audit/seed_table.hpp"
#include "cli/source.hpp"
#include "config/in_force.hpp"

namespace postern::cli {

struct Judgement {
  std::string title;  // "the environment", "class 192.0.2."
  audit::Explanation explanation;
  std::string certificate_from, backend_from;
  std::vector<audit::Advice> advice;  // the gravest first
  std::vector<std::string> remarks;
  std::vector<config::InForce> asked;  // about clients and recipients
  audit::PlaceInTable place;
  std::string reply;   // to every client; the greeting when the start is fine
  std::string rule;    // that decides the start
  std::string listed;  // the reply by which RBLSMTPD refuses these clients; empty: it lets them in
  bool password_in_clear = false;
  std::string password;  // may it cross in clear, and why

  [[nodiscard]] audit::Grade worst() const { return advice.empty() ? audit::Grade::note : advice.front().grade; }
};

[[nodiscard]] Judgement judge(const audit::Policy& policy, const audit::Comparison& comparison,
                              const Variables& variables, const audit::SaidFacts& said, audit::Clients clients);

// Of names that are nearly those of a variable (config/variables.hpp): what they were meant to set is not set.
void warn_of_misspellings(std::vector<audit::Advice>& advice, const std::vector<std::string>& sentences);

[[nodiscard]] std::string write_text(const audit::Policy& policy, const Judgement& judgement);
[[nodiscard]] audit::Json to_json(const audit::Policy& policy, const Judgement& judgement);

}  // namespace postern::cli
