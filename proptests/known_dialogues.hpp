// The dialogues of tests/dialogues as events, so that a changed spec can be asked whether they would still go so.
// in      the folder; each file is served once by the engine, whose answers dialogue_test compares with the file
// out     what each event got; first_difference() replays on another Model
// source  tests/dialogues/README.md
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "spec/model.hpp"
#include "spec/verify.hpp"

namespace postern::proptests {

struct KnownStep {
  std::size_t event;
  std::uint64_t counts;  // bits of the counted facts
  std::string answer;    // reply, its capability lines, effect
};

struct KnownDialogue {
  std::string name;
  std::uint64_t settings_and_facts;
  std::vector<KnownStep> steps;
};

[[nodiscard]] std::vector<KnownDialogue> known_dialogues(const std::filesystem::path& folder, const spec::Model& model);

// What a client would see, of this rule in this state.
[[nodiscard]] std::string answer_of(const spec::Model& model, std::size_t rule, std::uint64_t word);

// The name of the first dialogue that goes otherwise; empty when none does.
[[nodiscard]] std::string first_difference(const std::vector<KnownDialogue>& dialogues, const spec::Model& model);

}  // namespace postern::proptests
