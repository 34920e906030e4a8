#include "filter/milter_codec.hpp"

#include <algorithm>
#include <utility>

#include "spec/limits.hpp"

namespace postern::filter {
namespace {

constexpr std::size_t length_octets = 4;

std::uint32_t number_at(std::string_view octets) {
  std::uint32_t number = 0;
  for (const char octet : octets.substr(0, length_octets)) number = number << 8 | static_cast<unsigned char>(octet);
  return number;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char printable(char c) { return c >= ' ' && c <= '~' ? c : '?'; }

// RFC 3463 2: "5.7.1", one digit, then twice at most three. How many octets of the text.
std::size_t enhanced_code_octets(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(' '));
  const std::size_t dot = word.find('.', 2);
  const auto is_number = [](std::string_view part) {
    return !part.empty() && part.size() <= 3 && std::ranges::all_of(part, is_digit);
  };
  const bool is_one = word.size() > 3 && is_digit(word[0]) && word[1] == '.' && dot != std::string_view::npos &&
                      is_number(word.substr(2, dot - 2)) && is_number(word.substr(dot + 1));
  return is_one ? word.size() : 0;
}

// Sendmail takes the text for a format: a filter doubles each '%', and one that stands alone is none.
std::string without_format(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') ++i;
    if (i == text.size()) break;
    plain += text[i];
  }
  return plain;
}

// Cuts off the first line, which CRLF or LF ends.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// The words of one line of a reply with this code, behind its enhanced code; nothing: it is no such line.
struct ReplyLine {
  std::string_view enhanced{}, words{};
};
std::optional<ReplyLine> reply_line(std::string_view line, std::string_view code) {
  if (!line.starts_with(code) || (line.size() > 3 && line[3] != ' ' && line[3] != '-')) return std::nullopt;
  const std::string_view text = line.substr(std::min<std::size_t>(4, line.size()));
  const std::size_t enhanced = enhanced_code_octets(text);
  if (enhanced != 0 && text[0] != code[0]) return std::nullopt;
  std::string_view words = text.substr(enhanced);
  words.remove_prefix(std::min(words.find_first_not_of(' '), words.size()));
  return ReplyLine{.enhanced = text.substr(0, enhanced), .words = words};
}

}  // namespace

std::optional<MilterPacket> MilterPacketReader::next() {
  const std::string_view left = std::string_view(octets_).substr(taken_);
  if (is_malformed_ || left.size() <= length_octets) {
    if (left.size() == length_octets && number_at(left) == 0) is_malformed_ = true;
    if (left.empty()) {
      octets_.clear();
      taken_ = 0;
    }
    return std::nullopt;
  }
  const std::size_t octets = number_at(left);
  const char letter = left[length_octets];
  const bool is_body = letter == std::to_underlying(MilterReply::replace_body);
  if (octets == 0 ||
      octets - 1 > (is_body ? std::max(max_body_octets_, max_milter_data_octets) : max_milter_data_octets)) {
    is_malformed_ = true;
    return std::nullopt;
  }
  if (left.size() - length_octets < octets) {
    octets_.erase(0, std::exchange(taken_, 0));
    return std::nullopt;
  }
  taken_ += length_octets + octets;
  return MilterPacket{.letter = letter, .data = left.substr(length_octets + 1, octets - 1)};
}

std::optional<std::uint32_t> MilterFields::number() {
  if (left_.size() < length_octets) {
    left_ = {};
    return std::nullopt;
  }
  const std::uint32_t number = number_at(left_);
  left_.remove_prefix(length_octets);
  return number;
}

std::optional<std::string_view> MilterFields::text() {
  const std::size_t end = left_.find('\0');
  if (end == std::string_view::npos) {
    left_ = {};
    return std::nullopt;
  }
  const std::string_view text = left_.substr(0, end);
  left_.remove_prefix(end + 1);
  return text;
}

void put_milter_number(std::string& octets, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) octets += static_cast<char>(number >> shift & 0xFFU);
}

void put_milter_data(std::string& octets, MilterCommand command, std::string_view data) {
  put_milter_number(octets, static_cast<std::uint32_t>(data.size() + 1));
  octets += std::to_underlying(command);
  octets += data;
}

std::expected<MilterTerms, std::string> read_milter_terms(std::string_view data) {
  MilterFields fields(data);
  const auto version = fields.number(), actions = fields.number(), protocol = fields.number();
  if (!version || !actions || !protocol) return std::unexpected("an answer to our offer that is cut");
  if (*version < min_milter_version || *version > milter_version)
    return std::unexpected("version " + std::to_string(*version) + " of the protocol, which nobody offered");
  if ((*actions & ~milter_action::all) != 0) return std::unexpected("it wants to do what nobody offered");
  if ((*protocol & ~milter_protocol::offered) != 0) return std::unexpected("it wants a protocol that nobody offered");
  MilterTerms terms{.version = *version, .actions = *actions, .protocol = *protocol};
  while (!fields.is_at_end()) {
    const auto stage = fields.number();
    const auto names = stage ? fields.text() : std::nullopt;
    if (!names || *stage >= milter_stages) return std::unexpected("a list of macros that is none");
    terms.macros[*stage] = std::string(*names);
  }
  return terms;
}

std::string milter_words(std::string_view text) {
  std::string words(text.substr(0, spec::max_verdict_octets));
  std::ranges::transform(words, words.begin(), printable);
  return words;
}

std::optional<MilterText> read_milter_text(std::string_view data) {
  if (data.ends_with('\0')) data.remove_suffix(1);
  const bool has_code =
      data.size() >= 3 && (data[0] == '4' || data[0] == '5') && is_digit(data[1]) && is_digit(data[2]);
  if (!has_code || data.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string plain = without_format(data);
  std::string_view left = plain;
  const std::string_view code = data.substr(0, 3);
  std::string enhanced, words;
  while (!left.empty()) {
    const auto line = reply_line(take_line(left), code);
    if (!line) return std::nullopt;
    if (enhanced.empty()) enhanced = line->enhanced;
    if (!words.empty() && !line->words.empty()) words += ' ';
    words += line->words;
  }
  if (enhanced.empty()) enhanced = std::string(1, code[0]) + ".7.1";
  if (words.empty()) words = code[0] == '5' ? "this message is refused" : "try again later";
  return MilterText{.code = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'),
                    .words = milter_words(enhanced + ' ' + words)};
}

}  // namespace postern::filter
