// Writes the words of SMTP as the grammar and the spec have them: make_words GRAMMAR_FOLDER SPEC_FOLDER OUTPUT_FOLDER
// out     words.hpp, for the mutators; smtp.dict, for -dict= of any fuzzer; serve.dict, of the file of postern serve
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

// The keys of spec/options.toml, and the tables in which they stand.
std::set<std::string> serve_words(const std::string& options) {
  std::set<std::string> found{"[[listener]]\nsocket = \"smtp\"\n",
                              "[[listener]]\nip = \"127.0.0.1\"\nport = 0\n",
                              "cert = \"a\"",
                              "key = \"a\"",
                              "\\u0000",
                              "\"\"\"",
                              "[[",
                              "{",
                              "= "};
  static const std::regex name("(?:^|\n)name = \"(\\w+)\""), places("(?:^|\n)where = ([^\n]*)"), place("\"(\\w+)\"");
  const auto each = [](const std::string& text, const std::regex& what, auto take) {
    for (auto at = std::sregex_iterator(text.begin(), text.end(), what); at != std::sregex_iterator(); ++at)
      take((*at)[1].str());
  };
  each(options, name, [&](const std::string& key) { found.insert(key + " = "); });
  each(options, places, [&](const std::string& list) {
    each(list, place, [&](const std::string& table) { found.insert('[' + table + "]\n"); });
  });
  found.erase("[class]\n"), found.erase("[environment]\n");
  return found;
}

void write_dictionary(std::ostream& out, const std::set<std::string>& entries) {
  out << "# Written by fuzz/make_words.cpp from grammar/*.rl and spec/*.toml.\n";
  for (const std::string& entry : entries) out << '"' << escaped(entry, "\\x%02X") << "\"\n";
}

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
  std::ofstream header(out / "words.hpp"), dictionary(out / "smtp.dict"), serve(out / "serve.dict");
  header << "// Written by fuzz/make_words.cpp from grammar/*.rl and spec/*.toml.\n#pragma once\n\n#include <array>\n"
            "#include <string_view>\n\nnamespace postern::fuzz {\n\ninline constexpr std::array<std::string_view, "
         << words.size() << "> words{\n";
  for (const std::string& word : words) header << "    \"" << escaped(word, "\\%03o") << "\",\n";
  header << "};\n\n}  // namespace postern::fuzz\n";
  words.insert(phrases.begin(), phrases.end());
  write_dictionary(dictionary, words);
  write_dictionary(serve, serve_words(text_of(std::filesystem::path(argv[2]) / "options.toml")));
  return header && dictionary && serve ? 0 : 1;
}
