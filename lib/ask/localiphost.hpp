// `user@[192.0.2.1]`, where that is our own address, means `user@` and the name in control/localiphost (default: me).
// in      a domain with its brackets, as in grammar::Path; our own address, as in TCPLOCALIP
// out     the name to put in its place, or nullopt: leave the domain as it is
// errors  ControlProblem of the file read; files are read only when the literal is ours
// source  qmail-control(5): localiphost; recorded: b_rcpt_literal
#pragma once

#include <string>
#include <string_view>

#include "config/control.hpp"

namespace postern::ask {

[[nodiscard]] config::ControlResult<std::string> local_name_for(std::string_view domain, std::string_view local_ip);

// Its two halves, for a caller that reads before the first question.
[[nodiscard]] bool is_literal_of(std::string_view domain, std::string_view local_ip);
[[nodiscard]] config::ControlResult<std::string> read_local_name();

}  // namespace postern::ask
