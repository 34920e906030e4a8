// One configuration as an operator writes it: `FORCE_TLS=1 AUTH=1 certificate=0 PORT=587`.
// in      words NAME=VALUE; the names of spec/settings.toml and PORT, each 0 or 1 (PORT: 1 to 65535)
// out     Configuration: what is unset has its default; AUTH and the backend, when only one is said, follow each other
// errors  UsageError: unknown name (with the names there are), value that is not allowed, said twice
// source  spec/settings.toml (defaults); deviation D11
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "audit/policy.hpp"

namespace postern::audit {

// What the caller of the program got wrong; reported on stderr, exit code 100.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Configuration {
  spec::Guards settings_and_facts;
  std::uint64_t said = 0;  // bits of what was named
  unsigned port = 25;
  bool backend_follows_auth = false;

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// What is said about a configuration besides its settings; none: look, or assume.
struct SaidFacts {
  std::optional<bool> certificate, backend, relay_client, local_only;
  bool home_is_here = false;  // then what is not found in it does not exist
};

[[nodiscard]] Configuration parse_configuration(const Policy& policy, const std::vector<std::string>& words,
                                                const SaidFacts& facts = {});
[[nodiscard]] std::vector<std::string> words_of(std::string_view text);

// Fills in what is not given: AUTH follows the backend, else the backend AUTH; a certificate is assumed.
void complete(const Policy& policy, Configuration& configuration);

// `SSL=0 FORCE_TLS=1 ...`: the six switches; with facts: `certificate=1 ...`, too.
[[nodiscard]] std::string settings_text(const Policy& policy, const Configuration& configuration);
[[nodiscard]] std::string facts_text(const Policy& policy, const Configuration& configuration);
// Only what is not the default: what an operator would write.
[[nodiscard]] std::string short_text(const Policy& policy, const Configuration& configuration);

// The 64 combinations of the switches, certificate there, a backend exactly when AUTH=1.
[[nodiscard]] std::vector<Configuration> all_settings(const Policy& policy);

}  // namespace postern::audit
