// The names of variables: keys of a listener's table in a file, and what a class of tcprules may set.
// in      a name
// out     its row; or for a misspelt name, which one was probably meant
// source  spec/options.toml; spec/foreign.toml
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.hpp"
#include "spec/options.hpp"

namespace postern::config {

// The variable of that name, in capitals, that may stand in [[listener]]; null: there is none.
[[nodiscard]] const spec::OptionRow* find_variable(std::string_view name);
[[nodiscard]] std::vector<std::string> variable_names();
// One that postern knows, if only as another program's or as the client's: TCPREMOTEHOST, AUTH_SET_DATABYTES, SPFBEHAVIOR.
[[nodiscard]] bool is_known(std::string_view name);
// `FORCE_TSL is not a variable: did you mean FORCE_TLS?`; nothing for a name that is known, or unlike all.
[[nodiscard]] std::optional<std::string> misspelling(std::string_view name);
// Of the names in an environment that begin with the same three letters as one of ours: one sentence each. This is asked for
// each client of postern-smtpd, and what begins otherwise costs next to nothing.
[[nodiscard]] std::vector<std::string> misspellings_in(const base::Environment& environment);

}  // namespace postern::config
