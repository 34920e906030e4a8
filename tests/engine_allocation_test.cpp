// A session allocates nothing once it is there: every dialogue is served with a counting operator new.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "audit/dialogue.hpp"
#include "engine/session.hpp"

namespace {
std::atomic<std::size_t> allocations = 0;  // the one global of the tests: operator new has no other place to count
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace postern::tests {
namespace {

// Serves the octets with whatever outcome is good; no driver, which would allocate itself.
std::size_t serve(engine::Session& session, std::string_view octets, std::span<char> scratch) {
  using spec::Event;
  std::size_t decisions = 0;
  for (;;) {
    const spec::Guards guards = session.guards();
    engine::Step step;
    if (guards.has(spec::bit::waiting_recipient))
      step = session.report(Event::recipient_ours, session.mailbox());
    else if (guards.has(spec::bit::waiting_credentials))
      step = session.report(Event::credentials_accepted);
    else if (guards.has(spec::bit::waiting_hand_over))
      step = session.report(Event::hand_over_accepted, "1 qp 2");
    else if (guards.has(spec::bit::waiting_handshake))
      step = session.report(Event::handshake_done);
    else if (guards.has(spec::bit::waiting_connect))
      step = session.report(Event::connect_ready);
    else if (!guards.has(spec::bit::waiting_end))
      step = session.step(octets, scratch);
    octets.remove_prefix(step.consumed);
    if (step.is_decision)
      ++decisions;
    else if (step.consumed == 0 || octets.empty())
      return decisions;
  }
}

TEST(Session, allocates_nothing_once_it_is_there) {
  std::size_t decisions = 0;
  for (const audit::Dialogue& dialogue : audit::load_dialogues(POSTERN_SOURCE_FOLDER "/tests/dialogues")) {
    std::string octets;
    for (const audit::Item& item : dialogue.items) octets += item.kind == audit::ItemKind::client ? item.octets : "";
    std::vector<char> scratch(octets.size() + 2);
    const auto session = std::make_unique<engine::LoneSession>(dialogue.service());
    const std::size_t before = allocations;
    decisions += serve(*session, octets, scratch);
    EXPECT_EQ(allocations - before, 0U) << dialogue.name;
  }
  EXPECT_GT(decisions, 300U);
  const std::size_t before = allocations;
  EXPECT_NE(std::make_unique<int>(1), nullptr);
  EXPECT_GT(allocations, before) << "the count counts";
}

}  // namespace
}  // namespace postern::tests
