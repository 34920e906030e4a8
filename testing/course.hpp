// A session as the chain of its decisions: what each one leaves is what the next one finds.
// in      the decisions of one session in their order; its end, or that it was broken off
// out     the first thing that is wrong with the chain; empty when nothing is
// judged  the first decision is taken in the first state of its settings; no state comes from nowhere; a session ends only after
//         an event whose rule ends it, and not while a question is open that an effect has asked
// lives   a complaint for ever
// source  spec/settings.toml: `start`; spec/events.toml: `[[question]]`; testing/judge.hpp says whether each decision is right
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "testing/laws.hpp"

namespace postern::testing {

class Course {
 public:
  void begin() { *this = {}; }
  [[nodiscard]] std::string_view take(const Decision& decision);
  // Nobody hears anything any more, or there is no memory to decide with: its end needs no event.
  void break_off() { last_ = {.is_broken_off = true}; }
  [[nodiscard]] std::string_view end() const;
  [[nodiscard]] std::uint32_t decisions() const { return decisions_; }

 private:
  struct Last {
    std::optional<spec::Guards> state{};
    bool is_broken_off = false;
  } last_;
  std::uint32_t decisions_ = 0;
};

}  // namespace postern::testing
