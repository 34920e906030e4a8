// RapidCheck's state machine tests: the second opinion is the model, the engine is what is tested. Beyond the
// exhaustive walk: bursts, cuts, lines and messages around every limit, many mistakes, sizes, any number of recipients.
// A failure is shrunk and printed as a dialogue in the format of tests/dialogues.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <rapidcheck/state.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "testing/reference_walk.hpp"

namespace postern::proptests {
namespace {

struct Sut {
  explicit Sut(const testing::World& served) : world(served), engine(served) {}
  testing::World world;
  testing::EngineSide engine;
  std::vector<testing::Letter> way;
};

using Model = testing::Reference;
using Command = rc::state::Command<Model, Sut>;

// Steps by the phase they are taken in, printed at the end.
struct Tally {
  ~Tally() {
    std::printf("steps compared at random, by phase:");
    for (const auto& [phase, count] : steps) std::printf(" %s %zu", phase.c_str(), count);
    std::printf("\n");
  }
  std::map<std::string, std::size_t> steps;
} tally;

void compare(const Model& before, Sut& sut, const testing::Letter& letter) {
  Model reference = before;
  ++tally.steps[reference.phase()];
  const std::string difference = testing::take(reference, sut.engine, letter);
  if (!difference.empty())
    RC_FAIL("\n" + testing::as_dialogue(sut.world, sut.way) + testing::written(letter) + "\n" + difference);
  sut.way.push_back(letter);
}

void apply_letter(Model& model, const testing::Letter& letter) {
  if (letter.outcome.empty())
    model.hear(letter.octets);
  else
    model.learn(letter.outcome, letter.text);
  static_cast<void>(model.take_words());
}

std::string address() {
  const auto octets = *rc::gen::weightedElement<std::size_t>({{10, 3}, {1, 880}, {1, 890}, {1, 891}, {1, 900}});
  return std::string(octets, 'l') + "@d.example";
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// Lines at and around a bound: command lines 2048, lines of AUTH 12288, CRLF included.
std::string line_of_some_length() {
  const auto octets =
      *rc::gen::elementOf(std::vector<std::size_t>{2046, 2047, 2048, 2049, 5000, 12287, 12288, 12289, 13000});
  const auto begin =
      *rc::gen::element<std::string>("NOOP ", "AUTH PLAIN ", "XYZZY ", "MAIL FROM:<a@b.example> ", "auth x ");
  return begin + std::string(octets - begin.size() - 2, 'A') + "\r\n";
}

std::string mail_line() {
  const auto size =
      *rc::gen::element<std::string>("", "", "", " SIZE=999", " SIZE=1000", " SIZE=1001", " SIZE=0001000",
                                     " SIZE=18446744073709551616", " BODY=7BIT SIZE=1001", " SIZE=", " SIZE=1 SIZE=1");
  const auto path =
      *rc::gen::weightedElement<std::string>({{6, "<" + address() + ">"}, {2, "<>"}, {1, " " + address()}, {1, "<@>"}});
  return *rc::gen::element<std::string>("MAIL FROM:", "mail from:") + path + size + "\r\n";
}

// They come first; then what happens without the client's words.
std::size_t lines_among(const std::vector<testing::Letter>& letters) {
  const auto is_line = [](const testing::Letter& letter) { return letter.outcome.empty(); };
  return static_cast<std::size_t>(std::ranges::count_if(letters, is_line));
}

std::string command_line() {
  const auto letters = testing::letters_for("command");
  switch (*rc::gen::weightedElement<int>({{10, 0}, {5, 1}, {6, 2}, {1, 3}, {1, 4}, {3, 5}})) {
    case 1: return mail_line();
    case 2: return "RCPT TO:<" + address() + ">\r\n";
    case 3: return line_of_some_length();
    case 4: return repeated("XYZZY\r\n", *rc::gen::inRange(1, 25));
    case 5: return "DATA\r\n";
    default: break;
  }
  return letters[*rc::gen::inRange<std::size_t>(0, lines_among(letters))].octets;
}

// Sizes around 1000 octets stored, hops around 100, what ends lines and what does not.
std::string message() {
  std::string text = repeated(*rc::gen::element<std::string>("Received: x\r\n", "delivered-to: y\r\n"),
                              *rc::gen::weightedElement<int>({{8, 0}, {1, 99}, {1, 100}, {1, 1}}));
  text += *rc::gen::element<std::string>("", "\r\n", "Subject: x\r\n\r\n");
  const int pieces = *rc::gen::inRange(0, 6);
  for (int i = 0; i < pieces; ++i)
    text += *rc::gen::element<std::string>("..\r\n", ".x\r\n", "line\r\n", "\n", "\r", "\n.\r\n", "\r.\r", "\r\n",
                                           "Received: z\r\n", "x");
  const auto fill =
      *rc::gen::weightedElement<std::size_t>({{6, 0}, {1, 990}, {1, 998}, {1, 999}, {1, 1000}, {1, 3000}});
  return text + std::string(fill, 'm') + "\r\n.\r\n";
}

// What brings a session further.
std::string good_next(const Model& model) {
  const std::string state = model.state();
  if (state.contains(" rcpt")) return "DATA\r\n";
  if (state.contains(" mail")) return "RCPT TO:<" + address() + ">\r\n";
  return *rc::gen::element<std::string>("MAIL FROM:<a@b.example>\r\n", "STARTTLS\r\n", "AUTH PLAIN\r\n",
                                        "AUTH LOGIN\r\n", "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
}

// What a client may send now, and what it should not: mostly what fits the phase.
std::string octets_for(const Model& model) {
  const std::string& phase = model.phase();
  const bool fits = *rc::gen::weightedElement<bool>({{9, true}, {1, false}});
  if (phase == "data" && fits) return message();
  const bool answers = phase == "plain" || phase == "username" || phase == "password";
  if (phase == "command" && *rc::gen::arbitrary<bool>()) return good_next(model);
  if (!answers || !fits) return command_line();
  const auto letters = testing::letters_for(phase);
  return letters[*rc::gen::inRange<std::size_t>(0, lines_among(letters))].octets;
}

// The client sends; several lines at once, or one line cut in two.
struct Say : Command {
  explicit Say(const Model& model) {
    const int lines = std::max(1, *rc::gen::inRange(0, 12) - 6);  // mostly one, and shrunk to one
    Model guess = model;
    for (int i = 0; i < lines; ++i) {
      const std::string line = octets_for(guess);
      letter.octets += line;
      guess.hear(line);
    }
    if (*rc::gen::inRange(0, 10) == 9) letter.octets.resize(*rc::gen::inRange<std::size_t>(0, letter.octets.size()));
  }
  void checkPreconditions(const Model& model) const override {
    const bool hears = model.phase() != "connect" && model.phase() != "handshake" && model.phase() != "end";
    RC_PRE(hears && !letter.octets.empty());
  }
  void apply(Model& model) const override { apply_letter(model, letter); }
  void run(const Model& model, Sut& sut) const override { compare(model, sut, letter); }
  void show(std::ostream& out) const override { out << testing::written(letter); }

  testing::Letter letter;
};

// The world answers, or the client is silent or gone (seldom).
struct Happen : Command {
  explicit Happen(const Model& model) {
    const auto letters = testing::letters_for(model.phase());
    std::vector<testing::Letter> outcomes;
    std::ranges::copy_if(letters, std::back_inserter(outcomes),
                         [](const testing::Letter& each) { return !each.outcome.empty(); });
    RC_PRE(!outcomes.empty());
    const bool is_good = *rc::gen::weightedElement<bool>({{3, true}, {1, false}});
    const std::size_t good = model.phase() == "connect" ? outcomes.size() - 1 : 0;
    letter = outcomes[is_good ? good : *rc::gen::inRange<std::size_t>(0, outcomes.size())];
    const bool is_an_end = letter.outcome == "timeout" || letter.outcome == "eof" || letter.outcome == "too_slow" ||
                           letter.outcome == "shutting_down" || letter.outcome == "exhausted";
    RC_PRE(!is_an_end || *rc::gen::weightedElement<bool>({{9, false}, {1, true}}));
  }
  void checkPreconditions(const Model& model) const override {
    const auto letters = testing::letters_for(model.phase());
    RC_PRE(std::ranges::any_of(letters, [&](const testing::Letter& each) { return each.outcome == letter.outcome; }));
  }
  void apply(Model& model) const override { apply_letter(model, letter); }
  void run(const Model& model, Sut& sut) const override { compare(model, sut, letter); }
  void show(std::ostream& out) const override { out << testing::written(letter); }

  testing::Letter letter;
};

// All settings and facts; every second world has the means to go on.
testing::World any_world() {
  testing::World world = testing::world_number(*rc::gen::inRange<unsigned>(0, testing::worlds));
  if (*rc::gen::arbitrary<bool>()) {
    world.certificate = world.AUTH = world.backend = true;
    world.DENY_TLS = false;
  }
  world.databytes = *rc::gen::element<std::uint64_t>(0, 1000, 1000);
  world.max_recipients = *rc::gen::element<std::size_t>(1, 2, 1000);
  world.has_room = *rc::gen::element(true, true, false);
  world.asks_at_data = *rc::gen::element(true, false, false);
  return world;
}

// Greeted already, so that no command of a run is lost on it.
void play(const testing::World& world, testing::Slip slip) {
  const testing::Letter ready{.octets = {}, .outcome = "connect.ready", .text = {}};
  Model model(world, slip);
  Sut sut(world);
  compare(model, sut, ready);
  apply_letter(model, ready);
  rc::state::check(model, sut, [](const Model& now) {
    const bool waits = now.phase() == "recipient" || now.phase() == "message" || now.phase() == "credentials" ||
                       now.phase() == "hand_over" || now.phase() == "handshake";
    if (waits) return rc::state::gen::execOneOfWithArgs<Happen>()(now);
    return rc::gen::weightedOneOf<std::shared_ptr<const Command>>(
        {{30, rc::state::gen::execOneOfWithArgs<Say>()(now)}, {1, rc::state::gen::execOneOfWithArgs<Happen>()(now)}});
  });
}

RC_GTEST_PROP(SecondOpinionAtRandom, agrees_with_the_engine, ()) {
  const testing::World world = any_world();
  RC_PRE(!(world.FORCE_TLS && world.DENY_TLS));  // refused at the start; the exhaustive walk has them
  play(world, testing::Slip::none);
}

// The same machinery must find a doctored reference, and print a dialogue that shows it.
TEST(SecondOpinionAtRandomCanFail, a_doctored_reference_is_found_and_shrunk_to_a_dialogue) {
  testing::World world = testing::world_number(0);
  world.AUTH = world.backend = world.certificate = world.FORCE_TLS = true;
  const auto result = rc::detail::checkTestable([&] { play(world, testing::Slip::takes_mail_before_starttls); });
  rc::detail::FailureResult failure;
  ASSERT_TRUE(result.match(failure)) << "no difference was found";
  std::printf("a doctored reference, shrunk:\n%s\n", failure.description.c_str());
  EXPECT_TRUE(failure.description.contains("S: 503 STARTTLS first (#5.5.1)"));
}

}  // namespace
}  // namespace postern::proptests
