// The decisions of spec/elsewhere.toml, as the snapshot shows them: so a decision that is dropped or reworded there changes the
// policy's hash.
// in      the folder of elsewhere.toml, or its text
// out     DecisionElsewhere: name and what is decided, in the order of the file. Where it stands in the code is no policy
// errors  Problems: what the parser says, a missing or unknown key, a name that stands twice
// source  spec/elsewhere.toml
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "spec/model.hpp"

namespace postern::spec {

struct DecisionElsewhere {
  std::string name, decides;
};

[[nodiscard]] std::vector<DecisionElsewhere> load_elsewhere(const std::filesystem::path& folder, Problems& problems);
[[nodiscard]] std::vector<DecisionElsewhere> parse_elsewhere(std::string_view text, Problems& problems);

}  // namespace postern::spec
