// Where a path leads, for a sandbox that admits folders: Landlock judges the file that is opened, not the names on the way.
// in      a path; a relative one begins at the current folder
// out     absolute, every symbolic link followed, without `.` and `..`; what is not there, or may not be looked at, stays as
//         written
// errors  none: a ring of links ends after 40, as in the kernel, and stays as it is then
// source  path_resolution(7), landlock(7)
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::base {

[[nodiscard]] std::string real_path(std::string_view path);

// The folder of a path as it is written: "." for a name alone.
[[nodiscard]] std::string folder_of(std::string_view path);

// The real folders that hold a file: of its name, and of each name that it is a symbolic link to. A file may be put into
// place in any of them.
[[nodiscard]] std::vector<std::string> folders_that_hold(const std::string& file);

// The links in a folder and in its folders that lead to other folders, with where they lead: mailboxes kept elsewhere.
[[nodiscard]] std::vector<std::string> folders_linked_from(const std::string& root);

}  // namespace postern::base
