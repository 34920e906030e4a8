// What a Maildir root cannot do as well as another: reported at a start. It costs time or surprises, and loses nothing.
// in      the root; tried by an unnamed file that is linked once and unlinked
// out     sentences, each with its remedy; none for a root that can do all, or that cannot be written in
// source  open(2): O_TMPFILE; link(2); proc(5): mountinfo
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::config {

// Whether mail could be written there; asked at start, so that a mistyped root is found before a client finds it.
[[nodiscard]] bool is_usable_maildir_root(const std::string& root);

[[nodiscard]] std::vector<std::string> maildir_limits(const std::string& root);

// The mount points below a folder, from the lines of mountinfo.
[[nodiscard]] std::vector<std::string> mounts_below(std::string_view folder, std::string_view mountinfo);

}  // namespace postern::config
