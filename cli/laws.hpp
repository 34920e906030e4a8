// The laws of the policy as a reader sees them: name, sentence, what they forbid, source.
// in      spec/laws.toml as it was when this program was built; none when there was no such file
// source  spec/laws.toml
#pragma once

#include <string>
#include <vector>

namespace postern::cli {

struct ToldLaw {
  std::string name, sentence, source;
  std::vector<std::string> never;  // no decision may fit one of these
};

[[nodiscard]] std::vector<ToldLaw> told_laws();

}  // namespace postern::cli
