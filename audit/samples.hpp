// What a client says, or the world does, for an event to happen: lines of a .smtp dialogue.
// in      an event, and the state it happens in (an answer depends on what was asked for)
// out     lines as tests/dialogues/README.md has them; what the head of the dialogue must say for it
// source  spec/events.toml (`meaning`)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/policy.hpp"

namespace postern::audit {

[[nodiscard]] std::vector<std::string> sample_lines(spec::Event event, spec::Guards before);
// The words of its reply that the spec leaves to a queue program, a list or a program: those of sample_lines(); empty for most.
[[nodiscard]] std::string_view sample_words(spec::Event event);
// Words for `with`: `databytes=1000` when the event is about size; empty for most.
[[nodiscard]] std::string sample_head(spec::Event event);
// Where the line stands for more than a file can hold, or for a counted fact: it is described, not shown.
[[nodiscard]] bool can_be_shown(spec::Event event);

}  // namespace postern::audit
