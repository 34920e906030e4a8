// The laws of the policy as a reader sees them: name, sentence, what they forbid, source.
// in      spec/laws.toml as it was when this program was built; none when there was no such file
// source  spec/laws.toml, proptests/killed_mutants.toml
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace postern::audit {

struct ToldLaw {
  std::string kind;  // invariant (of states), law (of decisions), possibility
  std::string name, sentence, source;
  std::vector<std::string> statements;  // `never ...`: no decision may fit it; of a possibility: what can be reached
};
// The words that the statements use besides those of the rules.
struct LawWord {
  std::string name, is, meaning;
};

[[nodiscard]] std::vector<ToldLaw> told_laws();
[[nodiscard]] std::vector<LawWord> words_of_laws();

// Of the single changes of the spec that proptests/kill_mutants tries how many a law is the first to notice.
struct NoticedMutants {
  std::size_t total = 0;
  std::map<std::string, std::size_t> first_noticed_by;
};
[[nodiscard]] NoticedMutants noticed_mutants();

}  // namespace postern::audit
