#include "cli/file_value.hpp"

#include <algorithm>
#include <sstream>

#include "audit/text.hpp"
#include "config/list_entries.hpp"

namespace postern::cli {
namespace {

constexpr std::size_t max_shown_octets = 100;

std::string names_of(const std::vector<FileKey>& keys) {
  std::vector<std::string> names;
  for (const FileKey& each : keys) names.emplace_back(each.name);
  return audit::joined(names, ", ");
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
  std::string text = out.str();
  if (!is_clean(text)) return "a text with control characters";
  if (text.size() > max_shown_octets) text = text.substr(0, max_shown_octets) + "...";
  return text;
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
      value.not_allowed(text ? network.error() : "only a network in quotes is allowed, as \"10.0.0.0/8\"");
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
  not_allowed("only " + allowed + " are allowed");
  return std::nullopt;
}

std::optional<std::uint32_t> FileValue::number_between(std::uint32_t least, std::uint32_t most) const {
  const auto found = node.value_exact<std::int64_t>();
  if (found && *found >= least && *found <= most) return static_cast<std::uint32_t>(*found);
  not_allowed("only a number from " + std::to_string(least) + " to " + std::to_string(most) + " is allowed");
  return std::nullopt;
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
    if (sentence->empty()) sentence = "is no key here, only " + names_of(keys) + " are";
    problems.add(key.source(), std::string(key.str()) + " " + *sentence);
  }
}

}  // namespace postern::cli
