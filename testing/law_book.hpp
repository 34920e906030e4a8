// The laws of spec/laws.toml, applied to the decisions that a running session takes.
// in      the folder of the spec, read once; then Decisions
// out     the name of the first law that a decision breaks; empty when it keeps them all
// errors  a spec that does not load is reported on stderr and ends the program
// source  spec/laws.toml; proptests/exhaustive_laws.cpp applies them to every decision that there is
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "spec/laws.hpp"
#include "testing/laws.hpp"

namespace postern::testing {

class LawBook {
 public:
  explicit LawBook(const std::filesystem::path& folder);
  [[nodiscard]] const std::string& broken_by(const Decision& decision) const;
  // What the rules as they are written, applied from their guards, say otherwise; slow.
  [[nodiscard]] std::string departure(const Decision& decision) const;

 private:
  [[nodiscard]] std::string judge(const Decision& decision) const;

  spec::Model model_;
  spec::Laws laws_;
  // What was judged already: a session is somewhere it has been before nearly always.
  mutable std::map<std::pair<std::uint64_t, std::uint16_t>, std::string> judged_;
};

}  // namespace postern::testing
