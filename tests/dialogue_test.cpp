// Every dialogue of tests/dialogues, replayed as written, whole, octet by octet and cut at every place.
#include "audit/dialogue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "testing/replay.hpp"

namespace postern::tests {
namespace {

const std::vector<audit::Dialogue>& dialogues() {
  static const std::vector<audit::Dialogue> all = audit::load_dialogues(POSTERN_SOURCE_FOLDER "/tests/dialogues");
  return all;
}

constexpr testing::AfterStarttls same_session = testing::AfterStarttls::same_session;

// Dialogues above this size are not cut at every place, only at so many.
constexpr std::size_t small_octets = 8 * 1024;
constexpr std::size_t cuts_of_big_ones = 8;

class EveryDialogue : public ::testing::TestWithParam<std::size_t> {
 protected:
  [[nodiscard]] const audit::Dialogue& dialogue() const { return dialogues()[GetParam()]; }

  void expect_same(const testing::Replay& whole, testing::Cut cut, testing::AfterStarttls after_starttls) const {
    const testing::Replay found = testing::replay(dialogue(), cut, after_starttls);
    if (found == whole) return;
    ADD_FAILURE() << dialogue().name << ", cut at " << cut.octets << "\n"
                  << testing::difference(testing::lines_of(whole), testing::lines_of(found));
  }
};

TEST_P(EveryDialogue, goes_as_written) {
  EXPECT_EQ(testing::difference(testing::listing(dialogue()), testing::listing_of_replay(dialogue())), "")
      << dialogue().name << ".smtp";
}

TEST_P(EveryDialogue, is_the_same_octet_by_octet_and_in_pieces) {
  const testing::Replay whole = testing::replay(dialogue(), {}, same_session);
  EXPECT_EQ(whole.problem, "");
  const bool is_small = dialogue().client_octets() <= small_octets;
  expect_same(whole, {testing::Cut::How::in_pieces, is_small ? std::size_t{1} : std::size_t{4093}}, same_session);
  if (is_small) expect_same(whole, {testing::Cut::How::in_pieces, 7}, same_session);
}

TEST_P(EveryDialogue, is_the_same_cut_at_every_place) {
  const testing::Replay whole = testing::replay(dialogue(), {}, same_session);
  const std::size_t octets = dialogue().client_octets();
  const std::size_t stride = octets <= small_octets ? 1 : octets / cuts_of_big_ones;
  for (std::size_t at = 1; at < octets; at += stride) expect_same(whole, {testing::Cut::How::in_two, at}, same_session);
}

// RFC 3207 4.2: nothing of the session before STARTTLS is needed after it.
TEST_P(EveryDialogue, is_the_same_when_another_process_serves_after_starttls) {
  const testing::Replay whole = testing::replay(dialogue(), {}, same_session);
  expect_same(whole, {}, testing::AfterStarttls::sibling);
}

INSTANTIATE_TEST_SUITE_P(dialogues, EveryDialogue, ::testing::Range(std::size_t{0}, dialogues().size()),
                         [](const auto& index) { return dialogues()[index.param].name; });

TEST(Dialogues, decide_by_every_rule_of_the_policy) {
  std::set<spec::Rule> met;
  for (const audit::Dialogue& dialogue : dialogues()) {
    for (const auto& decision : testing::replay(dialogue, {}, same_session).decisions) met.insert(decision.rule);
  }
  std::string missing;
  for (std::size_t i = 0; i < spec::rule_count; ++i) {
    const auto rule = static_cast<spec::Rule>(i);
    if (!met.contains(rule)) missing += std::string(spec::name_of(rule)) + "\n";
  }
  EXPECT_EQ(missing, "") << "rules that no dialogue shows";
}

TEST(DialogueFormat, says_file_and_line_of_what_it_does_not_understand) {
  const auto problem = [](std::string_view text) {
    const auto parsed = audit::parse_dialogue(text, "a.smtp");
    return parsed ? std::string("no problem") : parsed.error();
  };
  EXPECT_EQ(problem("with\nC: QUIT\n"), "no problem");
  EXPECT_EQ(problem("# only a comment\n"), "a.smtp:1: no line `with ...`");
  EXPECT_EQ(problem("C: QUIT\n"), "a.smtp:1: expected `with` and the settings and facts first");
  EXPECT_EQ(problem("with FORCE_TLS=2\n"), "a.smtp:1: unknown setting `FORCE_TLS=2`");
  EXPECT_EQ(problem("with\nwith\n"), "a.smtp:2: a second line `with`");
  EXPECT_EQ(problem("with tls\n"), "a.smtp:1: expected NAME=NUMBER or a fact, not `tls`");
  EXPECT_EQ(problem("with\n\n= connect.done\n"), "a.smtp:3: unknown event `connect.done`");
  EXPECT_EQ(problem("with\nX: QUIT\n"), "a.smtp:2: nobody has the name `X`");
  EXPECT_EQ(problem("with\nC| \\q\n"), "a.smtp:2: expected \\r \\n \\t \\0 \\s \\\\ or \\xHH after a backslash");
  EXPECT_EQ(problem("with\nC*x: QUIT\n"), "a.smtp:2: expected a number after `*`");
}

TEST(DialogueFormat, understands_escapes_and_repetition) {
  const auto parsed = audit::parse_dialogue("with backend databytes=7\nC*2| a\\r\\n\\0\\x80\\s\nS: 250 ok\n", "a.smtp");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->databytes, 7U);
  EXPECT_TRUE(parsed->settings_and_facts.has(spec::bit::AUTH)) << "a backend turns AUTH on";
  EXPECT_EQ(parsed->items[0].octets, std::string("a\r\n\0\x80 a\r\n\0\x80 ", 12));
  EXPECT_EQ(parsed->items[1].octets, "250 ok\r\n");
}

TEST(DialogueFormat, shows_where_a_replay_differs) {
  auto parsed = audit::parse_dialogue(
      "with\n= connect.ready\nS: 220 mx.example.org ESMTP\nC: NOOP\nS: 250 okay\nC: QUIT\n"
      "S: 221 mx.example.org\nS closes\n",
      "a.smtp");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(testing::difference(testing::listing(*parsed), testing::listing_of_replay(*parsed)),
            "  = connect.ready\n  S: 220 mx.example.org ESMTP\n  C: NOOP\n- S: 250 okay\n+ S: 250 ok\n  C: QUIT\n"
            "  S: 221 mx.example.org\n  S closes\n");
}

}  // namespace
}  // namespace postern::tests
