// Everything that is known of a decision, asked in one place and remembered: the laws, the rules as they are written,
// then the second opinion.
// in      the folder of the spec, read once; then Decisions
// out     what is wrong with a decision: the law it breaks, or what the rules or the reference would have done; empty when nothing is
// speed   a session is somewhere it has been before nearly always: then one look into a table, and no allocation
// limits  data_without_end is not judged by the reference, which does not count so far
// errors  a spec that does not load is reported on stderr and ends the program
// source  testing/law_book.hpp; testing/reference.hpp
#pragma once

#include <deque>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "testing/law_book.hpp"
#include "testing/laws.hpp"

namespace postern::testing {

class Judge {
 public:
  explicit Judge(const std::filesystem::path& spec_folder);
  [[nodiscard]] const std::string& complaint(const Decision& decision) const;

 private:
  struct Slot {
    Decision decision;
    const std::string* complaint = nullptr;
  };
  struct Hash {
    std::size_t operator()(const Decision& decision) const;
  };
  LawBook laws_;
  mutable std::vector<Slot> recent_;
  mutable std::unordered_map<Decision, std::string, Hash> judged_;
};

// What the reference does in the same state with the same event, where it differs: reply code, effect, state after.
[[nodiscard]] std::string contradiction(const Decision& decision);

}  // namespace postern::testing
