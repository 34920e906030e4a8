// postern serve: receives mail from many clients at once.
#include <unistd.h>

#include <array>
#include <memory>

#include "cli/verbs.hpp"
#include "listener/server.hpp"

namespace postern::cli {
namespace {

struct Options {
  std::vector<std::string> listens, domains;
  std::string host, maildir, certificate;
  bool discards = false;
};

std::string own_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? name.data() : "localhost";
}

listener::ListenerSettings listener_of(const Options& options, const std::string& listen) {
  const auto at = listener::parse_endpoint(listen);
  if (!at) throw UsageError("--listen \"" + listen + "\": write an address and a port: 127.0.0.1:2525 or [::1]:2525");
  listener::ListenerSettings settings{.place = "--listen " + listen, .at = *at};
  const auto set = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) settings.variables.push_back(name + "=" + value);
  };
  set("PORT", at->port == 0 ? "" : std::to_string(at->port));
  set("SMTPGREETING", options.host);
  set("POSTERN_MAILDIR", options.maildir);
  set("POSTERN_DISCARD", options.discards ? "1" : "");
  set("TLS_SERVER_CERT", options.certificate);
  return settings;
}

listener::Configuration configuration_of(Options options) {
  if (options.host.empty()) options.host = own_name();
  listener::Configuration settings;
  settings.home = ".";
  settings.domains = options.domains.empty() ? std::vector<std::string>{options.host, "localhost"} : options.domains;
  for (const std::string& listen : options.listens) settings.listeners.push_back(listener_of(options, listen));
  return settings;
}

int serve(const Options& options) {
  return listener::serve(
      {.settings = configuration_of(options), .read_again = {}, .environment = environ, .version = POSTERN_VERSION});
}

}  // namespace

void add_serve(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand("serve", "Receives mail.");
  const auto options = std::make_shared<Options>();
  verb->add_option("--listen", options->listens, "address and port; more than once for several")->required();
  verb->add_option("--maildir", options->maildir, "where mail goes: DIR/DOMAIN/LOCAL-PART/new");
  verb->add_option("--domain", options->domains, "whose mail is taken from everybody; more than once for several");
  verb->add_option("--host", options->host, "our name, for the greeting");
  verb->add_option("--certificate", options->certificate, "PEM file with key, certificate and chain");
  verb->add_flag("--discard", options->discards, "throw all mail away");
  verb->callback([&program, options] { program.chosen = [options] { return serve(*options); }; });
}

}  // namespace postern::cli
