// A dialogue on an engine::Conversation, without network: what was said, and what was decided.
// in      a Dialogue (audit/dialogue.hpp)
// out     one ReplayStep for each decision, in order; and where the server says something else than the file does
// errors  none; what the session does not wait for is a mismatch
// source  engine/conversation.hpp
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/dialogue.hpp"
#include "audit/policy.hpp"

namespace postern::audit {

struct ReplayStep {
  std::size_t line = 0;  // of the file, that brought it about
  std::string said;      // as the file writes it
  spec::Guards before, after;
  spec::Rule rule{};
  spec::Effect effect{};
  std::string reply;  // lines joined by "\n", without the last line end
};

struct Mismatch {
  std::size_t line = 0;
  std::string wanted, found;
};

struct Replayed {
  std::vector<ReplayStep> steps;
  std::optional<Mismatch> mismatch;  // the first one
};

[[nodiscard]] Replayed replay(const Policy& policy, const Dialogue& dialogue);

}  // namespace postern::audit
