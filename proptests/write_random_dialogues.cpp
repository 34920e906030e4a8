// Writes random dialogues for the real program to be held to: what to send, and every line that must come back.
// in      COUNT SEED SPEC_FOLDER
// out     one JSON object a line: the world, how the stand-ins behave, steps; a summary on stderr
// errors  exit 1, and the dialogue, when spec interpreter, engine and second opinion do not say the same
// source  tests/e2e/differential_test.py plays them
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "testing/all_decisions.hpp"
#include "testing/reference_walk.hpp"

namespace postern::proptests {
namespace {

using namespace testing;
// One reading of the spec without tables: spec::interpret on its trees.
class Interpreter {
 public:
  Interpreter(const spec::Model& model, const World& world) : model_(model), world_(world) {
    state_.resize(model.variables.size());
    const std::uint64_t word = service_of(world).settings_and_facts.bits;
    for (std::size_t i = 0; i < model.variables.size(); ++i)
      state_[i] = model.variables[i].is_boolean && (word & spec::bit_of(model.variables[i], 1)) != 0;
    state_ = spec::start_of(model, state_);
  }

  // The rule that decided, or nothing for a hole.
  bool happen(const std::string& event, const std::string& text) {
    set("errors_spent", errors_ >= spec::max_errors);
    set("auth_attempts_spent", auth_attempts_ >= spec::max_auth_attempts);
    std::size_t number = 0;
    while (number < model_.events.size() && model_.events[number].name != event) ++number;
    const auto rule = number == model_.events.size() ? std::nullopt : spec::interpret(model_, number, state_);
    if (!rule) return false;
    state_ = spec::apply(model_.rules[*rule], state_);
    effect_ = model_.effects[model_.rules[*rule].effect].name;
    say(model_.replies[model_.rules[*rule].reply], text);
    if (model_.events[number].forgives_mistakes) errors_ = 0;
    if (model_.events[number].is_auth_attempt) ++auth_attempts_;
    if (effect_ == "close") words_.emplace_back('X', "");
    return true;
  }

  [[nodiscard]] const std::string& value_of(std::string_view state) const {
    const std::size_t at = model_.variable_of(state);
    return model_.variables[at].values[state_[at]];
  }
  [[nodiscard]] const std::string& effect() const { return effect_; }
  [[nodiscard]] Words take_words() { return std::exchange(words_, {}); }

 private:
  void set(std::string_view fact, bool value) { state_[model_.variable_of(fact)] = value ? 1 : 0; }

  void say(const spec::ReplyText& reply, const std::string& verdict) {
    if (reply.code == 0) return;
    if (reply.is_mistake) ++errors_;
    std::vector<std::string> lines{reply.text};
    for (const spec::Capability& capability : model_.capabilities) {
      if (reply.has_capability_lines && spec::holds(capability.condition, state_)) lines.push_back(capability.text);
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
      fill(lines[i], "{host}", world_.host);
      fill(lines[i], "{verdict}", verdict);
      fill(lines[i], "{size}", std::to_string(world_.databytes));
      fill(lines[i], "{version}", POSTERN_VERSION);
      words_.emplace_back('S', std::to_string(reply.code) + (i + 1 == lines.size() ? " " : "-") + lines[i] + "\r\n");
    }
  }

  static void fill(std::string& line, const std::string& brace, const std::string& with) {
    if (const std::size_t at = line.find(brace); at != std::string::npos) line.replace(at, brace.size(), with);
  }

  const spec::Model& model_;
  World world_;
  spec::Assignment state_;
  std::uint32_t errors_ = 0, auth_attempts_ = 0;
  std::string effect_;
  Words words_;
};

// What a client may send, the event it is, and the result.
struct Phrase {
  std::string octets, event, outcome;
};

const std::string right = "AHRpbQB0YW5zdGFhZnRhbnN0YWFm", wrong = "AHRpbQB3cm9uZw==";  // tim

std::vector<Phrase> commands(const World& world) {
  const std::string size_event = world.databytes != 0 ? "mail.too_big" : "mail.valid";
  return {{"EHLO c.example\r\n", "ehlo", ""},
          {"ehlo [192.0.2.1]\r\n", "ehlo", ""},
          {"HELO c.example\r\n", "helo", ""},
          {"MAIL FROM:<a@b.example>\r\n", "mail.valid", "recipient."},
          {"MAIL FROM:<>\r\n", "mail.valid", "recipient."},
          {"MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME AUTH=<>\r\n", "mail.with_auth", "recipient."},
          {"MAIL FROM:<a@b.example> AUTH=e+3Dmc2@example.com\r\n", "mail.with_auth", "recipient."},
          {"MAIL FROM:<a@b.example> AUTH=e+3dmc2\r\n", "mail.malformed", ""},
          {"MAIL FROM:<spam@bad.example>\r\n", "mail.valid", "recipient.sender_refused"},
          {"MAIL FROM:<a@b.example> SIZE=99999999999999999999\r\n", size_event, "recipient."},
          {"MAIL FROM:<a@b.example> SIZE=000000000000000000001\r\n", "mail.malformed", ""},
          {"MAIL FROM:<a@b.example> X=1\r\n", "mail.malformed", ""},
          {"MAIL FROM:<a@>\r\n", "mail.malformed", ""},
          {"MAIL a@b.example\r\n", "mail.malformed", ""},
          {"RCPT TO:<c@d.example>\r\n", "rcpt.valid", "recipient.ours"},
          {"rcpt to:<c.d@D.EXAMPLE>\r\n", "rcpt.valid", "recipient.ours"},
          {"RCPT TO:<@x.example:gone@d.example>\r\n", "rcpt.valid", "recipient.refused"},
          {"RCPT TO:<Postmaster>\r\n", "rcpt.valid", "recipient.ours"},
          {"MAIL FROM:<.a..b.@b_c.example>\r\n", "mail.valid", "recipient."},
          {"RCPT TO:<c@elsewhere.example>\r\n", "rcpt.valid", "recipient.foreign"},
          {"RCPT TO:<c@d.example\r\n", "rcpt.malformed", ""},
          {"RCPT TO:<c@d.example> NOTIFY=NEVER\r\n", "rcpt.malformed", ""},
          {"DATA\r\n", "data", ""},
          {"DATA x\r\n", "argument_not_allowed", ""},
          {"RSET x\r\n", "argument_not_allowed", ""},
          {"QUIT x\r\n", "argument_not_allowed", ""},
          {"EHLO\r\n", "argument_missing", ""},
          {"HELO \r\n", "argument_missing", ""},
          {"VRFY\r\n", "argument_missing", ""},
          {"RSET\r\n", "rset", ""},
          {"NOOP\r\n", "noop", ""},
          {"noop x y\r\n", "noop", ""},
          {"VRFY c\r\n", "vrfy", ""},
          {"EXPN c\r\n", "expn", ""},
          {"HELP\r\n", "help", ""},
          {"XYZZY\r\n", "unknown", ""},
          {"\r\n", "unknown", ""},
          {"STARTTLS\r\n", "starttls", ""},
          {"STARTTLS x\r\n", "starttls_parameter", ""},
          {"AUTH PLAIN\r\n", "auth.plain", ""},
          {"AUTH PLAIN " + right + "\r\n", "auth.plain_response", "credentials.accepted"},
          {"auth login\r\n", "auth.login", ""},
          {"AUTH LOGIN dGlt\r\n", "auth.login_username", ""},
          {"AUTH LOGIN dGlt \t\r\n", "auth.login_username", ""},
          {"AUTH PLAIN =\r\n", "auth.malformed", ""},
          {"AUTH LOGIN a\r\n", "auth.malformed", ""},
          {"AUTH CRAM-MD5\r\n", "auth.unknown_mechanism", ""},
          {"AUTH\r\n", "auth.unknown_mechanism", ""},
          {std::string("NOOP \0\r\n", 8), "line.control_octet", ""},
          {"NOOP " + std::string(2042, 'a') + "\r\n", "line.too_long", ""}};
}

// Seldom: each ends the session, or costs two seconds.
std::vector<Phrase> rare_commands() {
  return {{"QUIT\r\n", "quit", ""},
          {"POST / HTTP/1.1\r\n", "http_request", ""},
          {"NOOP\n", "line.bare_lf", ""},
          {"AUTH PLAIN " + wrong + "\r\n", "auth.plain_response", "credentials.rejected"}};
}

std::vector<Phrase> answers(const std::string& waiting) {
  std::vector<Phrase> all{{"*\r\n", "response.cancelled", ""},
                          {"=\r\n", "response.malformed", ""},
                          {"\r\n", "response.malformed", ""},
                          {"dGlt\n", "response.bare_lf", ""}};
  Phrase good{"dGlt\r\n", "response.valid", ""};  // the user name
  if (waiting == "plain_response") good = {right + "\r\n", "response.valid", "credentials.accepted"};
  if (waiting == "password") good = {"dGFuc3RhYWZ0YW5zdGFhZg==\r\n", "response.valid", "credentials.accepted"};
  all.insert(all.end(), 8, good);
  return all;
}

std::vector<Phrase> messages(const World& world) {
  const std::string big_event = world.databytes != 0 ? "data_end.too_big" : "data_end.complete";
  std::string hops;
  for (int i = 0; i < 100; ++i) hops += "Received:\r\n";
  const Phrase good{"Subject: x\r\n\r\n..dot\r\n.\r\n", "data_end.complete", ""};
  return {good,
          good,
          good,
          {".\r\n", "data_end.complete", ""},
          {"a\nb\r\n.\r\n", "data_end.bare_cr_or_lf", ""},
          {"a\r\n\n.\nMAIL FROM:<x@y>\n.\r\n\r\n.\r\n", "data_end.bare_cr_or_lf", ""},
          {"a\r\r\n.\r\n", "data_end.bare_cr_or_lf", ""},
          {std::string("a\0\r\n.\r\n", 7), "data_end.nul", ""},
          {std::string(998, 'x') + "\r\n..\r\n.\r\n", big_event, ""},
          {hops + "\r\n.\r\n", "data_end.too_many_hops", ""}};
}

class Writer {
 public:
  Writer(const spec::Model& model, const World& world, std::mt19937_64& chance)
      : world_(world), chance_(chance), interpreter_(model, world), reference_(world), engine_(world) {
    may_start_tls_ = below(100) < (world.FORCE_TLS ? 60 : 15);
    is_burst_ = below(2) == 0;
    queue_exit_ = std::array{0, 0, 0, 51, 31}[below(5)];
    for (const spec::QueueExit& exit : model.queue_exits) {
      if (verdict_.empty() && queue_exit_ != 0 && exit.first <= unsigned(queue_exit_) &&
          unsigned(queue_exit_) <= exit.last) {
        verdict_ = exit.text;
        hand_over_ = exit.is_permanent ? "hand_over.refused" : "hand_over.deferred";
      }
    }
  }

  bool write(const std::string& file_end) {
    bool agrees = step({.octets = {}, .outcome = "connect.ready", .text = {}}, "connect.ready");
    const std::size_t length = 2 + below(24);
    for (std::size_t i = 0; agrees && i < length && interpreter_.value_of("waiting") != "end"; ++i) agrees = speak();
    while (agrees && waits_for_answer()) agrees = speak();
    if (!agrees) return false;
    std::printf(
        "{\"settings\": {%s}, \"facts\": [%d, %d, %d, %d], \"databytes\": %d, \"queue_exit\": %d, \"burst\": %s, "
        "\"steps\": [%s]}%s",
        settings().c_str(), world_.certificate, world_.backend, world_.relay_client, world_.local_only,
        int(world_.databytes), queue_exit_, is_burst_ ? "true" : "false", steps_.c_str(), file_end.c_str());
    return true;
  }

  [[nodiscard]] bool had_tls() const { return had_tls_; }
  [[nodiscard]] std::size_t steps() const { return count_; }

 private:
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(chance_); }

  [[nodiscard]] bool waits_for_answer() const {
    const std::string& waiting = interpreter_.value_of("waiting");
    return waiting != "command" && waiting != "end";
  }

  Phrase choose() {
    const std::string& waiting = interpreter_.value_of("waiting");
    if (waiting == "mail_data") return pick(messages(world_));
    if (waiting != "command") return pick(answers(waiting));
    if (below(60) == 0) return pick(rare_commands());
    const auto all = commands(world_);
    if (below(5) < 2) return good_next(all);
    return pick(all);
  }

  Phrase pick(const std::vector<Phrase>& phrases) { return phrases[below(phrases.size())]; }

  // What brings a message further.
  Phrase good_next(const std::vector<Phrase>& all) {
    const std::string& transaction = interpreter_.value_of("transaction");
    const bool in_clear = interpreter_.value_of("channel") == "clear";
    const auto with_event = [&](const std::string& event, std::size_t skip = 0) {
      for (const Phrase& phrase : all) {
        if (phrase.event == event && skip-- == 0) return phrase;
      }
      return all[0];
    };
    if (transaction == "mail") return with_event("rcpt.valid", below(5));
    if (transaction == "rcpt") return with_event("data");
    if (in_clear && may_start_tls_ && world_.certificate && below(2) == 0) return with_event("starttls");
    if (world_.AUTH && interpreter_.value_of("authentication") == "none" && below(2) == 0)
      return with_event(below(2) == 0 ? "auth.plain_response" : "auth.login");
    return with_event("mail.valid", below(3));
  }

  // One phrase of the client and all that follows of it.
  bool speak() {
    if (interpreter_.value_of("waiting") == "handshake") return shake_hands();
    const Phrase phrase = choose();
    const bool would_start_tls = phrase.event == "starttls" && starts_tls();
    if (would_start_tls && !may_start_tls_) return true;
    if (!step({.octets = phrase.octets, .outcome = {}, .text = {}}, phrase.event)) return false;
    if (interpreter_.effect() == "begin_transaction") sender_ = phrase.outcome;
    if (interpreter_.effect() == "check_recipient")
      return step_outcome(sender_ == "recipient." ? phrase.outcome : sender_, "");
    if (interpreter_.effect() == "check_credentials") return step_outcome(phrase.outcome, "");
    if (interpreter_.effect() == "hand_over")
      return step_outcome(hand_over_, verdict_.empty() ? "<time> qp <qp>" : verdict_);
    return true;
  }

  bool starts_tls() {
    Interpreter ahead = interpreter_;
    return ahead.happen("starttls", "") && ahead.effect() == "start_tls";
  }

  bool shake_hands() {
    had_tls_ = true;
    const bool is_done = below(8) != 0;
    steps_ += is_done ? ", [\"tls\"]" : ", [\"garbage\"]";
    return step({.octets = {}, .outcome = is_done ? "handshake.done" : "handshake.failed", .text = {}},
                is_done ? "handshake.done" : "handshake.failed");
  }

  bool step_outcome(const std::string& outcome, const std::string& text) {
    return step({.octets = {}, .outcome = outcome, .text = text}, outcome);
  }

  // All three take it, and must say the same.
  bool step(const Letter& letter, const std::string& event) {
    ++count_;
    way_.push_back(letter);
    const bool is_hole = !interpreter_.happen(event, letter.text);
    std::string difference = take_both(letter);
    const Words wanted = interpreter_.take_words();
    if (wanted != said_) {
      for (const Word& word : wanted) difference += "interpreter " + written(word) + "\n";
    }
    if (is_hole || !difference.empty()) {
      std::fprintf(stderr, "%s%s", as_dialogue(world_, way_).c_str(), difference.c_str());
      return false;
    }
    note(letter);
    return true;
  }

  std::string take_both(const Letter& letter) {
    Reference ahead = reference_;
    said_ = only_said(ahead, letter);
    return take(reference_, engine_, letter);
  }

  static Words only_said(Reference& reference, const Letter& letter) {
    letter.outcome.empty() ? reference.hear(letter.octets) : reference.learn(letter.outcome, letter.text);
    Words said;
    for (const Word& word : reference.take_words()) {
      if (word.first == 'S' || word.first == 'X') said.push_back(word);
    }
    return said;
  }

  void note(const Letter& letter) {
    if (!letter.octets.empty())
      steps_ += (steps_.empty() ? "" : ", ") + std::string("[\"C\", \"") + quoted(letter.octets) + "\"]";
    for (const Word& word : said_)
      steps_ += (steps_.empty() ? "" : ", ") + std::string("[\"") + word.first + "\", \"" + quoted(word.second) + "\"]";
  }

  static std::string quoted(const std::string& octets) {
    std::string out;
    for (const char c : octets) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", unsigned(static_cast<unsigned char>(c)));
      const bool is_plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
      out += is_plain ? std::string(1, c) : escape;
    }
    return out;
  }

  [[nodiscard]] std::string settings() const {
    char text[200];
    std::snprintf(text, sizeof text,
                  "\"SSL\": %d, \"FORCE_TLS\": %d, \"DENY_TLS\": %d, \"AUTH\": %d, \"REQUIRE_AUTH\": %d, "
                  "\"ALLOW_INSECURE_AUTH\": %d",
                  world_.SSL, world_.FORCE_TLS, world_.DENY_TLS, world_.AUTH, world_.REQUIRE_AUTH,
                  world_.ALLOW_INSECURE_AUTH);
    return text;
  }

  World world_;
  std::mt19937_64& chance_;
  Interpreter interpreter_;
  Reference reference_;
  EngineSide engine_;
  std::vector<Letter> way_;
  Words said_;
  std::string steps_, sender_, verdict_, hand_over_ = "hand_over.accepted";
  int queue_exit_ = 0;
  bool may_start_tls_ = false, is_burst_ = false, had_tls_ = false;
  std::size_t count_ = 0;
};

bool is_greeted(const World& world) {
  Reference reference(world);
  reference.learn("connect.ready");
  return reference.phase() == "command";
}

// Every world once, then those that greet.
World world_for(std::size_t number, const std::vector<unsigned>& live, std::mt19937_64& chance) {
  World world = world_number(number < worlds ? unsigned(number) : live[(number - worlds) % live.size()]);
  world.max_recipients = 1000;
  world.databytes = chance() % 2 == 0 ? 0 : 1000;
  return world;
}

int run(std::size_t count, std::uint64_t seed, const char* spec_folder) {
  const spec::Model model = load_spec(spec_folder);
  std::mt19937_64 chance(seed);
  std::vector<unsigned> live;
  for (unsigned number = 0; number < worlds; ++number) {
    if (is_greeted(world_number(number))) live.push_back(number);
  }
  std::size_t tls = 0, steps = 0;
  for (std::size_t number = 0; number < count; ++number) {
    Writer writer(model, world_for(number, live, chance), chance);
    if (!writer.write("\n")) return 1;
    tls += writer.had_tls() ? 1U : 0U;
    steps += writer.steps();
  }
  std::fprintf(stderr,
               "%zu dialogues over %u worlds (%zu greeted), %zu steps, %zu with a handshake, seed %llu: "
               "interpreter, table in the engine and reference say the same\n",
               count, worlds, live.size(), steps, tls, static_cast<unsigned long long>(seed));
  return 0;
}

}  // namespace
}  // namespace postern::proptests
int main(int count, char** words) {
  if (count != 4) return std::fputs("usage: write_random_dialogues COUNT SEED SPEC_FOLDER\n", stderr), 2;
  return postern::proptests::run(std::strtoull(words[1], nullptr, 10), std::strtoull(words[2], nullptr, 10), words[3]);
}
