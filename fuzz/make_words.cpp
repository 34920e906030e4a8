// Writes the words of SMTP as the grammar and the spec have them: make_words GRAMMAR_FOLDER SPEC_FOLDER OUTPUT_FOLDER
// out     words.hpp, for the mutators; smtp.dict, for -dict= of any fuzzer
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "spec/model.hpp"

namespace {

using namespace postern;

// How the alphabet spells what is no letter (grammar/octets.rl).
const std::map<std::string, std::string> spelled{{"colon", ":"}, {"six", "6"}, {"seven", "7"}, {"eight", "8"}};

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// A keyword stands in the grammar letter by letter: `S I Z E`, `eight B I T M I M E`.
void take_keywords(const std::string& grammar, std::set<std::string>& words) {
  static const std::regex keyword("\\b(?:[A-Z]|six|seven|eight)(?: (?:[A-Z]|colon|six|seven|eight)\\b)+");
  for (auto at = std::sregex_iterator(grammar.begin(), grammar.end(), keyword); at != std::sregex_iterator(); ++at) {
    std::istringstream letters(at->str());
    std::string word;
    for (std::string letter; letters >> letter;) word += spelled.contains(letter) ? spelled.at(letter) : letter;
    words.insert(word);
  }
}

void take_capabilities(const spec::Model& model, std::set<std::string>& words) {
  for (const spec::Capability& capability : model.capabilities) {
    std::istringstream parts(capability.text);
    for (std::string part; parts >> part;) {
      if (!part.contains('{')) words.insert(part.substr(0, part.find('=')));
    }
  }
}

std::string escaped(const std::string& text, const char* form) {
  std::string out;
  for (const char octet : text) {
    char code[8];
    std::snprintf(code, sizeof code, form, static_cast<unsigned char>(octet));
    const bool is_plain = octet >= ' ' && octet <= '~' && octet != '"' && octet != '\\';
    out += is_plain ? std::string(1, octet) : std::string(code);
  }
  return out;
}

// What no single rule of the grammar spells: ends of lines and of data, whole answers, events of a session.
const std::set<std::string> phrases{"\r\n",
                                    "\n",
                                    "\r",
                                    "\r\n.\r\n",
                                    "\n.\n",
                                    "\r.\r",
                                    "\n.\r\n",
                                    "\r\n..",
                                    "*\r\n",
                                    "dGlt\r\n",
                                    "AHRpbQBw",
                                    "<>",
                                    "<a@b.example>",
                                    "@a.example,@b.example:",
                                    "\"a b\"@c.example",
                                    "[192.0.2.1]",
                                    "[IPv6:::1]",
                                    "+3D",
                                    "Received: ",
                                    "Delivered-To: ",
                                    "\xF0",
                                    "\xF1",
                                    "\xF2",
                                    "\xF3",
                                    "\xF4",
                                    "\xF5",
                                    "GET / HTTP/1.1"};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: make_words GRAMMAR_FOLDER SPEC_FOLDER OUTPUT_FOLDER\n", stderr), 2;
  std::set<std::string> words;
  for (const auto& file : std::filesystem::directory_iterator(argv[1])) {
    if (file.path().extension() == ".rl") take_keywords(text_of(file.path()), words);
  }
  spec::Problems problems;
  take_capabilities(spec::load_model(argv[2], problems), words);
  if (!problems.empty() || words.size() < 20) return std::fputs("make_words: found too little\n", stderr), 1;
  const std::filesystem::path out(argv[3]);
  std::ofstream header(out / "words.hpp"), dictionary(out / "smtp.dict");
  header << "// Written by fuzz/make_words.cpp from grammar/*.rl and spec/*.toml.\n#pragma once\n\n#include <array>\n"
            "#include <string_view>\n\nnamespace postern::fuzz {\n\ninline constexpr std::array<std::string_view, "
         << words.size() << "> words{\n";
  for (const std::string& word : words) header << "    \"" << escaped(word, "\\%03o") << "\",\n";
  header << "};\n\n}  // namespace postern::fuzz\n";
  dictionary << "# Written by fuzz/make_words.cpp from grammar/*.rl and spec/*.toml.\n";
  words.insert(phrases.begin(), phrases.end());
  for (const std::string& word : words) dictionary << '"' << escaped(word, "\\x%02X") << "\"\n";
  return header && dictionary ? 0 : 1;
}
