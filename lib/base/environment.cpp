#include "base/environment.hpp"

#include <algorithm>

namespace postern::base {
namespace {

// Most variables differ at once: their ends are not looked for.
bool is_named(const char* variable, std::string_view name) {
  for (const char octet : name)
    if (*variable++ != octet) return false;
  return *variable == '=';
}

}  // namespace

Environment::Environment(const char* const* process_environment) {
  for (; process_environment != nullptr && *process_environment != nullptr; ++process_environment)
    pointers_.push_back(const_cast<char*>(*process_environment));  // as execve(2) needs it; never written
  pointers_.push_back(nullptr);
}

std::optional<std::string_view> Environment::find(std::string_view name) const {
  for (const char* variable : pointers_)
    if (variable != nullptr && is_named(variable, name)) return std::string_view(variable).substr(name.size() + 1);
  return std::nullopt;
}

std::vector<std::string> Environment::all_after(std::string_view prefix) const {
  std::vector<std::string> found;
  for (const char* variable : pointers_) {
    const std::string_view text = variable == nullptr ? std::string_view() : std::string_view(variable);
    if (!text.starts_with(prefix)) continue;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos && equals > prefix.size()) found.emplace_back(text.substr(prefix.size()));
  }
  return found;
}

void Environment::set(std::string_view name, std::string_view value) {
  std::string& variable = own_.emplace_back(name);
  variable.append("=").append(value);
  const auto found = std::ranges::find_if(pointers_, [&](const char* p) { return p != nullptr && is_named(p, name); });
  if (found != pointers_.end())
    *found = variable.data();
  else
    pointers_.insert(pointers_.end() - 1, variable.data());
}

void Environment::unset(std::string_view name) {
  std::erase_if(pointers_, [&](const char* variable) { return variable != nullptr && is_named(variable, name); });
}

}  // namespace postern::base
