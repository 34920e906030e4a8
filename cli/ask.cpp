// postern ask: what each question of a configuration answers now about one client and recipient, and what the policy makes of it.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "audit/json.hpp"
#include "audit/text.hpp"
#include "cli/ask_session.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr int exit_accepted = 0, exit_refused = 1, exit_deferred = 2;

struct Options {
  std::string config, listener, address;
  SaidByClient said;
  bool as_json = false;
};

struct Result {
  const audit::Policy& policy;
  const MetClient& client;
  const AskedSession& session;
};

int exit_code(const AskedVerdict& verdict) {
  if (verdict.is_accepted()) return exit_accepted;
  return verdict.is_deferred() ? exit_deferred : exit_refused;
}

std::string_view word_of(const AskedVerdict& verdict) {
  if (verdict.is_accepted()) return "accepted";
  return verdict.is_deferred() ? "deferred" : "refused";
}

// `12.3`
std::string milliseconds_of(base::Interval took) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", std::chrono::duration<double, std::milli>(took).count());
  return text.data();
}

std::string title_of(const AskedQuestion& question, const MetClient& client) {
  const config::Start& start = client.served->start;
  if (question.source == "dns_list") return "DNS list " + question.name;
  if (question.source == "dns_lists") return "DNS lists";
  if (question.source == "rcpthosts" && !client.snapshot->policies->settings().domains.empty()) return "domains";
  if (question.source == "validrcptto" && !start.valid_recipients.empty()) return start.valid_recipients;
  if (question.source == "mailbox") return "mailbox in " + start.hand_over_path;
  if (question.source == "recipient_program") return "RCPTCHECK " + start.recipient_program;
  if (question.source == "policy_service") return "policy service " + question.name;
  return question.source + (question.name.empty() ? "" : " " + question.name);
}

std::string line(std::string name, const std::string& text) {
  name.resize(9, ' ');
  return text.empty() ? "" : audit::wrapped(name + text, "         ") + "\n";
}

std::string reply_of(const AskedVerdict& verdict) {
  return verdict.code == 0 ? "none: the connection is closed" : verdict.reply;
}

// What somebody outside says is no order to the terminal, in no character set.
std::string plain(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

std::string write_text(const Result& result) {
  const MetClient& client = result.client;
  const AskedVerdict& verdict = result.session.verdict;
  const std::string listener = client.listener_name + " (" + client.settings().place + ")";
  std::string text = line("client", std::string(write(client.address).view()) + ", at " + listener) +
                     line("rule of", client.rule.empty() ? "" : client.rule);
  audit::Rows rows{{"question", "answer", "ms"}};
  for (const AskedQuestion& each : result.session.questions)
    rows.push_back({title_of(each, client), plain(each.answer), each.took ? milliseconds_of(*each.took) : ""});
  if (rows.size() > 1) text += "\n" + audit::text_table(rows) + "\n";
  const spec::RuleRow& rule = result.policy.rule(verdict.rule);
  text += line("to", verdict.line.empty() ? "the greeting" : verdict.line) + line("rule", rule.id) +
          line("reply", plain(reply_of(verdict))) + line("because", rule.reason) + line("source", rule.source) +
          line("said by", verdict.said_by);
  for (const std::string& remark : client.remarks) text += line("note", remark);
  return text + "verdict  " + std::string(word_of(verdict)) + " (exit code " + std::to_string(exit_code(verdict)) +
         ")\n";
}

audit::Json to_json(const Result& result) {
  const MetClient& client = result.client;
  const AskedVerdict& verdict = result.session.verdict;
  const spec::RuleRow& rule = result.policy.rule(verdict.rule);
  audit::Json json = {{"policy", spec::policy_hash()},
                      {"client", write(client.address).view()},
                      {"listener", client.listener_name},
                      {"rule_of_client", client.rule},
                      {"questions", audit::Json::array()},
                      {"to", verdict.line},
                      {"rule", rule.id},
                      {"code", verdict.code},
                      {"reply", verdict.reply},
                      {"because", rule.reason},
                      {"source", rule.source},
                      {"said_by", verdict.said_by},
                      {"notes", client.remarks},
                      {"verdict", word_of(verdict)}};
  for (const AskedQuestion& each : result.session.questions) {
    json["questions"].push_back(
        {{"source", each.source}, {"name", each.name}, {"outcome", each.outcome}, {"answer", each.answer}});
    if (each.took)
      json["questions"].back()["milliseconds"] = std::chrono::duration<double, std::milli>(*each.took).count();
  }
  return json;
}

// `<>` and `<user@example.org>` are the paths of SMTP.
std::string without_brackets(const std::string& path) {
  const bool has_both = path.size() > 1 && path.starts_with('<') && path.ends_with('>');
  return has_both ? path.substr(1, path.size() - 2) : path;
}

// One line of the session, and no more.
void must_be_a_word(const std::string& name, const std::string& word) {
  if (std::ranges::any_of(word, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; }))
    throw audit::UsageError(name + " has a control character: no client can say that in one line");
}

int ask(const audit::Policy& policy, Options options) {
  const auto address = base::parse_address(options.address);
  if (!address) throw audit::UsageError(options.address + " is no IP address: write 192.0.2.7 or 2001:db8::7");
  SaidByClient& said = options.said;
  must_be_a_word("HELO", said.helo);
  must_be_a_word("FROM", said.sender);
  must_be_a_word("RCPT", said.recipient);
  said.sender = without_brackets(said.sender);
  said.recipient = without_brackets(said.recipient);
  const MetClient client = meet_client(options.config, options.listener, *address);
  const AskedSession session = ask_session(client, said);
  const Result result{.policy = policy, .client = client, .session = session};
  print(options.as_json ? audit::dumped(to_json(result)) : write_text(result));
  return exit_code(session.verdict);
}

}  // namespace

void add_ask(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand(
      "ask",
      "What does each question of a configuration answer now: DNS lists, control files, folders of Maildirs, "
      "RCPTCHECK,\n"
      "policy services? For a client of that address that says EHLO HELO, MAIL FROM:<FROM> and RCPT TO:<RCPT>. The "
      "last\n"
      "lines say what the policy makes of the answers: rule, reply, verdict.\n"
      "\n"
      "  postern ask -c /etc/postern/postern.toml 198.51.100.7 mail.example.com bob@example.com alice@example.org\n"
      "  postern ask -c postern.toml 192.0.2.7 client.example '<>' postmaster@example.org --listener 0.0.0.0:587 --tls "
      "--user alice\n"
      "\n"
      "No mail is sent, and this server counts nothing; a policy service may count its question (greylisting, rates). "
      "Limits\n"
      "and gates of a server that runs are not known here. As root it becomes the user who serves, for files, programs "
      "and\n"
      "sockets.\n"
      "\n"
      "Exit code: 0 the recipient would be accepted, 1 refused, 2 deferred (4xx), 100 the file or the command line is "
      "wrong.");
  const auto options = std::make_shared<Options>();
  verb->add_option("-c,--config", options->config, "the file of postern serve")->required()->type_name("FILE");
  verb->add_option("ip", options->address, "the client's address")->required()->type_name("IP");
  verb->add_option("helo", options->said.helo, "the name that it says")->required()->type_name("HELO");
  verb->add_option("from", options->said.sender, "the sender; <> is the empty one")->required()->type_name("FROM");
  verb->add_option("rcpt", options->said.recipient, "the recipient")->required()->type_name("RCPT");
  verb->add_option("--listener", options->listener, "where the client comes in, as the file has it; else the first one")
      ->type_name("ADDRESS:PORT|SOCKET");
  verb->add_flag("--tls", options->said.begins_tls, "the client says STARTTLS first");
  verb->add_option("--user", options->said.user, "the client has logged in as this user; no password is asked about")
      ->type_name("NAME");
  verb->add_flag("--json", options->as_json, "the same as JSON");
  verb->callback(
      [&program, options] { program.chosen = [&program, options] { return ask(program.policy(), *options); }; });
}

}  // namespace postern::cli
