// postern judge: which laws of the policy hold for a server that runs, ours or not.
#include <netdb.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "audit/judge/report.hpp"
#include "base/network.hpp"
#include "base/wipe.hpp"
#include "cli/judge_file.hpp"
#include "cli/judge_run.hpp"
#include "cli/judge_talk.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr const char* password_variable = "POSTERN_JUDGE_PASSWORD";

struct Options {
  std::string server, config, listener, format = "text", output, password_file, send_to;
  std::vector<std::string> words;
  FactOptions facts;
  audit::Surroundings surroundings;
  JudgeBounds bounds;
  bool may_leave_loopback = false, is_strict = false, as_json = false;
};

struct Target {
  base::SocketAddress address;
  std::string name;
};

// `127.0.0.1:25`, `[::1]:25`, `localhost:25`.
Target target_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (colon == std::string::npos || host.empty() || colon + 1 == text.size())
    throw audit::UsageError(text + ": write HOST:PORT, as 127.0.0.1:25 or [::1]:25");
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), text.c_str() + colon + 1, &wanted, &found);
  if (failure != 0) throw audit::UsageError(text + ": " + ::gai_strerror(failure));
  Target target{.address = {.storage = {}, .octets = found->ai_addrlen, .text = text}, .name = host};
  std::memcpy(&target.address.storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return target;
}

bool is_loopback(const base::SocketAddress& address) {
  const auto endpoint = base::endpoint_of(address.storage);
  const std::vector<base::Network> networks = base::loopback_networks();
  return endpoint && std::ranges::any_of(
                         networks, [&](const base::Network& network) { return network.contains(endpoint->address); });
}

std::string read_password(const Options& options) {
  std::string password;
  if (!options.password_file.empty()) {
    std::ifstream file(options.password_file);
    if (!std::getline(file, password)) throw audit::UsageError(options.password_file + ": has no line");
    if (password.ends_with('\r')) password.pop_back();
  } else if (const char* value = std::getenv(password_variable); value != nullptr) {
    password = value;
  }
  const bool has_user = !options.surroundings.user.empty();
  if (has_user && password.empty())
    throw audit::UsageError(std::string("--user wants a password: --password-file, or ") + password_variable);
  if (!has_user && !options.password_file.empty()) throw audit::UsageError("--password-file is the password of --user");
  return password;
}

// An address goes into a command: nothing of it may end a line or a path.
void must_be_plain(const std::string& option, const std::string& value) {
  const bool is_plain = std::ranges::all_of(value, [](char c) { return c > ' ' && c < 127 && c != '<' && c != '>'; });
  if (!is_plain)
    throw audit::UsageError(option + ": only printable ASCII without blanks and angle brackets is allowed");
}

audit::Surroundings surroundings_of(const Options& options) {
  audit::Surroundings by = options.surroundings;
  if (!options.send_to.empty()) {
    if (!by.own_recipient.empty() && by.own_recipient != options.send_to)
      throw audit::UsageError("--send names the recipient: leave --recipient out");
    by.own_recipient = options.send_to;
    by.may_send = true;
  }
  must_be_plain("--recipient", by.own_recipient);
  must_be_plain("--foreign", by.foreign_recipient);
  must_be_plain("--from", by.reverse_path);
  must_be_plain("--ehlo", by.client_name);
  by.password = read_password(options);
  return by;
}

std::string report_of(const audit::Policy& policy, const audit::ServerJudgement& judgement,
                      const audit::Conclusion& conclusion, const std::string& format) {
  if (format == "json") return audit::judge_json(policy, judgement, conclusion);
  if (format == "junit") return audit::judge_junit(judgement);
  if (format == "sarif") return audit::judge_sarif(judgement);
  if (format == "html") return audit::judge_html(policy, judgement, conclusion);
  return audit::judge_text(policy, judgement, conclusion);
}

class Report {
 public:
  // path   empty: standard output
  explicit Report(const std::string& path) : path_(path) {
    if (path.empty()) return;
    file_.open(path, std::ios::binary);
    if (!file_) throw audit::UsageError(path + ": cannot be written");
  }
  void write(const std::string& report) {
    if (path_.empty()) return print(report);
    file_ << report;
    if (!file_.flush()) throw audit::UsageError(path_ + ": cannot be written");
  }

 private:
  std::string path_;
  std::ofstream file_;
};

// What the server is supposed to be.
audit::Configuration supposed(const audit::Policy& policy, const Options& options, const Target& target) {
  if (!options.config.empty()) return supposed_by_file(options.config, options.listener, target.address);
  return audit::parse_configuration(policy, options.words, options.facts.said());
}

void must_say_one_thing(const Options& options) {
  const bool has_file = !options.config.empty();
  if (!has_file && options.server.empty())
    throw audit::UsageError("say where the server listens (HOST:PORT), or which file it serves by (-c FILE)");
  if (!has_file && !options.listener.empty())
    throw audit::UsageError("--listener is one of a file: say which one with -c FILE");
  if (has_file && (!options.words.empty() || options.facts.are_said()))
    throw audit::UsageError("-c says what the server is supposed to be: leave settings and facts out");
}

// A file may change who this process is, and which files it finds: so all others are opened before.
int judge_verb(const audit::Policy& policy, const Options& options) {
  must_say_one_thing(options);
  audit::Surroundings surroundings = surroundings_of(options);
  const std::string server =
      options.server.empty() ? listener_of_file(options.config, options.listener) : options.server;
  const Target target = target_of(server);
  if (!options.may_leave_loopback && !is_loopback(target.address))
    throw audit::UsageError(server +
                            " is not on this machine: judge a server of others only with their leave, and --i-may");
  Report report(options.output);
  const audit::Configuration configuration = supposed(policy, options, target);
  JudgeTalk talk(target.address, target.name, options.bounds.reply_seconds);
  audit::ServerJudgement judgement = judge_server(policy, configuration, surroundings, options.bounds, talk);
  base::wipe(std::span(surroundings.password));
  judgement.server = server;
  const audit::Conclusion conclusion = conclude(judgement, options.is_strict);
  report.write(report_of(policy, judgement, conclusion, options.as_json ? "json" : options.format));
  return conclusion.exit_code;
}

constexpr const char* about =
    "Which laws of the policy hold for a server that runs, ours or not? Plays sessions against it, one after the "
    "other,\n"
    "and reports each law that holds, is broken (with the shortest dialogue that shows it), was not tried (and why) or "
    "cannot\n"
    "be seen from outside; and each rule that is answered otherwise. What counts is the class of a reply, what EHLO "
    "lists,\n"
    "whether the connection is closed, and what the server does next: never the text.\n"
    "\n"
    "  postern judge 127.0.0.1:25                         as it would be without any setting\n"
    "  postern judge 127.0.0.1:587 FORCE_TLS=1 AUTH=1 --user alice --password-file pw --recipient alice@example.org\n"
    "  postern judge localhost:25 --format sarif -o judge.sarif\n"
    "  postern judge -c /etc/postern/postern.toml --listener 0.0.0.0:587 --recipient alice@example.org\n"
    "\n"
    "With -c it is supposed to be what that file makes of one listener for clients of this machine, its class of "
    "tcprules "
    "too.\n"
    "\n"
    "No message is completed without --send, and nothing but this machine is judged without --i-may. A wrong password\n"
    "is tried a few times, for the user postern-judge alone. Certificates are not verified. The password of --user "
    "stands\n"
    "in a file or in POSTERN_JUDGE_PASSWORD, and is sent only where the table accepts it.\n"
    "\n"
    "Exit code: 0 every law that was tried holds, 1 one is broken, 2 the server could not be judged to the end, 100 "
    "the\n"
    "command line is not understood.";

void add_surroundings(CLI::App& verb, Options& options) {
  audit::Surroundings& by = options.surroundings;
  verb.add_option("--recipient", by.own_recipient,
                  "an address of the server's own domains; one that exists, where the server has a list of recipients")
      ->type_name("ADDRESS");
  verb.add_option("--foreign", by.foreign_recipient, "an address of a domain that is not the server's")
      ->type_name("ADDRESS");
  verb.add_option("--from", by.reverse_path, "the reverse-path; empty unless it is given")->type_name("ADDRESS");
  verb.add_option("--ehlo", by.client_name, "the name that the client says")->type_name("NAME")->capture_default_str();
  verb.add_option("--user", by.user, "a user that may log in")->type_name("NAME");
  verb.add_option("--password-file", options.password_file, "his password: the first line of this file")
      ->type_name("FILE");
  verb.add_option("--send", options.send_to, "complete messages, to this address alone")->type_name("ADDRESS");
}

void add_bounds(CLI::App& verb, Options& options) {
  verb.add_option("--rate", options.bounds.connections_per_second, "connections a second, at most")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  verb.add_option("--reply-seconds", options.bounds.reply_seconds, "how long a reply may take")
      ->check(CLI::Range(1U, 600U))
      ->capture_default_str();
  verb.add_option("--seconds", options.bounds.total_seconds, "how long all of it may take; then the rest is not tried")
      ->check(CLI::Range(1U, 86400U))
      ->capture_default_str();
}

}  // namespace

void add_judge(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand("judge", about);
  const auto options = std::make_shared<Options>();
  verb->add_option("server", options->server, "where it listens; else where the file says")->type_name("HOST:PORT");
  verb->add_option("setting", options->words, "what it is supposed to be, as postern explain takes it")
      ->type_name("SETTING=VALUE...");
  verb->add_option("-c,--config", options->config, "the file of postern serve, instead of settings")->type_name("FILE");
  verb->add_option("--listener", options->listener,
                   "which one of the file, as it has it; else the one at that port, or the first one")
      ->type_name("ADDRESS:PORT|SOCKET");
  options->facts.add_to(*verb, "yes", "exactly when AUTH=1");
  add_surroundings(*verb, *options);
  add_bounds(*verb, *options);
  verb->add_flag("--i-may", options->may_leave_loopback, "judge a server on another machine: its operator agrees");
  verb->add_flag("--strict", options->is_strict, "a rule that is answered otherwise is exit code 1, too");
  verb->add_option("--format", options->format, "of the report")
      ->check(CLI::IsMember({"text", "json", "junit", "sarif", "html"}))
      ->type_name("text|json|junit|sarif|html");
  verb->add_flag("--json", options->as_json, "the same as --format json");
  verb->add_option("-o,--output", options->output, "a file for the report")->type_name("FILE");
  verb->callback(
      [&program, options] { program.chosen = [&program, options] { return judge_verb(program.policy(), *options); }; });
}

}  // namespace postern::cli
