// What an auditor asks of the policy: a sentence each, the laws that promise it, and a session in which it happens.
// out     AuditorsAnswer: data; document.cpp makes a section of them, `postern spec --json` shows them
// how     every sentence is counted from the decisions of all configurations; nothing is judged here, and nothing is known
//         beforehand but the question and the names of its laws
// source  spec/policy.toml, spec/events.toml, spec/laws.toml
#pragma once

#include <string>
#include <vector>

#include "audit/policy.hpp"

namespace postern::audit {

struct AuditorsAnswer {
  std::string question, sentence;
  std::vector<std::string> laws;  // by name
  std::string witness;            // a dialogue, as tests/dialogues has it; empty: nothing to be shown
};

[[nodiscard]] std::vector<AuditorsAnswer> answer_auditor(const Policy& policy);

}  // namespace postern::audit
