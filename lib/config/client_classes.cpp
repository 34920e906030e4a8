#include "config/client_classes.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <string_view>

#include "base/number.hpp"
#include "config/cdb_file.hpp"
#include "config/tcp_rule.hpp"
#include "spec/limits.hpp"

namespace postern::config {
namespace {

constexpr std::string_view ending = ".cdb";

// tcprules(1): `1.2.3.37-53` stands for each of 1.2.3.37 to 1.2.3.53.
bool is_in_range(std::string_view range, std::string_view key) {
  const std::size_t dash = range.find('-');
  const std::size_t dot = range.substr(0, std::min(dash, range.size())).rfind('.');
  if (dash == std::string_view::npos || dot == std::string_view::npos || !key.starts_with(range.substr(0, dot + 1)))
    return false;
  const std::size_t last_dot = range.find('.', dash);
  const auto first = base::parse_unsigned(range.substr(dot + 1, dash - dot - 1), 255);
  const auto last = base::parse_unsigned(range.substr(dash + 1, std::min(last_dot, range.size()) - dash - 1), 255);
  std::string_view number = key.substr(dot + 1);
  if (last_dot != std::string_view::npos && number.ends_with('.')) number.remove_suffix(1);
  const auto found = base::parse_unsigned(number, 255);
  return first && last && found && *first <= *found && *found <= *last;
}

// Which line of a text for tcprules makes this key; 0: none.
std::size_t line_of(const std::string& text, std::string_view key) {
  std::ifstream stream(text);
  std::string line;
  for (std::size_t number = 1; std::getline(stream, line); ++number) {
    if (line.starts_with('#')) continue;
    const bool is_address = line.starts_with(key) && line.substr(key.size()).starts_with(':');
    const std::string_view address = std::string_view(line).substr(0, line.find(':'));
    if (is_address || is_in_range(address, key)) return number;
  }
  return 0;
}

std::string text_beside(const std::string& cdb) {
  return cdb.ends_with(ending) ? cdb.substr(0, cdb.size() - ending.size()) : std::string();
}

}  // namespace

std::string class_name(const std::string& cdb, std::string_view key) {
  std::string name = key.empty() ? "class of everybody else" : "class " + std::string(key);
  name += " of " + cdb;
  const std::string text = text_beside(cdb);
  const std::size_t line = text.empty() ? 0 : line_of(text, key);
  return line == 0 ? name : name + " (" + text + " line " + std::to_string(line) + ")";
}

std::vector<std::string> rules_that_never_match(const std::string& cdb) {
  CdbFile file;
  if (file.open_copy(cdb.c_str()) != 0) return {};
  std::vector<std::string> sentences;
  CdbFile::Records records(file);
  while (sentences.size() < spec::max_classes_judged_early) {
    const auto record = records.next();
    if (!record) break;
    if (!record->key.starts_with('=') && !record->key.contains('@')) continue;
    sentences.push_back(class_name(cdb, record->key) +
                        ": postern serve looks up no name and no user of a client, so this rule never matches" +
                        (denies(record->value) ? ", and denies nobody" : "") + ": write addresses");
  }
  return sentences;
}

std::vector<ClientClass> read_client_classes(const std::string& cdb) {
  CdbFile file;
  if (file.open_copy(cdb.c_str()) != 0) return {};
  std::vector<ClientClass> classes;
  std::set<std::string, std::less<>> known;
  CdbFile::Records records(file);
  while (classes.size() < spec::max_classes_judged_early) {
    const auto record = records.next();
    if (!record) break;
    if (denies(record->value) || !known.emplace(record->value).second) continue;
    classes.push_back({.value = std::string(record->value), .key = std::string(record->key)});
  }
  return classes;
}

}  // namespace postern::config
