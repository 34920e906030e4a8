// The operator's variables, read by the table of spec/options.toml: the same for the environment of postern-smtpd, a class of
// tcprules, and the file of postern serve.
// in      an environment, and where it came from, for messages
// out     a value for each variable that has one; unset or empty is none, and means the default
// errors  SettingProblem for each value that is not allowed; describe() makes a ready sentence
// lives   problems point into the environment and into `origin`
// source  deviation D11; spec/options.toml
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.hpp"
#include "spec/options.hpp"

namespace postern::config {

struct SettingProblem {
  std::string_view name;
  std::string_view value;
  std::string_view origin;   // "the environment"
  std::string_view allowed;  // "only 0 and 1 are allowed (unset or empty means 0)"
};

// `SSL="O" in the environment: only 0 and 1 are allowed (unset or empty means 0)`
[[nodiscard]] std::string describe(const SettingProblem& problem);

// What is allowed instead; nothing when this value is. An empty one always is. A text must be free of control characters,
// which an editor left in a file of envdir, say: a queue program reads the same variable, and forgives nothing.
[[nodiscard]] std::optional<std::string_view> objection_to(const spec::OptionRow& row, std::string_view value);

// What the switches, numbers and words say, a word by its place in the row. A text is the environment's own.
class VariableValues {
 public:
  [[nodiscard]] std::optional<std::uint64_t> number(spec::Option option) const { return numbers_[at(option)]; }
  [[nodiscard]] std::optional<bool> flag(spec::Option option) const {
    const auto value = number(option);
    return value ? std::optional(*value != 0) : std::nullopt;
  }
  [[nodiscard]] const std::vector<SettingProblem>& problems() const { return problems_; }

 private:
  friend VariableValues read_variables(const base::Environment& environment, std::string_view origin);
  static std::size_t at(spec::Option option) { return static_cast<std::size_t>(option); }
  std::array<std::optional<std::uint64_t>, spec::option_count> numbers_;
  std::vector<SettingProblem> problems_;
};
[[nodiscard]] VariableValues read_variables(const base::Environment& environment, std::string_view origin);

// The settings of the policy: which of them were given, and of those the ones that are 1, as bits of spec::Guards. One whose
// value cannot be read is as spec/settings.toml says (`unreadable`).
struct GivenSettings {
  std::uint64_t bits = 0, values = 0;
};
[[nodiscard]] GivenSettings given_settings(const VariableValues& variables);

// What a value of SSL means for the first octet, for who has no memory, or no time, to read the rest.
[[nodiscard]] bool is_tls_first(std::string_view ssl);

// One of them alone; no value when it is not allowed.
[[nodiscard]] std::optional<std::uint64_t> read_number(const base::Environment& environment, spec::Option option);

// What MAXRCPT and control/maxrcpt mean: 0 is no value, 1 to 99 are 100.
[[nodiscard]] std::optional<std::uint64_t> least_recipients(std::optional<std::uint64_t> maxrcpt);

// What control/timeoutsmtpd means: 0 is 1, and no value is the default.
[[nodiscard]] unsigned timeout_seconds(std::optional<std::uint64_t> timeoutsmtpd);

}  // namespace postern::config
