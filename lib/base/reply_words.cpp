#include "base/reply_words.hpp"

#include <algorithm>
#include <utility>

#include "spec/limits.hpp"

namespace postern::base {
namespace {

constexpr std::string_view blanks = " \t";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char printable(char c) { return c >= ' ' && c <= '~' ? c : '?'; }

// How many octets of the text are an enhanced code, "5.7.1": one digit, then twice at most three.
std::size_t enhanced_code_octets(std::string_view text) {
  const std::string_view word = text.substr(0, text.find_first_of(blanks));
  const std::size_t dot = word.find('.', 2);
  const auto is_number = [](std::string_view part) {
    return !part.empty() && part.size() <= 3 && std::ranges::all_of(part, is_digit);
  };
  const bool is_one = word.size() > 3 && word[1] == '.' && (word[0] == '2' || word[0] == '4' || word[0] == '5') &&
                      dot != std::string_view::npos && is_number(word.substr(2, dot - 2)) &&
                      is_number(word.substr(dot + 1));
  return is_one ? word.size() : 0;
}

std::string_view without_blanks_before(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(blanks), text.size()));
}

}  // namespace

// The class of a code is that of the reply, as in Postfix.
std::string reply_words(ReplyClass of, std::string_view text, std::string_view otherwise) {
  text = without_blanks_before(text);
  const std::size_t code_octets = enhanced_code_octets(text);
  std::string words(1, std::to_underlying(of));
  words.append(".").append(code_octets == 0 ? "7.1" : text.substr(2, code_octets - 2));
  text = without_blanks_before(text.substr(code_octets));
  if (text.empty()) text = otherwise;
  words.append(" ").append(text.substr(0, spec::max_verdict_octets));
  std::ranges::transform(words, words.begin(), printable);
  words.resize(std::min(words.size(), spec::max_verdict_octets));
  return words;
}

}  // namespace postern::base
