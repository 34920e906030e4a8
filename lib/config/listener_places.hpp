// Where in a file what a sentence about a listener speaks of was written: a sentence that begins with a variable has its line.
// in      a listener; a sentence as config/start has it, which may say ` in ` and the listener's place after a variable
// out     the place, and the sentence without it
// errors  none: what names no variable of the file is the listener's
// source  docs/operating.md
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.hpp"

namespace postern::config {

[[nodiscard]] const std::string& place_of(const ListenerSettings& listener, std::string_view sentence);
[[nodiscard]] std::string without_place(const ListenerSettings& listener, std::string sentence);

// Each sentence once; those of one file (`FILE line 7: `) together, in the order of its lines, and those that name no line last.
void put_in_order_of_lines(std::vector<std::string>& sentences);

}  // namespace postern::config
