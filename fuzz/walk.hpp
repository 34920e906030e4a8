// Sessions that take transitions not taken yet: random walks over the policy, each ended where nothing new is left.
// in      the model; all that there is, and what is taken so far, which `keep` is to add to
// out     keep(a session, as fuzz/session_input.hpp has it) for each walk that found something new; the same every time
// source  spec/events.toml: what can happen while a session waits for what; the octets for it are below
#pragma once

#include <functional>
#include <string>

#include "fuzz/transitions.hpp"

namespace postern::fuzz {

void walk(const spec::Model& model, const Transitions& all, const Transitions& taken,
          const std::function<void(const std::string&)>& keep);

}  // namespace postern::fuzz
