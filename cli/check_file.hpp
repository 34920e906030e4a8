// `postern check -c`: what `postern serve -c` would refuse, in its own words, and the judgement of each listener.
// in      the path of the file; this process may become one that knows no other root and home than the file's
// out     FileJudgement: advice on the start as a whole, a judgement for each listener and each class of its tcprules
// how     the file is read as serve reads it, and the start is tried (server/server.hpp) as the caller
// errors  std::runtime_error: no process or pipe to be had
// source  docs/operating.md
#pragma once

#include <string>
#include <vector>

#include "cli/class_judgement.hpp"

namespace postern::cli {

struct ListenerJudgement {
  Judgement judgement;
  std::string tcprules;  // empty: no classes
  std::vector<ClassJudgement> classes;
};

struct FileJudgement {
  std::string file;
  std::vector<audit::Advice> advice;         // the gravest first
  std::vector<ListenerJudgement> listeners;  // none when the file cannot be understood

  [[nodiscard]] audit::Grade worst() const;
  // Of what is reported; what the start says and a listener repeats is counted once.
  [[nodiscard]] audit::AdviceCounts counts() const;
  // Of a start that is fine: the classes of tcprules whose clients it would refuse.
  [[nodiscard]] std::vector<std::string> refused_classes() const;
  [[nodiscard]] bool is_start_refused() const;
};

[[nodiscard]] FileJudgement judge_file(const audit::Policy& policy, const audit::Comparison& comparison,
                                       const std::string& file);

[[nodiscard]] std::string write_text(const audit::Policy& policy, const FileJudgement& judgement);
[[nodiscard]] audit::Json to_json(const audit::Policy& policy, const FileJudgement& judgement);

}  // namespace postern::cli
