// postern serve: receives mail from many clients at once.
#include <unistd.h>

#include <array>
#include <memory>

#include "cli/serve_start.hpp"
#include "cli/verbs.hpp"
#include "server/server.hpp"

namespace postern::cli {
namespace {

struct Options {
  std::vector<std::string> listens, domains;
  std::string file, shadow, host, maildir, certificate, key;
  bool discards = false;
};

std::string own_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? name.data() : "localhost";
}

config::ListenerSettings listener_of(const Options& options, const std::string& listen) {
  const auto at = base::parse_endpoint(listen);
  if (!at)
    throw audit::UsageError("--listen \"" + listen + "\": write an address and a port: 127.0.0.1:2525 or [::1]:2525");
  config::ListenerSettings settings{.place = "--listen " + listen, .at = *at};
  const auto set = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) settings.variables.push_back(name + "=" + value);
  };
  set("PORT", at->port == 0 ? "" : std::to_string(at->port));
  set("SMTPGREETING", options.host);
  set("POSTERN_MAILDIR", options.maildir);
  set("POSTERN_DISCARD", options.discards ? "1" : "");
  set("TLS_SERVER_CERT", options.certificate);
  set("TLS_SERVER_KEY", options.key);
  return settings;
}

config::Configuration configuration_of(Options options) {
  if (options.host.empty()) options.host = own_name();
  config::Configuration settings;
  settings.home = ".";
  settings.domains = options.domains.empty() ? std::vector<std::string>{options.host, "localhost"} : options.domains;
  for (const std::string& listen : options.listens) settings.listeners.push_back(listener_of(options, listen));
  return settings;
}

constexpr const char* about =
    "Receives mail: one process, many clients, no front end.\n"
    "\n"
    "  postern serve -c /etc/postern/postern.toml      all settings, in a file\n"
    "  postern check -c /etc/postern/postern.toml      what is wrong with it, before the start\n"
    "\n"
    "  postern serve --listen 127.0.0.1:2525 --maildir mail --domain example.org\n"
    "      a trial without a file: mail for example.org goes to mail/example.org/USER/new\n"
    "  postern serve --listen 127.0.0.1:2525 --discard --certificate server.pem\n"
    "      all mail is thrown away, STARTTLS is offered\n"
    "\n"
    "A file may be as short as this:\n"
    "\n"
    "  [server]\n"
    "  home = \"/var/lib/postern\"\n"
    "  domains = [\"example.org\"]\n"
    "  [variables]\n"
    "  POSTERN_MAILDIR = \"/var/mail\"\n"
    "  [[listener]]\n"
    "  ip = \"0.0.0.0\"\n"
    "  port = 25\n"
    "\n"
    "SIGHUP, or a change of the file or of a control file: the server reads all again, for new sessions. SIGTERM, "
    "SIGINT: it "
    "ends.\n"
    "Exit code: 0 after a signal, 100 when the start is refused; the log, on standard error, says why.";

int serve(const Options& options) {
  if (!options.file.empty()) return serve_file(options.file, options.shadow);
  if (options.listens.empty())
    throw audit::UsageError("serve what? -c FILE, or --listen ADDRESS:PORT; see postern serve --help");
  return server::serve(
      {.settings = configuration_of(options), .read_again = {}, .environment = environ, .version = POSTERN_VERSION});
}

}  // namespace

void add_serve(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand("serve", about);
  const auto options = std::make_shared<Options>();
  CLI::Option* file =
      verb->add_option("-c,--config", options->file, "the file; only --shadow goes with it")->type_name("FILE");
  verb->add_option("--shadow", options->shadow, "a second file, by which sessions are judged too, without effect")
      ->needs(file)
      ->type_name("FILE");
  const auto for_a_trial = [&](CLI::Option* option) { return option->excludes(file); };
  for_a_trial(verb->add_option("--listen", options->listens, "address and port; may be repeated"))
      ->type_name("ADDRESS:PORT");
  for_a_trial(verb->add_option("--maildir", options->maildir, "where mail goes: DIR/DOMAIN/LOCAL-PART/new"))
      ->type_name("DIR");
  for_a_trial(
      verb->add_option("--domain", options->domains, "a domain whose mail is accepted from everybody; may be repeated"))
      ->type_name("DOMAIN");
  for_a_trial(verb->add_option("--host", options->host, "our name, for the greeting"))->type_name("NAME");
  for_a_trial(verb->add_option("--certificate", options->certificate, "PEM file with key, certificate and chain"))
      ->type_name("FILE");
  for_a_trial(verb->add_option("--key", options->key, "PEM file with the private key, when it is not in that file"))
      ->type_name("FILE");
  for_a_trial(verb->add_flag("--discard", options->discards, "throw all mail away"));
  verb->callback([&program, options] { program.chosen = [options] { return serve(*options); }; });
}

}  // namespace postern::cli
