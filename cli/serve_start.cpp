#include "cli/serve_start.hpp"

#include <unistd.h>

#include <filesystem>

#include "cli/serve_file.hpp"
#include "cli/serve_variables.hpp"
#include "cli/text.hpp"

namespace postern::cli {
namespace {

// Where the file will be once the root has changed.
std::string path_below(const std::string& root, const std::string& path) {
  const std::string folder = root.ends_with('/') ? root : root + "/";
  return !root.empty() && path.starts_with(folder) ? path.substr(folder.size() - 1) : path;
}

}  // namespace

std::expected<listener::ServerStart, std::vector<std::string>> start_of_file(const std::string& file) {
  const std::string path = std::filesystem::absolute(file).lexically_normal().string();
  ServeFile read = read_serve_file(path, file);
  std::vector<std::string> problems = variables_beside(file, environ);
  if (!read) problems.insert(problems.begin(), read.error().begin(), read.error().end());
  if (!problems.empty()) return std::unexpected(std::move(problems));
  read->file = path_below(read->chroot, path);
  const auto read_again = [path = read->file, file]() -> std::expected<listener::Configuration, std::string> {
    ServeFile again = read_serve_file(path, file);
    if (!again) return std::unexpected(joined(again.error(), "; "));
    return std::move(*again);
  };
  return listener::ServerStart{
      .settings = std::move(*read), .read_again = read_again, .environment = environ, .version = POSTERN_VERSION};
}

}  // namespace postern::cli
