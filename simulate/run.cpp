// Plays worlds, one seed after another, until one is wrong or the time is over.
//   run [--seconds N] [--sessions N] [--seed N] [--actions FILE]
// Without a bound it plays one world. A world that is wrong is played once more, and its dialogue and seed are printed: exit 1.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "simulate/actions.hpp"
#include "simulate/allocations.hpp"
#include "simulate/world.hpp"

namespace postern::simulate {
namespace {

struct Wish {
  std::uint64_t seconds = 0, sessions = 0, seed = 1;
  const char* actions = nullptr;  // where they are logged
};

Wish wish_of(std::span<char*> words) {
  Wish wish;
  for (std::size_t i = 1; i + 1 < words.size(); i += 2) {
    const std::string_view word = words[i];
    const std::uint64_t number = std::strtoull(words[i + 1], nullptr, 10);
    if (word == "--seconds") wish.seconds = number;
    if (word == "--sessions") wish.sessions = number;
    if (word == "--seed") wish.seed = number;
    if (word == "--actions") wish.actions = words[i + 1];
  }
  return wish;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

int report(World& world, std::uint64_t seed) {
  const Witness witness = world.witness();
  world.play(seed, witness.life);
  if (witness.life != 0) std::fputs(world.dialogue(witness.life).c_str(), stdout);
  std::printf("# %s\n# session %u of the world of this seed; again: simulate/run --seed %llu\n",
              witness.complaint.c_str(), witness.life, static_cast<unsigned long long>(seed));
  if (world.witness().complaint != witness.complaint) std::puts("# it was not the same the second time");
  return 1;
}

// A world that is played twice leaves as much memory in use as when it is played once.
bool keeps_memory(World& world, std::uint64_t seed) {
  world.play(seed);
  const std::int64_t alive = allocations().alive;
  world.play(seed);
  if (allocations().alive == alive) return true;
  std::printf("# %lld allocations more are alive after the world of seed %llu is played again\n",
              static_cast<long long>(allocations().alive - alive), static_cast<unsigned long long>(seed));
  return false;
}

void print(const Tally& tally, double seconds) {
  const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf("%llu sessions, %llu decisions, %llu messages accepted, %llu times no power, %llu virtual hours\n",
              number(tally.sessions), number(tally.decisions), number(tally.accepted), number(tally.power_cuts),
              number(tally.virtual_seconds / 3600));
  std::printf("%.1f seconds of a processor, %.0f sessions a minute\n", seconds,
              static_cast<double>(tally.sessions) / seconds * 60);
}

int run(const Wish& wish) {
  const testing::Judge judge(POSTERN_SPEC_FOLDER);
  World world(judge);
  if (wish.actions != nullptr) actions().open(wish.actions);
  const auto start = std::chrono::steady_clock::now();
  const double begun = processor_seconds();
  std::uint64_t seed = wish.seed;
  do {
    world.play(seed);
    if (!world.witness().complaint.empty()) return report(world, seed);
    ++seed;
  } while ((wish.sessions != 0 && world.tally().sessions < wish.sessions) ||
           (wish.seconds != 0 && seconds_since(start) < static_cast<double>(wish.seconds)));
  print(world.tally(), processor_seconds() - begun);
  return keeps_memory(world, wish.seed) ? 0 : 1;
}

}  // namespace
}  // namespace postern::simulate

int main(int count, char** words) {
  return postern::simulate::run(postern::simulate::wish_of({words, static_cast<std::size_t>(count)}));
}
