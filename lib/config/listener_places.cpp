#include "config/listener_places.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace postern::config {
namespace {

struct Line {
  std::string_view file;
  std::uint64_t number;
};

std::optional<Line> line_of(std::string_view sentence) {
  constexpr std::string_view before = " line ";
  const std::size_t at = sentence.substr(0, sentence.find(": ")).find(before);
  if (at == std::string_view::npos) return std::nullopt;
  Line line{.file = sentence.substr(0, at), .number = 0};
  const std::string_view number = sentence.substr(at + before.size());
  std::from_chars(number.data(), number.data() + number.size(), line.number);
  return line;
}

}  // namespace

const std::string& place_of(const ListenerSettings& listener, std::string_view sentence) {
  const std::string_view name = sentence.substr(0, sentence.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"));
  const auto is_it = [name](std::string_view variable) { return variable.substr(0, variable.find('=')) == name; };
  const auto found = std::ranges::find_if(listener.variables, is_it);
  const auto index = static_cast<std::size_t>(found - listener.variables.begin());
  return index < listener.variable_places.size() ? listener.variable_places[index] : listener.place;
}

std::string without_place(const ListenerSettings& listener, std::string sentence) {
  const std::string in_it = " in " + listener.place;
  const std::size_t at = sentence.find(in_it);
  if (at != std::string::npos) sentence.erase(at, in_it.size());
  return sentence;
}

void put_in_order_of_lines(std::vector<std::string>& sentences) {
  std::vector<std::string> once;
  for (std::string& each : sentences)
    if (std::ranges::find(once, each) == once.end()) once.push_back(std::move(each));
  std::vector<std::string> files;  // in the order of their first sentences
  for (const std::string& each : once)
    if (const auto line = line_of(each); line && std::ranges::find(files, line->file) == files.end())
      files.emplace_back(line->file);
  std::ranges::stable_sort(once, {}, [&](const std::string& each) {
    const auto line = line_of(each);
    const auto file = line ? std::ranges::find(files, line->file) : files.end();
    return std::pair(file - files.begin(), line ? line->number : 0);
  });
  sentences = std::move(once);
}

}  // namespace postern::config
