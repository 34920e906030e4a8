// Writes the seeds of every target from the dialogues: make_seeds DIALOGUES_FOLDER OUTPUT_FOLDER SPEC_FOLDER
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "audit/dialogue.hpp"
#include "fuzz/cdb_of.hpp"
#include "fuzz/session_input.hpp"

namespace {

using namespace postern;
using spec::Event;

constexpr std::size_t most_octets = 64 * 1024;

// The fate by which outcome_for gives this outcome.
std::uint8_t fate_of(Event outcome) {
  const std::string_view name = spec::name_of(outcome);
  const auto waiting = name.starts_with("recipient.")     ? spec::bit::waiting_recipient
                       : name.starts_with("message.")     ? spec::bit::waiting_message
                       : name.starts_with("credentials.") ? spec::bit::waiting_credentials
                                                          : spec::bit::waiting_hand_over;
  std::uint8_t fate = 0;
  while (fate < 15 && testing::outcome_for({waiting}, fate) != outcome) ++fate;
  return fate;
}

fuzz::SessionInput session_of(const audit::Dialogue& dialogue) {
  fuzz::SessionInput input;
  input.script.settings_and_facts = dialogue.settings_and_facts;
  input.script.databytes = dialogue.databytes;
  input.script.parts.emplace_back();
  input.cut = {testing::Cut::How::in_pieces, 5};
  if (dialogue.asks_at_data) {
    input.script.databytes = 100;
    input.cut.octets = 4;
  }
  for (const audit::Item& item : dialogue.items) {
    if (item.kind == audit::ItemKind::client) input.script.parts.back().octets += item.octets;
    if (item.kind != audit::ItemKind::event) continue;
    if (spec::name_of(item.event).starts_with("connect.")) {
      input.start = item.event;
    } else if (audit::is_outcome_of_a_look_up(item.event)) {
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

void add_control_files(const Seeds& seeds) {
  using fuzz::cdb_of;
  using namespace std::string_literals;
  seeds.add("rcpthosts", "\0a@sub.example.org\0# ours\nexample.com\n.Example.org \n\n"s);
  seeds.add("badmailfrom", "\3a@bad.example\0spam@x.example\n@BAD.example\t\n"s);
  seeds.add("valid_recipients", "\x0A"s + "Tim-x@example.org\0"s + cdb_of("tim-default@example.org", ""));
  seeds.add("valid_record", "\x0B"s + "tim-a-b@example.org\0tim-default@example.org\n-moved"s);
  seeds.add("dns_lists", "\x0C\0"s + "zen.example.org=127.0.0.[2..11]*3 ipv4:key@w.example=127.0.[0..255].[1;3]*-2");
  seeds.add("databytes", "\5\0"s + "10485760\n");
  seeds.add("cdb", "\x0F"s + "tim\0"s + cdb_of("tim", "x"));
  seeds.add("localiphost", "\7[192.0.02.001]\0mx.example \n"s);
  seeds.add("pairs", "\x09\0,A=\"b\",PASSWORD_EXPIRES=\"1700000001\""s);
  seeds.add("expired", "\x09\0,PASSWORD_EXPIRES=\"1700000000\""s);
  seeds.add("expires_never", "\x09\0,PASSWORD_EXPIRES=\"0\",PASSWORD_EXPIRES=\"\""s);
  seeds.add("expires_some_day", "\x09\0,PASSWORD_EXPIRES=\"soon\""s);
  seeds.add("login", "\x08"s + "tim\0"s + cdb_of("tim", "$1$abcdefgh$kM8/dEkxuTkZG8dyWYfqI.,A=\"b\""));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: make_seeds DIALOGUES_FOLDER OUTPUT_FOLDER SPEC_FOLDER\n", stderr), 2;
  const Seeds sessions(argv[2], "session"), tls_sessions(argv[2], "tls_session"), lines(argv[2], "command_line"),
      data(argv[2], "mail_data"), paths(argv[2], "path"), exchanges(argv[2], "sasl"), files(argv[2], "control_files"),
      specs(argv[2], "spec_file");
  add_control_files(files);
  for (char number = 0; const char* name : {"settings", "events", "policy", "replies", "laws"}) {
    std::ifstream text(std::filesystem::path(argv[3]) / (std::string(name) + ".toml"));
    specs.add(name, number++ + std::string(std::istreambuf_iterator(text), {}));
  }
  for (const char* answer : {"AHRpbQBw", "dGltAHRpbQBw", "*", "=", "AAAA", "AHRpbQ==", "AHQAcHdwdw=="})
    exchanges.add(std::string("plain.") + std::to_string(answer[0]) + answer[1], std::string(1, '\0') + answer);
  exchanges.add("login", "\1dGlt\ncHdwdw==");
  for (const audit::Dialogue& dialogue : audit::load_dialogues(argv[1])) {
    sessions.add(dialogue.name, fuzz::write_session_input(session_of(dialogue)));
    tls_sessions.add(dialogue.name, fuzz::write_session_input(session_of(dialogue)));
    for (const audit::Item& item : dialogue.items) {
      if (item.kind != audit::ItemKind::client) continue;
      const std::string name = dialogue.name + "." + std::to_string(item.line);
      const std::string line = item.octets.substr(0, item.octets.find("\r\n"));
      if (const std::size_t colon = line.find(':'); colon != line.npos && line.size() > 4)
        paths.add(name, (line[0] == 'R' ? "\1" : std::string(1, '\0')) + line.substr(colon + 1));
      lines.add(name, line);
      data.add(name, "\x05" + item.octets + "\r\n.\r\n");
    }
  }
  return 0;
}
