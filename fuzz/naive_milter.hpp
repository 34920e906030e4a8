// A naive reader of what a milter may answer, written apart from lib/filter: the text of a reply, and changes.
// in      what stands after the letter of a packet
// out     words for a client; changes in words: "h 0 X: y", "+ a@x.example"
// errors  nothing: it is none, and the filter has failed
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::fuzz {

using Strings = std::vector<std::string>;

inline std::uint32_t naive_number(std::string_view four) {
  std::uint32_t all = 0;
  for (int i = 0; i < 4; ++i) all = all * 256 + static_cast<std::uint8_t>(four[static_cast<std::size_t>(i)]);
  return all;
}

inline bool is_enhanced(const std::string& word) {
  std::vector<std::size_t> digits{0};
  for (const char c : word) {
    if (c == '.')
      digits.push_back(0);
    else if (c >= '0' && c <= '9')
      ++digits.back();
    else
      return false;
  }
  const auto few = [](std::size_t count) { return count >= 1 && count <= 3; };
  return digits.size() == 3 && digits[0] == 1 && few(digits[1]) && few(digits[2]);
}

inline std::optional<std::string> naive_text(std::string text) {
  if (!text.empty() && text.back() == '\0') text.pop_back();
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() < 3 || (text[0] != '4' && text[0] != '5') || !digit(text[1]) || !digit(text[2])) return std::nullopt;
  if (text.find('\0') != std::string::npos) return std::nullopt;
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') ++i;
    if (i < text.size()) plain += text[i];
  }
  const std::string code = text.substr(0, 3);
  std::string enhanced, words;
  while (!plain.empty()) {
    const std::size_t lf = plain.find('\n');
    std::string line = plain.substr(0, lf);
    plain = lf == std::string::npos ? "" : plain.substr(lf + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.substr(0, 3) != code || (line.size() > 3 && line[3] != ' ' && line[3] != '-')) return std::nullopt;
    line = line.size() > 4 ? line.substr(4) : "";
    const std::string word = line.substr(0, line.find(' '));
    if (is_enhanced(word)) {
      if (word[0] != code[0]) return std::nullopt;
      if (enhanced.empty()) enhanced = word;
      line = line.substr(word.size());
    }
    while (!line.empty() && line[0] == ' ') line.erase(0, 1);
    if (!words.empty() && !line.empty()) words += ' ';
    words += line;
  }
  if (enhanced.empty()) enhanced = code.substr(0, 1) + ".7.1";
  if (words.empty()) words = code[0] == '5' ? "this message is refused" : "try again later";
  words = (enhanced + " " + words).substr(0, 255);
  for (char& c : words)
    if (c < ' ' || c > '~') c = '?';
  return words;
}

class NaiveEdits {
 public:
  NaiveEdits() = default;
  NaiveEdits(std::uint32_t actions, std::uint32_t protocol) : actions_(actions), protocol_(protocol) {}

  // Whether it is one.
  bool take(char letter, const std::string& data) {
    const std::string which = "hmb+-eq2i";
    const std::uint32_t need[] = {0x1, 0x10, 0x2, 0x4, 0x8, 0x40, 0x20, 0x80, 0x1};
    const bool is_agreed = (actions_ & need[which.find(letter)]) != 0;
    const char last = std::exchange(last_, letter);
    if (!is_agreed) return false;
    if (letter == 'b') {
      if (has_body_ && last != 'b') return false;
      has_body_ = true;
      body_ += data;
      return true;
    }
    if (letter == 'q') return take_quarantine(data);
    return !data.empty() && take_texts(letter, data);
  }

  // All of them, at the end; nothing: the body is none.
  std::optional<Strings> all() {
    if (has_body_) {
      std::string plain;
      for (std::size_t i = 0; i < body_.size(); ++i)
        if (!(body_[i] == '\r' && i + 1 < body_.size() && body_[i + 1] == '\n')) plain += body_[i];
      for (const char c : plain)
        if (c == '\r' || c == '\0') return std::nullopt;
      if (!plain.empty() && plain.back() != '\n') plain += '\n';
      body_ = "b " + plain;
    }
    for (const Strings& each : {Strings{sender_}, more_, fewer_, Strings{body_}, Strings{quarantine_}})
      for (const std::string& text : each)
        if (!text.empty()) header_.push_back(text);
    return header_;
  }

 private:
  // The texts of data; one without NUL is no text, and then there is nothing.
  static Strings texts(const std::string& data, bool& is_whole) {
    Strings all;
    std::string text;
    for (const char c : data) {
      if (c == '\0')
        all.push_back(std::exchange(text, {}));
      else
        text += c;
    }
    is_whole = text.empty();
    return all;
  }

  bool take_quarantine(std::string why) {
    const std::size_t nul = why.find('\0');
    if (nul != std::string::npos && nul + 1 != why.size()) return false;
    why = why.substr(0, std::min<std::size_t>({255, nul, why.size()}));
    for (char& c : why)
      if (c < ' ' || c > '~') c = '?';
    quarantine_ = "q " + why;
    return true;
  }

  bool take_texts(char letter, std::string data) {
    std::uint32_t index = 0;
    if (letter == 'i' || letter == 'm') {
      if (data.size() < 4) return false;
      index = naive_number(data);
      data.erase(0, 4);
    }
    bool is_whole = false;
    const Strings parts = texts(data, is_whole);
    if (!is_whole || index > 0x7FFFFFFF) return false;
    if (letter == 'h' || letter == 'i' || letter == 'm')
      return parts.size() == 2 && take_field(letter, index, parts[0], parts[1]);
    const bool has_arguments = letter == '2' || letter == 'e';
    if (parts.empty() || parts.size() > (has_arguments ? 2U : 1U)) return false;
    return take_address(letter, parts[0]);
  }

  bool take_field(char letter, std::uint32_t index, const std::string& name, std::string value) {
    if (name.empty() || name.size() >= 998) return false;
    for (const char c : name)
      if (c <= ' ' || c > '~' || c == ':') return false;
    std::string plain;
    for (std::size_t i = 0; i < value.size(); ++i)
      if (!(value[i] == '\r' && i + 1 < value.size() && value[i + 1] == '\n')) plain += value[i];
    bool begins = false, is_blank = false;
    for (const char c : plain) {
      if (c == '\r') return false;
      if (begins && c != ' ' && c != '\t') return false;
      if (c == '\n' && is_blank) return false;
      begins = c == '\n';
      is_blank = begins || (is_blank && (c == ' ' || c == '\t'));
    }
    if (is_blank) return false;  // a further line without anything
    const bool is_removal = letter == 'm' && plain.empty();
    if ((protocol_ & 0x100000) == 0 && !is_removal) plain = " " + plain;
    if (letter == 'm' && index == 0) index = 1;
    header_.push_back((is_removal ? "x " : std::string(1, letter) + " ") + std::to_string(index) + " " + name + ":" +
                      plain);
    return true;
  }

  bool take_address(char letter, std::string address) {
    if (address.size() >= 2 && address[0] == '<' && address.back() == '>')
      address = address.substr(1, address.size() - 2);
    if (address.size() > 899) return false;
    for (const char c : address)
      if (c < ' ' || c > '~' || c == '<' || c == '>') return false;
    if (letter == 'e') {
      sender_ = "e " + address;
      return true;
    }
    if (address.empty()) return false;
    if (letter == '-') {
      std::erase(more_, "+ " + address);
      fewer_.push_back("- " + address);
    } else if (std::ranges::count(more_, "+ " + address) == 0) {
      more_.push_back("+ " + address);
    }
    return more_.size() <= 1000;
  }

  std::uint32_t actions_ = 0, protocol_ = 0;
  char last_ = 0;
  bool has_body_ = false;
  std::string sender_, body_, quarantine_;
  Strings header_, more_, fewer_;
};

}  // namespace postern::fuzz
