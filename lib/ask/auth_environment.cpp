#include "ask/auth_environment.hpp"

#include <string>
#include <vector>

namespace postern::ask {
namespace {

constexpr std::string_view set_prefix = "AUTH_SET_";
constexpr std::string_view unset_prefix = "AUTH_UNSET_";

void set_pairs(base::Environment& environment, std::string_view pairs) {
  while (const auto pair = take_pair(pairs)) environment.set(pair->name, pair->text);
}

void apply_auth_set(base::Environment& environment) {
  for (const std::string& variable : environment.all_after(set_prefix)) {
    const std::string_view text(variable);
    const std::size_t equals = text.find('=');
    environment.set(text.substr(0, equals), text.substr(equals + 1));
  }
}

void apply_auth_unset(base::Environment& environment) {
  for (const std::string& variable : environment.all_after(unset_prefix))
    environment.unset(std::string_view(variable).substr(0, variable.find('=')));
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

void enter_auth_environment(base::Environment& environment, std::string_view username, std::string_view pairs) {
  set_pairs(environment, pairs);
  apply_auth_set(environment);
  apply_auth_unset(environment);
  environment.set("TCPREMOTEINFO", username);
  environment.set("SMTP_AUTH_USER", username);
}

std::string authenticated_user(const engine::Session& session, const base::Environment& environment) {
  if (!session.guards().has(spec::bit::authentication_done)) return {};
  return std::string(environment.value_of("SMTP_AUTH_USER"));
}

}  // namespace postern::ask
