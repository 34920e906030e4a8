// postern: what the operator and the auditor ask the policy.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string_view>

#include "audit/text.hpp"
#include "base/spelling.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr const char* about =
    "postern receives mail, and answers questions about its policy, which is also that of postern-smtpd.\n"
    "\n"
    "  postern serve -c postern.toml        receives mail, for many clients at once\n"
    "  postern reload PID                   makes it read its files again: done, or refused and why\n"
    "  postern check -c postern.toml        is this file fit to start with?\n"
    "  postern ask -c postern.toml 192.0.2.7 client.example bob@example.com alice@example.org   who answers what\n"
    "                                       about this client and recipient now, and what the policy makes of it\n"
    "  postern passwd users.cdb alice       sets the password of a user\n"
    "  postern check                        is this environment fit to start with? what is dangerous in it?\n"
    "  postern explain FORCE_TLS=1 AUTH=1   what does a client see, and what is accepted when?\n"
    "  postern matrix                       the table of the 14 usual settings, and all 64 by behaviour\n"
    "  postern diff 'AUTH=1' 'AUTH=1 FORCE_TLS=1'   which sessions end differently, with a dialogue for each\n"
    "  postern rule mail.starttls_first     why a line of the log says refuse: the rule, its reason, a session\n"
    "  postern replay session.smtp          a dialogue without network: state, rule and reply at each step\n"
    "  postern judge 127.0.0.1:25           which laws hold for a server that runs, ours or not\n"
    "  postern spec --format html -o policy.html    the whole policy as a document and explorer\n"
    "\n"
    "Settings are SSL, FORCE_TLS, DENY_TLS, AUTH, REQUIRE_AUTH, ALLOW_INSECURE_AUTH (0 or 1) and PORT; facts are\n"
    "certificate, backend (something can check a password), relay_client (RELAYCLIENT is set) and local_only (nothing\n"
    "carries accepted mail to other domains).";

constexpr int exit_usage = 100;
constexpr int exit_no_memory = 111;  // as of what may pass

std::optional<bool> presence(const std::string& word) {
  if (word == "yes") return true;
  if (word == "no") return false;
  return std::nullopt;
}

// `help` and `help VERB` are `--help` and `VERB --help`.
void ask_for_help(std::vector<std::string>& words) {
  words.erase(words.begin());
  words.emplace_back("--help");
}

void refuse_unknown_verb(const CLI::App& app, const std::string& word) {
  if (word.starts_with('-')) return;
  std::vector<std::string> verbs;
  for (const CLI::App* verb : app.get_subcommands(nullptr)) verbs.push_back(verb->get_name());
  if (std::ranges::find(verbs, word) != verbs.end()) return;
  const std::string question = base::question_of(word, verbs);
  throw audit::UsageError(word + " is not a verb" + (question.empty() ? "." : question) + " There are " +
                          audit::joined(verbs, ", ") + "; postern --help says what they do");
}

int run(int argc, char** argv) {
  CLI::App app{about, "postern"};
  app.require_subcommand(1);
  app.set_version_flag("-V,--version",
                       std::string("postern ") + POSTERN_VERSION + ", policy " + std::string(spec::policy_hash()));
  Program program;
  add_check(app, program);
  add_ask(app, program);
  add_explain(app, program);
  add_matrix(app, program);
  add_diff(app, program);
  add_replay(app, program);
  add_passwd(app, program);
  add_rule(app, program);
  add_judge(app, program);
  add_spec(app, program);
  add_serve(app, program);
  add_reload(app, program);
  add_completion(app, program);
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) return std::fputs(app.help().c_str(), stderr), exit_usage;
  if (words.front() == "help") ask_for_help(words);
  refuse_unknown_verb(app, words.front());
  std::ranges::reverse(words);  // as the parser wants them
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : exit_usage;
  }
  return program.chosen();
}

}  // namespace

void FactOptions::add_to(CLI::App& verb, const std::string& certificate_auto, const std::string& backend_auto) {
  const CLI::IsMember words({"yes", "no", "auto"});
  verb.add_option("--certificate", certificate, "is there a usable certificate? auto: " + certificate_auto)
      ->check(words)
      ->type_name("yes|no|auto");
  verb.add_option("--backend", backend, "can something check a password? auto: " + backend_auto)
      ->check(words)
      ->type_name("yes|no|auto");
}

audit::SaidFacts FactOptions::said() const {
  return {presence(certificate), presence(backend), presence(relay_client), {}};
}

// What an environment or a cdb holds is no order to the terminal.
void print(const std::string& text) {
  std::string shown = text;
  std::ranges::replace_if(
      shown, [](char c) { return c == 127 || (static_cast<unsigned char>(c) < 32 && c != '\n'); }, '?');
  std::fwrite(shown.data(), 1, shown.size(), stdout);
}

}  // namespace postern::cli

namespace {

void say_no_memory() {
  std::fputs("postern: out of memory: raise the limit (ulimit -v, softlimit -a, MemoryMax=)\n", stderr);
}

// Before main() nothing can catch bad_alloc from a static object of a library.
[[gnu::constructor(101)]] void refuse_without_memory() {
  std::set_new_handler([] {
    constexpr std::string_view sentence = "postern: no memory to start: raise the limit (ulimit -v, MemoryMax=)\n";
    static_cast<void>(!::write(STDERR_FILENO, sentence.data(), sentence.size()));
    ::_exit(postern::cli::exit_no_memory);
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::set_new_handler(nullptr);
  try {
    return postern::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    say_no_memory();
    return postern::cli::exit_no_memory;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "postern: %s\n", error.what());
    return postern::cli::exit_usage;
  }
}
