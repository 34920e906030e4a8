// A conversation allocates nothing once it is there: every dialogue is served with a counting operator new.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "audit/dialogue.hpp"
#include "engine/conversation.hpp"

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

// Counts the decisions.
class Count final : public engine::Output {
 public:
  explicit Count(std::span<char> room) : Output(room) {}
  void note(const engine::Note&) override { ++decisions; }
  void keep(std::string_view) override {}
  void drop() override {}
  std::size_t decisions = 0;
};

engine::Answer good_answer(const engine::Conversation& talk, engine::Question question) {
  switch (question) {
    case engine::Question::recipient: return {spec::Event::recipient_ours, talk.session().mailbox()};
    case engine::Question::credentials: return answer_of(engine::CredentialsResult::accepted);
    case engine::Question::message: return {spec::Event::message_permitted};
    case engine::Question::hand_over: break;
  }
  return answer_of(engine::HandOverResult::accepted, "1 qp 2");
}

// Serves the octets with whatever outcome is good; no driver, which would allocate itself.
void serve(engine::Conversation& talk, std::span<char> octets, std::span<char> scratch, Count& count) {
  using Kind = engine::Want::Kind;
  engine::Time now{};
  engine::Want want = talk.want();
  while (want.kind != Kind::end) {
    const Kind before = want.kind;
    count.clear();
    switch (before) {
      case Kind::opening: want = talk.happen(spec::Event::connect_ready, now, count); break;
      case Kind::answer: want = talk.answer(want.ticket, good_answer(talk, want.question), now, count); break;
      case Kind::tls: want = talk.happen(spec::Event::handshake_done, now, count); break;
      case Kind::pause:
        now = talk.deadline();
        want = talk.time_passed(now, count);
        break;
      default:
        want = talk.feed(octets, scratch, now, count);
        octets = octets.subspan(want.consumed);
        if (want.kind == Kind::octets) return;
    }
  }
}

TEST(Conversation, allocates_nothing_once_it_is_there) {
  std::size_t decisions = 0;
  std::vector<char> room(std::size_t{64} * 1024);
  for (const audit::Dialogue& dialogue : audit::load_dialogues(POSTERN_SOURCE_FOLDER "/tests/dialogues")) {
    std::string octets;
    for (const audit::Item& item : dialogue.items) octets += item.kind == audit::ItemKind::client ? item.octets : "";
    std::vector<char> scratch(octets.size() + 2);
    const auto talk = std::make_unique<engine::LoneConversation>(dialogue.service(), engine::Patience{});
    Count count(room);
    const std::size_t before = allocations;
    serve(*talk, octets, scratch, count);
    EXPECT_EQ(allocations - before, 0U) << dialogue.name;
    decisions += count.decisions;
  }
  EXPECT_GT(decisions, 300U);
  const std::size_t before = allocations;
  EXPECT_NE(std::make_unique<int>(1), nullptr);
  EXPECT_GT(allocations, before) << "the count counts";
}

}  // namespace
}  // namespace postern::tests
