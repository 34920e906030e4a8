// Between what is wrong with a list or a program, with its remedy, and what a server that starts with it does: "; as it is,
// each recipient of ours gets 451". A refused reload leaves that out: there nothing has changed.
// source  docs/operating.md: Reload, signals, end
#pragma once

#include <string_view>

namespace postern::config {

inline constexpr std::string_view as_it_is = "; as it is, ";

}  // namespace postern::config
