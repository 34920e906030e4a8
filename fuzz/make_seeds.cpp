// Writes the seeds of every target from the dialogues: make_seeds DIALOGUES_FOLDER OUTPUT_FOLDER
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/session_input.hpp"
#include "tests/dialogue.hpp"

namespace {

using namespace postern;
using spec::Event;

constexpr std::size_t most_octets = 16 * 1024;

// The fate by which outcome_for gives this outcome.
std::uint8_t fate_of(Event outcome) {
  const std::string_view name = spec::name_of(outcome);
  const auto waiting = name.starts_with("recipient.")     ? spec::bit::waiting_recipient
                       : name.starts_with("credentials.") ? spec::bit::waiting_credentials
                                                          : spec::bit::waiting_hand_over;
  std::uint8_t fate = 0;
  while (fate < 7 && proptests::outcome_for({waiting}, fate) != outcome) ++fate;
  return fate;
}

fuzz::SessionInput session_of(const tests::Dialogue& dialogue) {
  fuzz::SessionInput input;
  input.script.settings_and_facts = dialogue.settings_and_facts;
  input.script.databytes = dialogue.databytes;
  input.script.parts.emplace_back();
  input.cut = {tests::Cut::How::in_pieces, 5};
  for (const tests::Item& item : dialogue.items) {
    if (item.kind == tests::ItemKind::client) input.script.parts.back().octets += item.octets;
    if (item.kind != tests::ItemKind::event) continue;
    if (tests::is_outcome_of_a_look_up(item.event)) {
      input.script.fates.push_back(fate_of(item.event));
    } else {
      input.script.parts.back().then = item.event;
      input.script.parts.emplace_back();
    }
  }
  return input;
}

class Seeds {
 public:
  Seeds(const std::filesystem::path& folder, const std::string& target) : folder_(folder / target) {
    std::filesystem::create_directories(folder_);
  }
  void add(const std::string& name, std::string_view octets) const {
    if (octets.size() <= most_octets) std::ofstream(folder_ / name, std::ios::binary) << octets;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: make_seeds DIALOGUES_FOLDER OUTPUT_FOLDER\n", stderr), 2;
  const Seeds sessions(argv[2], "session"), lines(argv[2], "command_line"), data(argv[2], "mail_data");
  for (const tests::Dialogue& dialogue : tests::load_dialogues(argv[1])) {
    sessions.add(dialogue.name, fuzz::write_session_input(session_of(dialogue)));
    for (const tests::Item& item : dialogue.items) {
      if (item.kind != tests::ItemKind::client) continue;
      const std::string name = dialogue.name + "." + std::to_string(item.line);
      lines.add(name, std::string_view(item.octets).substr(0, item.octets.find("\r\n")));
      data.add(name, "\x05" + item.octets + "\r\n.\r\n");
    }
  }
  return 0;
}
