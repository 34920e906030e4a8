// What `postern serve -c FILE` starts with; the same for `postern check -c FILE`.
// in      the file, as the caller wrote it; a second one for the key `shadow`, or none; the environment of this process
// out     ServerStart, which reads the file again by its absolute path; with chroot, by its path in there
// serve_file  starts with it, and returns when the server has ended: the exit code of the program
// errors  all sentences that are wrong with file and environment
// source  docs/operating.md: The file, Reload
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "server/server.hpp"

namespace postern::cli {

[[nodiscard]] std::expected<server::ServerStart, std::vector<std::string>> start_of_file(
    const std::string& file, const std::string& shadow = {});

[[nodiscard]] int serve_file(const std::string& file, const std::string& shadow = {});

}  // namespace postern::cli
