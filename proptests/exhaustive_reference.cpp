// Every pair of states that the engine and the second opinion can be in together, under every setting and fact, with
// every letter of an alphabet: walked until nothing new is found, so to any depth. Counts of mistakes are part of the
// state in the second walk, on fewer worlds with fewer letters. A doctored reference is found out.
#include <gtest/gtest.h>

#include <cstdio>
#include <deque>
#include <map>
#include <set>

#include "testing/reference_walk.hpp"

namespace postern::proptests {
namespace {

enum class Counts : std::uint8_t { ignored, part_of_state };

struct Tally {
  std::size_t worlds = 0, greeted = 0, states = 0, steps = 0, depth = 0, differences = 0;
  std::string first_difference;
};

struct Node {
  testing::Reference reference;
  std::size_t parent, depth;
  testing::Letter letter;  // that led here
};

class Walk {
 public:
  Walk(const testing::World& world, testing::Slip slip, Counts counts, Tally& tally)
      : world_(world), counts_(counts), tally_(tally), nodes_{{testing::Reference(world, slip), 0, 0, {}}} {}

  void run() {
    ++tally_.worlds;
    for (std::size_t at = 0; at < nodes_.size() && tally_.differences == 0; ++at) expand(at);
    tally_.greeted += nodes_.size() > 2 ? 1U : 0U;
    tally_.states += nodes_.size();
  }

 private:
  void expand(std::size_t at) {
    const std::string& phase = nodes_[at].reference.phase();
    const auto letters = counts_ == Counts::ignored ? testing::letters_for(phase) : testing::few_letters_for(phase);
    for (const testing::Letter& letter : letters) {
      Node next{nodes_[at].reference, at, nodes_[at].depth + 1, letter};
      testing::EngineSide engine(world_);
      replay(at, engine);
      const std::string difference = testing::take(next.reference, engine, letter);
      ++tally_.steps;
      if (!difference.empty()) return tell(at, letter, difference);
      if (!known_.insert(key_of(next.reference, engine)).second) continue;
      tally_.depth = std::max(tally_.depth, next.depth);
      nodes_.push_back(std::move(next));
    }
  }

  [[nodiscard]] std::vector<testing::Letter> way_to(std::size_t at) const {
    std::deque<testing::Letter> way;
    for (; at != 0; at = nodes_[at].parent) way.push_front(nodes_[at].letter);
    return {way.begin(), way.end()};
  }

  void replay(std::size_t at, testing::EngineSide& engine) const {
    for (const testing::Letter& letter : way_to(at)) {
      if (letter.outcome.empty())
        engine.hear(letter.octets);
      else
        engine.learn(letter.outcome, letter.text);
    }
    static_cast<void>(engine.take_words());
  }

  [[nodiscard]] std::string key_of(const testing::Reference& reference, const testing::EngineSide& engine) const {
    const engine::Session& session = engine.session();
    constexpr std::uint64_t counted = spec::bit::errors_spent | spec::bit::auth_attempts_spent;
    std::string key = reference.state() + " " + std::to_string(session.guards().bits & ~counted) + " " +
                      std::to_string(session.envelope().recipients());
    if (counts_ == Counts::part_of_state)
      key += " " + std::to_string(reference.errors()) + " " + std::to_string(reference.auth_commands());
    return key;
  }

  void tell(std::size_t at, const testing::Letter& letter, const std::string& difference) {
    if (++tally_.differences > 1) return;
    tally_.first_difference = testing::as_dialogue(world_, way_to(at)) + testing::written(letter) + "\n" + difference;
  }

  testing::World world_;
  Counts counts_;
  Tally& tally_;
  std::vector<Node> nodes_;
  std::set<std::string> known_;
};

void print(const char* what, const Tally& tally) {
  std::printf(
      "%s: %zu worlds (%zu greeted), %zu pairs of states, %zu steps compared, longest shortest way %zu, %zu "
      "differences\n",
      what, tally.worlds, tally.greeted, tally.states, tally.steps, tally.depth, tally.differences);
}

// Settings with which nearly everything can happen: by their bits in the order of World.
constexpr unsigned ssl = 1, force = 2, deny = 4, auth = 8, require = 16, insecure = 32, certificate = 64, backend = 128,
                   local_only = 512;
constexpr std::array rich{auth | certificate | backend,
                          force | auth | certificate | backend,
                          auth | require | insecure | certificate | backend,
                          deny | auth | insecure | certificate | backend,
                          auth | insecure | certificate | backend,
                          ssl | auth | backend,
                          auth | insecure | backend | local_only};

TEST(SecondOpinion, agrees_in_every_state_of_every_world) {
  Tally tally;
  for (unsigned number = 0; number < testing::worlds; ++number)
    Walk(testing::world_number(number), testing::Slip::none, Counts::ignored, tally).run();
  print("reference and engine", tally);
  EXPECT_EQ(tally.first_difference, "");
  EXPECT_EQ(tally.worlds, testing::worlds);
}

// STRICT_ADDRESSES=1; deviation D13
TEST(SecondOpinion, agrees_where_addresses_are_strict) {
  Tally tally;
  for (const unsigned number : rich) {
    testing::World world = testing::world_number(number);
    world.strict_addresses = true;
    Walk(world, testing::Slip::none, Counts::ignored, tally).run();
  }
  print("reference and engine, strict addresses", tally);
  EXPECT_EQ(tally.first_difference, "");
}

TEST(SecondOpinion, agrees_where_there_is_no_room_for_a_message) {
  Tally tally;
  for (const unsigned number : rich) {
    testing::World world = testing::world_number(number);
    world.has_room = false;
    Walk(world, testing::Slip::none, Counts::ignored, tally).run();
  }
  print("reference and engine, no room", tally);
  EXPECT_EQ(tally.first_difference, "");
}

TEST(SecondOpinion, agrees_where_messages_are_judged_before_they_come) {
  Tally tally;
  for (const unsigned number : rich) {
    testing::World world = testing::world_number(number);
    world.asks_at_data = true;
    Walk(world, testing::Slip::none, Counts::ignored, tally).run();
  }
  print("reference and engine, asking at DATA", tally);
  EXPECT_EQ(tally.first_difference, "");
}

TEST(SecondOpinion, agrees_on_every_count_of_mistakes) {
  Tally tally;
  for (const unsigned number : rich)
    Walk(testing::world_number(number), testing::Slip::none, Counts::part_of_state, tally).run();
  print("reference and engine, counting", tally);
  EXPECT_EQ(tally.first_difference, "");
}

TEST(SecondOpinion, would_be_noticed_if_it_were_wrong) {
  std::string missed;
  std::size_t found = 0;
  for (std::size_t number = 1; number < testing::slips; ++number) {
    const auto slip = static_cast<testing::Slip>(number);
    Tally tally;
    for (const unsigned number_of_world : rich) {
      testing::World world = testing::world_number(number_of_world);
      world.has_room = slip != testing::Slip::takes_data_without_room;
      world.asks_at_data = slip == testing::Slip::takes_data_unjudged;
      Walk(world, slip, Counts::ignored, tally).run();
    }
    if (tally.differences == 0) Walk(testing::world_number(rich[4]), slip, Counts::part_of_state, tally).run();
    if (tally.differences == 0) missed += "slip " + std::to_string(number) + "\n";
    found += tally.differences != 0 ? 1U : 0U;
    if (slip == testing::Slip::takes_mail_before_starttls)
      std::printf("a doctored reference:\n%s", tally.first_difference.c_str());
  }
  std::printf("doctored references: %zu of %zu found out\n", found, testing::slips - 1);
  EXPECT_EQ(missed, "");
}

}  // namespace
}  // namespace postern::proptests
