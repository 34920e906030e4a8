// postern reload: asks a running `postern serve` for a reload, waits, and says what became of it.
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "cli/verbs.hpp"
#include "server/reload_verdict.hpp"

namespace postern::cli {
namespace {

constexpr const char* about =
    "Asks a running `postern serve` to read its files again, waits, and reports the result.\n"
    "\n"
    "  postern reload 4711        4711 is its process id; for systemd: ExecReload=/usr/local/bin/postern reload "
    "$MAINPID\n"
    "\n"
    "Exit code: 0 when new sessions are served with what was read; 100 when it was refused, and nothing has changed, "
    "or\n"
    "when there was no answer. The sentence is that of the server's log.";

constexpr int exit_refused = 100;
constexpr unsigned default_patience_seconds = 90;

struct Options {
  pid_t server = 0;
  unsigned patience_seconds = default_patience_seconds;
};

// SIGHUP ends most programs: a number of a process that has taken over an old one must not get it.
bool serves(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/cmdline");
  std::string program, verb;
  return std::getline(file, program, '\0') && std::getline(file, verb, '\0') && verb == "serve";
}

int reload(const Options& options) {
  using server::ReloadVerdict;
  if (!serves(options.server)) {
    std::fprintf(stderr, "reload: process %d is not postern serve\n", static_cast<int>(options.server));
    return exit_refused;
  }
  const ReloadVerdict verdict = server::ask_for_reload(options.server, std::chrono::seconds(options.patience_seconds));
  const bool is_done = verdict.kind == ReloadVerdict::Kind::done;
  std::fprintf(is_done ? stdout : stderr, "reload: %s\n", verdict.sentence.c_str());
  return is_done ? 0 : exit_refused;
}

}  // namespace

void add_reload(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand("reload", about);
  const auto options = std::make_shared<Options>();
  verb->add_option("PID", options->server, "the process id of postern serve")
      ->required()
      ->check(CLI::Range(1, 1 << 22));
  verb->add_option("--seconds", options->patience_seconds, "how long to wait for its verdict")->capture_default_str();
  verb->callback([&program, options] { program.chosen = [options] { return reload(*options); }; });
}

}  // namespace postern::cli
