// The variables that one client is served with: those of a process, and what was set or unset since.
// in      the environment of a process, or nothing; names without `=`, values without NUL
// out     the value of a variable; pointers() as execve(2) wants them
// lives   the strings it begins with are not copied and outlive it. A view lives until its variable is set again, and
//         pointers() until the next change
// errors  none; what is unset has no value
// cost    one allocation for a copy of the pointers; a look-up walks over all of them
// source  environ(7); jms1 patch 7.08: AUTH_SET_
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::base {

class Environment {
 public:
  Environment() : pointers_{nullptr} {}
  explicit Environment(const char* const* process_environment);
  // The copy shares the strings it was made with, so do not copy one whose variables were set.
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  Environment(Environment&&) noexcept = default;
  Environment& operator=(Environment&&) noexcept = default;

  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] std::string_view value_of(std::string_view name) const { return find(name).value_or(""); }
  [[nodiscard]] bool has(std::string_view name) const { return find(name).has_value(); }
  // What follows `prefix` of the variables whose names begin with it and go on: NAME=VALUE.
  [[nodiscard]] std::vector<std::string> all_after(std::string_view prefix) const;

  void set(std::string_view name, std::string_view value);
  void unset(std::string_view name);

  [[nodiscard]] char* const* pointers() const { return pointers_.data(); }

 private:
  std::deque<std::string> own_;
  std::vector<char*> pointers_;  // the last one is null
};

}  // namespace postern::base
