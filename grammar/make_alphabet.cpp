// Build-time program: make_alphabet OCTETS.rl DIRECTORY classes|octets
// Reads the classes of octets.rl, one a line, refuses an octet that stands in none or in two, and writes for Ragel
// DIRECTORY/alphabet.rl (a name is its class number, or what octets.rl says) and for C++ DIRECTORY/alphabet.hpp
// (alphabet_key: octet -> class number, or -> itself).
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace {

constexpr int no_class = -1;
using ClassOfOctet = std::array<int, 256>;

struct Definition {
  std::string name;
  std::string octets;
};

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "make_alphabet: %s\n", why.c_str());
  std::exit(1);
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

// 'a', '\\', '\'' or 0x7F
unsigned octet_of(const std::string& term) {
  if (term.starts_with("0x")) return static_cast<unsigned>(std::stoul(term, nullptr, 16)) & 0xFFU;
  if (term.size() == 3 && term.front() == '\'' && term.back() == '\'') return static_cast<unsigned char>(term[1]);
  if (term.size() == 4 && term.starts_with("'\\") && term.back() == '\'') return static_cast<unsigned char>(term[2]);
  refuse("not an octet: " + term);
}

void put_term(const std::string& term, int number, ClassOfOctet& classes) {
  const auto dots = term.find("..");
  const unsigned first = octet_of(term.substr(0, dots));
  const unsigned last = dots == term.npos ? first : octet_of(term.substr(dots + 2));
  for (unsigned octet = first; octet <= last; ++octet) {
    if (classes[octet] != no_class) refuse("an octet stands in two classes: " + term);
    classes[octet] = number;
  }
}

// The separator is ` | ` with its spaces, so that '|' stays a character.
void put_definition(const Definition& definition, int number, ClassOfOctet& classes) {
  std::size_t begin = 0;
  while (begin != std::string::npos) {
    const auto bar = definition.octets.find(" | ", begin);
    const auto length = bar == std::string::npos ? bar : bar - begin;
    put_term(trimmed(definition.octets.substr(begin, length)), number, classes);
    begin = bar == std::string::npos ? bar : bar + 3;
  }
}

bool read_definition(const std::string& line, Definition& definition) {
  const auto equals = line.find(" = ");
  if (line.starts_with('#') || equals == line.npos || !line.ends_with(';')) return false;
  definition = {trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 3, line.size() - equals - 4))};
  return true;
}

std::string class_rules(std::istream& octets, ClassOfOctet& classes) {
  std::ostringstream rules;
  Definition definition;
  int number = 0;
  for (std::string line; std::getline(octets, line);) {
    if (read_definition(line, definition)) {
      put_definition(definition, number, classes);
      rules << definition.name << " = " << number++ << ";\n";
    } else {
      rules << line << "\n";
    }
  }
  for (const int number_of_octet : classes) {
    if (number_of_octet == no_class) refuse("an octet stands in no class");
  }
  return rules.str();
}

std::string key_table(const ClassOfOctet& keys, std::string_view type) {
  std::ostringstream table;
  table << "#pragma once\n\n#include \"grammar/alphabets.hpp\"\n\nnamespace postern::grammar {\n\n"
        << "using Alphabet = " << type << ";\n\nconstexpr unsigned char alphabet_key[256] = {";
  for (std::size_t octet = 0; octet < keys.size(); ++octet)
    table << (octet % 16 == 0 ? "\n    " : " ") << keys[octet] << ",";
  table << "\n};\n\n}  // namespace postern::grammar\n";
  return table.str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) refuse("make_alphabet OCTETS.rl DIRECTORY classes|octets");
  const bool by_class = std::string_view(argv[3]) == "classes";
  std::ifstream octets(argv[1]);
  ClassOfOctet keys;
  keys.fill(no_class);
  std::string rules = class_rules(octets, keys);
  if (!by_class) {
    std::ifstream again(argv[1]);
    rules.assign(std::istreambuf_iterator<char>(again), {});
    for (std::size_t octet = 0; octet < keys.size(); ++octet) keys[octet] = static_cast<int>(octet);
  }
  const std::string directory = argv[2];
  std::ofstream(directory + "/alphabet.rl") << rules;
  std::ofstream(directory + "/alphabet.hpp") << key_table(keys, by_class ? "Classes" : "Octets");
}
