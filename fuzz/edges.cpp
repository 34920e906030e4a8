// Walks the Ragel machines over what is kept for the targets: edges CORPUS_FOLDER...
// out     `machine state octet` a line, for every step that some input takes; fuzz/coverage compares them with what Ragel
//         says of the machines (ragel -x)
#include "fuzz/edges.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/alphabets.hpp"
#include "grammar/base64.hpp"
#include "grammar/oracle.hpp"

namespace {

using namespace postern;

template <typename Read>
void read_all(const std::filesystem::path& folder, Read read) {
  if (!std::filesystem::is_directory(folder)) return;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(file.path(), std::ios::binary);
    read(std::string(std::istreambuf_iterator<char>(in), {}));
  }
}

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

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path folder = argv[i];
    read_all(folder / "command_line", parse);
    read_all(folder / "path", [](const std::string& octets) {  // as fuzz/path.cpp has it
      if (!octets.empty()) parse((octets[0] % 2 == 0 ? "MAIL FROM:" : "RCPT TO:") + octets.substr(1));
    });
    read_all(folder / "sasl", decode_answers);
    read_all(folder / "session", split);
    read_all(folder / "mail_data", decode_mail_data);
  }
  for (const auto& [machine, state, octet] : fuzz::taken_edges())
    std::printf("%s %d %d\n", machine.c_str(), state, octet);
  return 0;
}
