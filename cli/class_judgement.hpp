// What `check` says of each class of clients in a tcprules cdb.
// in      the variables below the classes; the cdb; what the caller said about the facts
// out     a judgement a class, none where it is denied; the one for everybody else is always there
// errors  UsageError: as read_tcprules
// source  tcprules(1)
#pragma once

#include <string>
#include <vector>

#include "cli/judgement.hpp"
#include "cli/tcprules.hpp"

namespace postern::cli {

struct ClassJudgement {
  TcpClass tcp_class;
  std::vector<Judgement> judgement;  // none when these clients are denied
};

struct TcpRulesFile {
  std::string path;
  audit::SaidFacts said;
};

[[nodiscard]] std::vector<ClassJudgement> judge_classes(const audit::Policy& policy,
                                                        const audit::Comparison& comparison, const Variables& base,
                                                        const TcpRulesFile& rules);

void count(const std::vector<ClassJudgement>& classes, audit::AdviceCounts& counts);
// What an otherwise valid start would refuse: `class 10.`; and whether it would serve any client.
struct RefusedClasses {
  std::vector<std::string> titles;
  bool are_all = false;
};
[[nodiscard]] RefusedClasses refused_classes(const std::vector<ClassJudgement>& classes);
[[nodiscard]] audit::Grade worst_of(const std::vector<ClassJudgement>& classes);
[[nodiscard]] std::string write_text(const audit::Policy& policy, const std::vector<ClassJudgement>& classes);
[[nodiscard]] audit::Json to_json(const audit::Policy& policy, const std::vector<ClassJudgement>& classes);

}  // namespace postern::cli
