// Walks the Ragel machines over what is kept for the targets:
//   edges CORPUS_FOLDER...
//   edges --each CORPUS_FOLDER    a line an input: its target, its name, and its steps
// out     `machine state octet` a line, for every step that some input takes; fuzz/coverage compares them with what Ragel
//         says of the machines (ragel -x)
#include "fuzz/edges.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/alphabets.hpp"
#include "grammar/base64.hpp"
#include "grammar/oracle.hpp"

namespace {

using namespace postern;

void parse(const std::string& line) { static_cast<void>(grammar::parse_command_over(grammar::Classes{}, line)); }

void decode_answers(const std::string& octets) {
  if (octets.empty()) return;
  std::vector<char> out(octets.size());
  for (std::string_view lines = std::string_view(octets).substr(1); !lines.empty();) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    static_cast<void>(grammar::decode_base64(lines.substr(0, end), out));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

void split(const std::string& octets) {
  std::vector<grammar::FinishedLine> lines;
  grammar::LineMachine(std::numeric_limits<std::size_t>::max()).take(octets, lines);
}

void decode_mail_data(const std::string& octets) {
  if (octets.empty()) return;
  std::vector<char> out(octets.size() + 2);
  static_cast<void>(grammar::MailDataMachine().decode(std::string_view(octets).substr(1), out));
}

void read_path(const std::string& octets) {  // as fuzz/path.cpp has it
  if (!octets.empty()) parse((octets[0] % 2 == 0 ? "MAIL FROM:" : "RCPT TO:") + octets.substr(1));
}

constexpr std::array<std::pair<const char*, void (*)(const std::string&)>, 5> readers{
    {{"command_line", parse},
     {"path", read_path},
     {"sasl", decode_answers},
     {"session", split},
     {"mail_data", decode_mail_data}}};

template <typename Then>
void read_all(const std::filesystem::path& corpus, Then then) {
  for (const auto& [target, read] : readers) {
    if (!std::filesystem::is_directory(corpus / target)) continue;
    for (const auto& file : std::filesystem::directory_iterator(corpus / target)) {
      std::ifstream in(file.path(), std::ios::binary);
      read(std::string(std::istreambuf_iterator<char>(in), {}));
      then(target, file.path().filename());
    }
  }
}

void list_each(const std::filesystem::path& corpus) {
  read_all(corpus, [](const char* target, const std::filesystem::path& name) {
    std::printf("%s %s", target, name.c_str());
    for (const auto& [machine, state, octet] : fuzz::taken_edges())
      std::printf(" %s.%d.%d", machine.c_str(), state, octet);
    std::printf("\n");
    fuzz::taken_edges().clear();
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--each") return list_each(argv[2]), 0;
  for (int i = 1; i < argc; ++i) read_all(argv[i], [](const char*, const std::filesystem::path&) {});
  for (const auto& [machine, state, octet] : fuzz::taken_edges())
    std::printf("%s %d %d\n", machine.c_str(), state, octet);
  return 0;
}
