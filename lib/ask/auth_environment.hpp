// What a successful AUTH does to the environment of a client, and so of the programs that are run for it.
// in      the user name; the `,NAME="VALUE"` pairs that the backend gave, perhaps none
// out     each pair is set; then AUTH_SET_X=v becomes X=v and AUTH_UNSET_X removes X; then TCPREMOTEINFO and
//         SMTP_AUTH_USER are the user name, so that no pair can name another user
// errors  none
// source  jms1 patch 7.08: AUTH_CDB, AUTH_SET_, AUTH_UNSET_
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/environment.hpp"
#include "engine/session.hpp"

namespace postern::ask {

struct EnvironmentPair {
  std::string_view name, text;  // neither has a NUL; the name is not empty and has no `=`
};

// Takes `,NAME="VALUE"` off the front of `rest`. VALUE runs to the next `"`, without escapes. At the end and at the
// first malformed pair: nullopt, and nothing is taken.
[[nodiscard]] std::optional<EnvironmentPair> take_pair(std::string_view& rest);

void enter_auth_environment(base::Environment& environment, std::string_view username, std::string_view pairs);

// Who has authenticated; empty: nobody.
[[nodiscard]] std::string authenticated_user(const engine::Session& session, const base::Environment& environment);

}  // namespace postern::ask
