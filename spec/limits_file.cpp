#include "spec/limits_file.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace postern::spec {
namespace {

// Without comments and preprocessor lines, with single spaces.
std::string bare(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string out, line, word;
  while (std::getline(lines, line)) {
    if (line.starts_with("#")) continue;
    std::istringstream words(line.substr(0, line.find("//")));
    while (words >> word) out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

// The line on which the name is first written.
unsigned line_of(std::string_view text, std::string_view name) {
  const std::size_t at = std::min(text.find(name), text.size());
  return 1 + static_cast<unsigned>(std::ranges::count(text.substr(0, at), '\n'));
}

}  // namespace

std::vector<Limit> parse_limits(std::string_view text, Problems& problems) {
  constexpr std::string_view opening = "namespace postern::spec { ", kind = "inline constexpr ", is = " = ";
  std::vector<Limit> limits;
  std::string all = bare(text);
  if (!all.starts_with(opening)) problems.push_back({"limits.hpp", 1, "does not begin with namespace postern::spec"});
  all.erase(0, std::min(all.size(), opening.size()));
  for (std::size_t end = all.find(';'); end != std::string::npos; end = all.find(';')) {
    const std::string statement = all.substr(0, end);
    all.erase(0, all.find_first_not_of(' ', end + 1));
    const std::size_t equals = statement.find(is);
    const std::size_t name = statement.rfind(' ', equals == 0 ? 0 : equals - 1) + 1;
    if (!statement.starts_with(kind) || equals == std::string::npos) {
      problems.push_back({"limits.hpp", line_of(text, statement), "is not a limit: " + statement});
      continue;
    }
    limits.push_back({statement.substr(name, equals - name), statement.substr(equals + is.size())});
  }
  if (all != "}") problems.push_back({"limits.hpp", line_of(text, all), "is not a limit: " + all});
  return limits;
}

std::vector<Limit> load_limits(const std::filesystem::path& folder, Problems& problems) {
  std::ifstream file(folder / "limits.hpp", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return parse_limits(text.str(), problems);
}

}  // namespace postern::spec
