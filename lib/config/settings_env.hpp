// The operator's variables: the seven settings, and the numbers besides them.
// in      an environment, and where it came from, for messages
// out     a value for each variable that has one; unset or empty is none, and means the default
// errors  SettingProblem for each value that is not allowed; describe() makes a ready sentence
// lives   problems point into the environment and into `origin`
// source  deviation D11; seed: PORT, SSL, FORCE_TLS, ...; jms1 patch 7.08: MAXRCPT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.hpp"

namespace postern::config {

struct SettingProblem {
  std::string_view name;
  std::string_view value;
  std::string_view origin;   // "the environment"
  std::string_view allowed;  // "only 0 and 1 are allowed (unset or empty means 0)"
};

// `SSL="O" in the environment: only 0 and 1 are allowed (unset or empty means 0)`
[[nodiscard]] std::string describe(const SettingProblem& problem);

struct SettingsInEnvironment {
  std::optional<bool> ssl, force_tls, deny_tls, auth, require_auth, allow_insecure_auth;
  std::optional<bool> discard, relays;           // POSTERN_DISCARD, POSTERN_RELAY
  std::optional<bool> delivered_to, hides_user;  // POSTERN_DELIVERED_TO, POSTERN_HIDE_USER
  std::optional<bool> strict_addresses;          // STRICT_ADDRESSES
  std::optional<bool> rejects_relay_requests;    // RELAYREJ
  std::optional<std::uint16_t> port;
  std::vector<SettingProblem> problems;
};
[[nodiscard]] SettingsInEnvironment read_settings(const base::Environment& environment, std::string_view origin);

struct NumbersInEnvironment {
  std::optional<std::uint64_t> databytes;       // 0: no limit
  std::optional<std::uint64_t> max_recipients;  // no value also for 0; 1 to 99 have become 100
  std::optional<unsigned> greet_delay_seconds;
  std::optional<bool> drop_pre_greet;
  std::vector<SettingProblem> problems;
};
// Read at the start, and once more after a successful AUTH, which may have changed them.
[[nodiscard]] NumbersInEnvironment read_numbers(const base::Environment& environment, std::string_view origin);

// What is wrong with variables that are texts: a control character, which an editor of another system left in a file of
// envdir, say. Here nothing is forgiven: a queue program reads the same variable, and would not.
[[nodiscard]] std::vector<SettingProblem> judge_texts(const base::Environment& environment, std::string_view origin);

// What MAXRCPT and control/maxrcpt mean: 0 is no value, 1 to 99 are 100.
[[nodiscard]] std::optional<std::uint64_t> least_recipients(std::optional<std::uint64_t> maxrcpt);

// What control/timeoutsmtpd means: 0 is 1, and no value is the default.
[[nodiscard]] unsigned timeout_seconds(std::optional<std::uint64_t> timeoutsmtpd);

}  // namespace postern::config
