// What every start of `postern` pays for: the policy's words are read only for a verb that asks for them.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "cli/verbs.hpp"

namespace {
std::atomic<std::size_t> allocations = 0;  // operator new has no other place to count
}

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
// Not inline: the compiler would see free() beside a new that it takes for its own.
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace postern::cli {

void print(const std::string&) {}  // that of main.cpp, where no verb runs

namespace {

std::size_t allocations_of(auto&& what) {
  const std::size_t before = allocations;
  what();
  return allocations - before;
}

TEST(Program, reads_the_policy_once_and_only_for_a_verb_that_asks) {
  EXPECT_EQ(0U, allocations_of([] { const Program program; }));
  Program program;
  EXPECT_LT(1000U, allocations_of([&] { static_cast<void>(program.policy()); }));
  EXPECT_EQ(0U, allocations_of([&] { static_cast<void>(program.policy()); }));
}

TEST(Program, a_listener_s_verbs_do_without_the_policy) {
  struct Verb {
    void (*add)(CLI::App&, Program&);
    std::string name, operand;
  };
  for (const Verb& verb : {Verb{add_serve, "serve", "--discard"}, Verb{add_reload, "reload", "4711"},
                           Verb{add_passwd, "passwd", "users.cdb"}}) {
    CLI::App app;
    Program program;
    EXPECT_GT(1000U, allocations_of([&] {
                verb.add(app, program);
                app.parse(std::vector<std::string>{verb.operand, verb.name});
              }))
        << verb.name;
    EXPECT_TRUE(program.chosen) << verb.name;
  }
}

}  // namespace
}  // namespace postern::cli
