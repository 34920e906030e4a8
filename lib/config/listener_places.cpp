#include "config/listener_places.hpp"

#include <algorithm>

namespace postern::config {

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

}  // namespace postern::config
