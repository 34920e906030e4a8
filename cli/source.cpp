#include "cli/source.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "audit/configuration.hpp"
#include "base/text_lines.hpp"

namespace postern::cli {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) throw audit::UsageError(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

bool is_name(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  return !text.empty() && is_letter(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r"), text.size());
  const std::size_t end = text.find_last_not_of(" \t\r");
  return end == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

// What a shell would make of it: without quotes, and without a comment after a blank. Expansions stay as they are.
std::string unquoted(std::string_view text) {
  std::string value;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\0' && c == '#' && i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\t')) break;
    if (quote == '\0' && (c == ' ' || c == '\t' || c == ';')) break;
    if (c == quote)
      quote = '\0';
    else if (quote == '\0' && (c == '"' || c == '\''))
      quote = c;
    else
      value += c;
  }
  return value;
}

class FileReader {
 public:
  explicit FileReader(const std::string& path) : text_(read_file(path)) { variables_.origin = path; }

  Variables read() {
    const bool is_script = text_.starts_with("#!");
    for (base::TextLines lines(text_); const auto line = lines.next();) {
      if (line->forgiven != base::Forgiven::nothing)
        variables_.remarks.push_back(
            "line " + std::to_string(line->number) + " " + std::string(base::describe(line->forgiven)) +
            ", which a shell takes for a part of the line: save the file with line feeds only");
      take_line(trimmed(line->text), line->number, is_script);
    }
    return std::move(variables_);
  }

 private:
  void take_line(std::string_view line, std::size_t number, bool is_script) {
    if (line.empty() || line.front() == '#') return;
    if (line.starts_with("export ")) line = trimmed(line.substr(7));
    const std::size_t equals = line.find('=');
    const std::string_view name = line.substr(0, equals);
    const bool is_assignment = equals != std::string_view::npos && is_name(name);
    const std::string at = "line " + std::to_string(number);
    if (!is_assignment) {
      if (!is_script) variables_.remarks.push_back(at + " is not NAME=VALUE and was ignored: " + std::string(line));
      return;
    }
    const std::string value = unquoted(line.substr(equals + 1));
    if (value.find_first_of("$`") != std::string::npos)
      variables_.remarks.push_back(at + ": " + std::string(name) + " is read as written, nothing is expanded");
    variables_.set(name, value);
  }

  std::string text_;
  Variables variables_;
};

}  // namespace

void Variables::unset(std::string_view name) {
  std::erase_if(strings, [&](const std::string& text) {
    return text.starts_with(name) && text.size() > name.size() && text[name.size()] == '=';
  });
}

void Variables::set(std::string_view name, std::string_view value) {
  unset(name);
  strings.push_back(std::string(name) + "=" + std::string(value));
}

bool Variables::has(std::string_view name) const {
  return std::ranges::any_of(strings, [&](const std::string& text) {
    return text.size() > name.size() && text.starts_with(name) && text[name.size()] == '=';
  });
}

std::string Variables::value_of(std::string_view name) const {
  for (const std::string& text : strings) {
    if (text.size() > name.size() && text.starts_with(name) && text[name.size()] == '=')
      return text.substr(name.size() + 1);
  }
  return {};
}

std::vector<const char*> Variables::environment() const {
  std::vector<const char*> pointers;
  for (const std::string& text : strings) pointers.push_back(text.c_str());
  pointers.push_back(nullptr);
  return pointers;
}

Variables process_environment() {
  Variables variables{.origin = "the environment", .strings = {}, .remarks = {}};
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || variables.has(text.substr(0, equals))) continue;  // the first counts
    variables.strings.emplace_back(text);
  }
  return variables;
}

Variables read_environment_file(const std::string& path) { return FileReader(path).read(); }

Variables read_environment_folder(const std::string& path) {
  if (!std::filesystem::is_directory(path)) throw audit::UsageError(path + ": is not a folder (envdir)");
  Variables variables{.origin = path, .strings = {}, .remarks = {}};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
  std::ranges::sort(files);
  for (const auto& file : files) {
    const std::string name = file.filename();
    if (name.starts_with('.') || std::filesystem::is_directory(file)) continue;
    const std::string text = read_file(file);
    if (text.empty()) continue;  // envdir(8): unset
    if (const auto line = base::TextLines(text).next(); line && line->forgiven != base::Forgiven::nothing)
      variables.remarks.push_back(name + " " + std::string(base::describe(line->forgiven)) +
                                  ", which envdir takes for a part of the value: save the file with line feeds only");
    std::string value = text.substr(0, text.find('\n'));
    while (value.ends_with(' ') || value.ends_with('\t')) value.pop_back();
    std::ranges::replace(value, '\0', '\n');
    variables.set(name, value);
  }
  return variables;
}

}  // namespace postern::cli
