#include "cli/file_value.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "audit/text.hpp"
#include "base/json_escape.hpp"
#include "base/spelling.hpp"
#include "config/list_entries.hpp"

namespace postern::cli {
namespace {

std::vector<std::string> names_of(const std::vector<FileKey>& keys) {
  std::vector<std::string> names;
  for (const FileKey& each : keys) names.emplace_back(each.name);
  return names;
}

// Of a word; a number that is no choice is not a misspelt one.
std::string question_of_choice(std::string_view found, const std::vector<std::string_view>& words) {
  const bool is_word = std::ranges::any_of(found, [](char c) { return c >= 'A' && c <= 'z'; });
  const auto meant = is_word ? base::nearest_name(found, {words.begin(), words.end()}) : std::nullopt;
  return meant ? ": did you mean \"" + *meant + "\"?" : "";
}

struct Line {
  std::string text;
  bool is_changed = false;
};

// What JSON need not escape is safe on a terminal and in a log, too.
Line line_of(std::string_view octets, std::size_t most_octets) {
  Line line;
  while (!octets.empty()) {
    const base::Escaped character = base::escape_for_json(octets);
    const std::string_view plain = octets.substr(0, character.taken);
    const bool is_safe = plain == "\"" || plain == "\\" || plain == character.text();
    const std::string_view safe = is_safe ? plain : "?";
    if (line.text.size() + safe.size() > most_octets) {
      line.text += "...";
      break;
    }
    line.text += safe;
    line.is_changed = line.is_changed || !is_safe;
    octets.remove_prefix(plain.size());
  }
  return line;
}

}  // namespace

std::string FileProblems::place(const toml::source_region& at) const {
  return file_ + " line " + std::to_string(at.begin.line);
}

void FileProblems::add(const toml::source_region& at, std::string_view sentence) {
  problems_.push_back({at.begin.line, place(at) + ": " + std::string(sentence)});
}

std::vector<std::string> FileProblems::sentences() && {
  std::ranges::stable_sort(problems_, {}, &Problem::line);
  std::vector<std::string> sentences;
  for (Problem& problem : problems_) sentences.push_back(std::move(problem.sentence));
  return sentences;
}

std::string written(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "an array";
  std::ostringstream out;
  node.visit([&out](const auto& value) {
    if constexpr (toml::is_string<decltype(value)>)
      out << '"' << *value << '"';
    else if constexpr (toml::is_value<decltype(value)>)
      out << value;
  });
  const std::string text = shown(out.str());
  return text.empty() ? "a text with control characters" : text;
}

std::string on_one_line(std::string_view octets, std::size_t most_octets) { return line_of(octets, most_octets).text; }

std::string shown(std::string_view octets) {
  Line line = line_of(octets, FileValue::max_shown_octets);
  return line.is_changed ? "" : std::move(line.text);
}

std::string shown_key(std::string_view key) {
  const std::string text = shown(key);
  return text.empty() ? "a key that is empty or has control characters" : text;
}

bool is_clean(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < 32 || c == 127; });
}

void FileValue::not_allowed(std::string_view what) const {
  problems.add(node.source(), std::string(name) + " = " + written(node) + ": " + std::string(what));
}

void FileValue::flag(bool& out) const {
  if (const auto found = node.value_exact<bool>())
    out = *found;
  else
    not_allowed("only true and false are allowed");
}

void FileValue::text(std::string& out) const {
  const auto found = node.value_exact<std::string>();
  if (!found || found->empty() || !is_clean(*found))
    return not_allowed("only a text in quotes is allowed, not empty and without control characters");
  out = *found;
}

void FileValue::texts(std::vector<std::string>& out) const {
  const toml::array* const array = node.as_array();
  if (array == nullptr) return not_allowed("only an array of texts is allowed, as [\"one\", \"two\"]");
  std::vector<std::string> found;
  for (const toml::node& each : *array) FileValue{name, each, problems}.text(found.emplace_back());
  out = std::move(found);
}

void FileValue::domains(std::vector<std::string>& out) const {
  texts(out);
  const toml::array* const array = node.as_array();
  if (array != nullptr && array->empty())
    return not_allowed("name at least one domain, or leave the key out: then control/rcpthosts has them");
  for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
    const auto text = (*array)[i].value_exact<std::string>();
    if (!text || text->empty() || !is_clean(*text)) continue;  // texts() has said so
    const config::EntryJudgement judged = config::judge_entry(*text, config::EntryKind::domains);
    if (!judged.remedy.empty()) FileValue{name, (*array)[i], problems}.not_allowed(judged.remedy);
  }
}

void FileValue::networks(std::vector<base::Network>& out) const {
  const toml::array* const array = node.as_array();
  if (array == nullptr)
    return not_allowed("only an array of networks is allowed, as [\"10.0.0.0/8\", \"2001:db8::1\"]");
  std::vector<base::Network> found;
  for (const toml::node& each : *array) {
    const FileValue value{name, each, problems};
    const auto text = each.value_exact<std::string>();
    const auto network = base::parse_network(text.value_or(""));
    if (network)
      found.push_back(*network);
    else
      value.not_allowed(text && shown(*text) == *text ? network.error()
                                                      : "only a network in quotes is allowed, as \"10.0.0.0/8\"");
  }
  out = std::move(found);
}

void FileValue::endpoint(std::optional<base::Endpoint>& out) const {
  const auto found = base::parse_endpoint(node.value_exact<std::string>().value_or(""));
  if (found)
    out = *found;
  else
    not_allowed("only an address and a port are allowed, as \"127.0.0.1:9925\" or \"[::1]:9925\"");
}

std::optional<std::size_t> FileValue::choice(const std::vector<std::string_view>& words) const {
  const auto found = node.value_exact<std::string>();
  for (std::size_t i = 0; found && i < words.size(); ++i)
    if (*found == words[i]) return i;
  std::string allowed;
  for (const std::string_view word : words) allowed += (allowed.empty() ? "\"" : " and \"") + std::string(word) + "\"";
  not_allowed("only " + allowed + " are allowed" + question_of_choice(found.value_or(""), words));
  return std::nullopt;
}

std::optional<std::uint32_t> FileValue::number_between(std::uint32_t least, std::uint32_t most) const {
  const auto found = node.value_exact<std::int64_t>();
  if (found && *found >= least && *found <= most) return static_cast<std::uint32_t>(*found);
  not_allowed("only a number from " + std::to_string(least) + " to " + std::to_string(most) + " is allowed");
  return std::nullopt;
}

std::string only_these(std::string_view word, const std::vector<std::string>& names) {
  const std::string question = base::question_of(word, names);
  return (question.empty() ? ", only " : question + " Only ") + audit::joined(names, ", ") + " are";
}

void take_table(const toml::table& table, const std::vector<FileKey>& keys, FileProblems& problems,
                const Elsewhere& elsewhere) {
  for (const auto& [key, node] : table) {
    const auto found = std::ranges::find(keys, key.str(), &FileKey::name);
    if (found != keys.end()) {
      found->take({.name = found->name, .node = node, .problems = problems});
      continue;
    }
    std::optional<std::string> sentence = elsewhere ? elsewhere(key.str()) : "";
    if (!sentence) continue;
    if (sentence->empty()) sentence = "is not a key here" + only_these(key.str(), names_of(keys));
    problems.add(key.source(), shown_key(key.str()) + " " + *sentence);
  }
}

}  // namespace postern::cli
