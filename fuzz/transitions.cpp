// Which transitions of the policy the kept sessions take, of all that some session can take:
//   transitions FOLDER...              exit 1 when one is not taken
//   transitions --add FOLDER...        writes sessions that take more of them into the first folder
//   transitions --each FOLDER          a line a session: its name, and what it takes, in words that are equal within one run
// source  spec/verify.hpp (explore): every decision under every setting and fact
#include "fuzz/transitions.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/play.hpp"
#include "fuzz/spec_folder.hpp"
#include "fuzz/walk.hpp"
#include "testing/all_decisions.hpp"

namespace {

using namespace postern;
using fuzz::Transitions;

void take(std::span<const std::uint8_t> octets, Transitions& taken) {
  static const testing::Judge judge(fuzz::spec_folder());
  static fuzz::Player player(judge);
  const fuzz::SessionView view = fuzz::view_session_input(octets);
  for (const auto& decision : player.play(view, fuzz::most_octets, testing::AfterStarttls::same_session).decisions)
    taken.add(decision.before, decision.event);
}

void take_file(const std::filesystem::path& file, Transitions& taken) {
  std::ifstream in(file, std::ios::binary);
  const std::vector<std::uint8_t> octets(std::istreambuf_iterator<char>(in), {});
  take(octets, taken);
}

void take_sessions_of(const std::filesystem::path& folder, Transitions& taken) {
  if (!std::filesystem::is_directory(folder)) return;
  for (const auto& file : std::filesystem::directory_iterator(folder)) take_file(file, taken);
}

void list_each(const std::filesystem::path& folder, const spec::Model& model) {
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    Transitions taken(model);
    take_file(file, taken);
    std::printf("%s", file.path().filename().c_str());
    taken.list();
    std::printf("\n");
  }
}

void add_sessions(const spec::Model& model, const Transitions& all, const std::filesystem::path& folder,
                  Transitions& taken) {
  std::size_t count = 0;
  fuzz::walk(model, all, taken, [&](const std::string& session) {
    const std::string name = "walk." + std::to_string(std::hash<std::string>()(session));
    std::ofstream(folder / name, std::ios::binary) << session;
    take({reinterpret_cast<const std::uint8_t*>(session.data()), session.size()}, taken);
    ++count;
  });
  std::printf("%zu sessions added\n", count);
}

}  // namespace

int main(int argc, char** argv) {
  const bool adds = argc > 2 && std::string_view(argv[1]) == "--add";
  const spec::Model model = testing::load_spec(fuzz::spec_folder());
  if (argc == 3 && std::string_view(argv[1]) == "--each") return list_each(argv[2], model), 0;
  Transitions all(model), taken(model);
  static_cast<void>(spec::explore(model, [&](std::uint64_t word, std::size_t event, const spec::Row&) {
    all.add(spec::Guards{word}, static_cast<spec::Event>(event));
  }));
  for (int i = adds ? 2 : 1; i < argc; ++i) take_sessions_of(argv[i], taken);
  if (adds) add_sessions(model, all, argv[2], taken);
  return taken.tell_missing_of(all) == 0 ? 0 : 1;
}
