#include "daemon/auth_environment.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

namespace postern::daemon {
namespace {

constexpr std::string_view set_prefix = "AUTH_SET_";
constexpr std::string_view unset_prefix = "AUTH_UNSET_";

int set_variable(std::string_view name, std::string_view text) {
  return ::setenv(std::string(name).c_str(), std::string(text).c_str(), 1) == 0 ? 0 : errno;
}

int set_pairs(std::string_view pairs) {
  while (const auto pair = take_pair(pairs))
    if (const int error_number = set_variable(pair->name, pair->text); error_number != 0) return error_number;
  return 0;
}

// Copies of the variables whose name begins with `prefix` and goes on: setting one may move the environment itself.
std::vector<std::string> variables_after(std::string_view prefix) {
  std::vector<std::string> found;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (text.starts_with(prefix) && text.find('=') > prefix.size()) found.emplace_back(text.substr(prefix.size()));
  }
  return found;
}

int apply_auth_set() {
  for (const std::string& variable : variables_after(set_prefix)) {
    const std::string_view text(variable);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    if (const int error_number = set_variable(text.substr(0, equals), text.substr(equals + 1)); error_number != 0)
      return error_number;
  }
  return 0;
}

int apply_auth_unset() {
  for (const std::string& variable : variables_after(unset_prefix))
    if (::unsetenv(variable.substr(0, variable.find('=')).c_str()) != 0) return errno;
  return 0;
}

}  // namespace

std::optional<EnvironmentPair> take_pair(std::string_view& rest) {
  if (!rest.starts_with(',')) return std::nullopt;
  const std::size_t opening = rest.find("=\"");
  if (opening == std::string_view::npos) return std::nullopt;
  const std::size_t closing = rest.find('"', opening + 2);
  if (closing == std::string_view::npos) return std::nullopt;
  const EnvironmentPair pair{rest.substr(1, opening - 1), rest.substr(opening + 2, closing - opening - 2)};
  constexpr std::string_view not_in_a_name{"\0,=\"", 4};
  const bool is_whole = !pair.name.empty() && pair.name.find_first_of(not_in_a_name) == std::string_view::npos &&
                        !pair.text.contains('\0');
  if (!is_whole) return std::nullopt;
  rest.remove_prefix(closing + 1);
  return pair;
}

int enter_auth_environment(std::string_view username, std::string_view pairs) {
  if (const int error_number = set_pairs(pairs); error_number != 0) return error_number;
  if (const int error_number = apply_auth_set(); error_number != 0) return error_number;
  if (const int error_number = apply_auth_unset(); error_number != 0) return error_number;
  if (const int error_number = set_variable("TCPREMOTEINFO", username); error_number != 0) return error_number;
  return set_variable("SMTP_AUTH_USER", username);
}

}  // namespace postern::daemon
