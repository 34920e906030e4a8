// The trace field of every simulated message: what is in it is tested elsewhere.
#pragma once

#include <string_view>

namespace postern::simulate {

inline constexpr std::string_view trace_field = "Received: by mx.example.org\n";

}  // namespace postern::simulate
