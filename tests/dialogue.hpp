// The dialogues of cli/dialogue.hpp, under the name that tests use.
#pragma once

#include "cli/dialogue.hpp"

namespace postern::tests {

using cli::Dialogue;
using cli::dialogue_host;
using cli::escaped;
using cli::is_outcome_of_a_look_up;
using cli::Item;
using cli::ItemKind;
using cli::load_dialogue;
using cli::load_dialogues;
using cli::parse_dialogue;
using cli::written;

}  // namespace postern::tests
