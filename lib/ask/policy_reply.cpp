#include "ask/policy_reply.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/reply_words.hpp"
#include "spec/limits.hpp"

namespace postern::ask {
namespace {

using Kind = PolicyVerdict::Kind;

constexpr std::string_view blanks = " \t";

constexpr std::array<std::pair<std::string_view, Kind>, 10> actions{{{"OK", Kind::permit},
                                                                     {"PERMIT", Kind::permit},
                                                                     {"DUNNO", Kind::indifferent},
                                                                     {"REJECT", Kind::refuse},
                                                                     {"DEFER", Kind::defer},
                                                                     {"DEFER_IF_PERMIT", Kind::defer_if_permit},
                                                                     {"DEFER_IF_REJECT", Kind::defer_if_refuse},
                                                                     {"PREPEND", Kind::prepend},
                                                                     {"WARN", Kind::remark},
                                                                     {"INFO", Kind::remark}}};

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char printable(char c) { return c >= ' ' && c <= '~' ? c : '?'; }

std::string_view without_blanks_before(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(blanks), text.size()));
}

// "4NN" and "5NN", as access(5) has it.
Kind kind_of(std::string_view word) {
  const bool is_code = word.size() == 3 && (word[0] == '4' || word[0] == '5') && is_digit(word[1]) && is_digit(word[2]);
  if (is_code) return word[0] == '4' ? Kind::defer : Kind::refuse;
  const auto* const found = std::ranges::find_if(
      actions, [word](const auto& each) { return std::ranges::equal(word, each.first, {}, upper); });
  return found == actions.end() ? Kind::another : found->second;
}

std::string words_of(bool is_for_good, std::string_view text, PolicyAbout about) {
  const std::string it = about == PolicyAbout::message ? "this message" : "this recipient";
  if (is_for_good) return base::reply_words(base::ReplyClass::permanent, text, it + " is refused");
  return base::reply_words(base::ReplyClass::transient, text, it + " is not taken now, try again later");
}

// RFC 5322 2.2: a name of printable octets without a colon, then a colon. Empty: it is none, or the one that delivery writes
// (RFC 5321 4.4).
std::string field_of(std::string_view text) {
  const std::string_view name = text.substr(0, text.find(':'));
  const bool is_field = !name.empty() && name.size() < text.size() && text.size() <= spec::max_policy_header_octets &&
                        std::ranges::all_of(
                            name, [](char c) { return c > ' ' && c <= '~'; }) &&
                        !std::ranges::equal(name, std::string_view("RETURN-PATH"), {}, upper);
  if (!is_field) return {};
  std::string field(text);
  std::ranges::transform(field, field.begin(), [](char c) { return c == '\t' ? ' ' : printable(c); });
  return field + '\n';
}

}  // namespace

void PolicyReplyReader::add(std::string_view octets) {
  for (const char octet : octets) {
    if (state_ == State::malformed) return;
    if (state_ == State::complete) {
      has_more_ = true;
      return;
    }
    if (octet == '\0' || ++octets_ > spec::max_policy_reply_octets)
      state_ = State::malformed;
    else if (octet == '\n')
      end_line();
    else
      line_ += octet;
  }
}

void PolicyReplyReader::end_line() {
  const std::string line = std::exchange(line_, {});
  if (line.empty()) {
    state_ = has_action_ ? State::complete : State::malformed;
    return;
  }
  const std::size_t equals = line.find('=');
  const bool is_action = line.starts_with("action=");
  if (equals == std::string::npos || equals == 0 || (is_action && has_action_)) {
    state_ = State::malformed;
    return;
  }
  if (!is_action) return;  // access(5) knows no other attribute; a later one shall do no harm
  has_action_ = true;
  action_ = line.substr(equals + 1);
}

PolicyVerdict policy_verdict(std::string_view action, PolicyAbout about) {
  action = without_blanks_before(action);
  const std::string_view word = action.substr(0, action.find_first_of(blanks));
  const std::string_view text = without_blanks_before(action.substr(word.size()));
  const Kind kind = kind_of(word);
  switch (kind) {
    case Kind::refuse: return {.kind = kind, .words = words_of(true, text, about)};
    case Kind::defer:
    case Kind::defer_if_permit:
    case Kind::defer_if_refuse: return {.kind = kind, .words = words_of(false, text, about)};
    case Kind::prepend: return {.kind = kind, .words = field_of(text)};
    case Kind::permit:
    case Kind::indifferent:
    case Kind::remark:
    case Kind::another: break;
  }
  return {.kind = kind};
}

}  // namespace postern::ask
