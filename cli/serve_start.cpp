#include "cli/serve_start.hpp"

#include <unistd.h>

#include <filesystem>

#include "cli/serve_file.hpp"
#include "cli/serve_variables.hpp"
#include "cli/text.hpp"
#include "listener/real_path.hpp"

namespace postern::cli {
namespace {

// Where the file will be once the root has changed. Its own name may be a link, and is followed again by each reload.
std::string path_below(const std::string& root, const std::string& path) {
  if (root.empty()) return path;
  const std::string real_root = listener::real_path(root), folder = listener::real_path(listener::folder_of(path));
  const std::string name = path.substr(path.rfind('/'));
  if (folder == real_root || real_root == "/") return (real_root == "/" ? folder : "") + name;
  return folder.starts_with(real_root + "/") ? folder.substr(real_root.size()) + name : path;
}

}  // namespace

std::expected<listener::ServerStart, std::vector<std::string>> start_of_file(const std::string& file) {
  const std::string path = std::filesystem::absolute(file).string();
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
