// What judges a user name and a password.
// in      Credentials: views into the session's buffers, which their owner wipes; the time is an argument
// out     CheckResult; its detail is for the log and never holds what the client sent
// errors  Verdict::broken: no verdict was possible (454, never 535: deviation D7)
// source  RFC 4954 4; checkpassword interface; jms1 patch 7.08: AUTH_CDB
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/question.hpp"

namespace postern::ask {

struct Credentials {
  std::string_view username, password;
};

using Verdict = engine::CredentialsResult;

struct CheckResult {
  Verdict verdict;
  std::string detail;  // "unknown user", "bad password", "exit 111", ...; empty when accepted
};

class Backend {
 public:
  [[nodiscard]] virtual CheckResult check(const Credentials& credentials, std::uint64_t now_seconds) = 0;

  // After an accepted check: `,NAME="VALUE"` pairs for enter_auth_environment(). Valid until the next check.
  [[nodiscard]] virtual std::string_view environment_pairs() const { return {}; }

 protected:
  ~Backend() = default;  // owned as what they are, never as a Backend
};

// A NUL would end a field early, in crypt(3) as on descriptor 3: such credentials belong to no user.
[[nodiscard]] constexpr bool has_nul(const Credentials& credentials) {
  return credentials.username.contains('\0') || credentials.password.contains('\0');
}

}  // namespace postern::ask
