// The guard language: what it accepts, what it says of what it does not, and that its bit patterns mean its trees.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "spec/expression.hpp"

namespace postern::spec {
namespace {

const std::vector<Variable>& variables() {
  static const std::vector<Variable> all = {
      {"A", {"0", "1"}, true, 0},
      {"B", {"0", "1"}, true, 1},
      {"channel", {"clear", "starttls", "implicit"}, false, 2},
      {"greeting", {"none", "helo", "ehlo"}, false, 5},
  };
  return all;
}

std::expected<Expression, std::string> parse(std::string_view text) {
  const auto encrypted = parse_expression("channel in (starttls, implicit)", variables(), [](auto) { return nullptr; });
  return parse_expression(text, variables(), [&](std::string_view name) -> const Expression* {
    return name == "encrypted" ? &*encrypted : nullptr;
  });
}

std::string problem_of(std::string_view text) {
  const auto parsed = parse(text);
  return parsed ? "no problem" : parsed.error();
}

bool is_true(std::string_view text, const Assignment& assignment) { return holds(parse(text).value(), assignment); }

TEST(Expression, means_what_it_says) {
  const Assignment a_in_clear = {1, 0, 0, 0};
  const Assignment b_in_tls = {0, 1, 1, 2};
  EXPECT_TRUE(is_true("", a_in_clear));
  EXPECT_TRUE(is_true("A", a_in_clear));
  EXPECT_FALSE(is_true("A", b_in_tls));
  EXPECT_TRUE(is_true("not A and B", b_in_tls));
  EXPECT_TRUE(is_true("channel is clear", a_in_clear));
  EXPECT_TRUE(is_true("channel in (starttls, implicit)", b_in_tls));
  EXPECT_TRUE(is_true("encrypted and greeting is ehlo", b_in_tls));
  EXPECT_FALSE(is_true("not encrypted", b_in_tls));
}

TEST(Expression, binds_not_before_and_before_or) {
  const Assignment a = {1, 0, 0, 0};
  EXPECT_TRUE(is_true("A or A and B", a));
  EXPECT_FALSE(is_true("(A or A) and B", a));
  EXPECT_FALSE(is_true("not A or B", a));
  EXPECT_FALSE(is_true("not (A or B)", a));
  EXPECT_TRUE(is_true("not not A", a));
}

TEST(Expression, says_what_it_does_not_understand) {
  EXPECT_EQ(problem_of("A and C"), "unknown name at 'C' in \"A and C\"");
  EXPECT_EQ(problem_of("channel is tls"), "unknown value of channel at 'tls' in \"channel is tls\"");
  EXPECT_EQ(problem_of("channel"), "expected `is` or `in (` after channel at '' in \"channel\"");
  EXPECT_EQ(problem_of("channel in (clear"), "expected , or ) at '' in \"channel in (clear\"");
  EXPECT_EQ(problem_of("(A or B"), "expected ) at '' in \"(A or B\"");
  EXPECT_EQ(problem_of("A B"), "expected `and`, `or` or the end at 'B' in \"A B\"");
  EXPECT_EQ(problem_of("A and"), "expected a name at '' in \"A and\"");
  EXPECT_EQ(problem_of("A == 1"), "expected `and`, `or` or the end at '=' in \"A == 1\"");
}

TEST(Expression, marks_what_it_looks_at) {
  std::vector<bool> support(variables().size());
  collect_support(parse("A and encrypted").value(), support);
  EXPECT_EQ(support, (std::vector<bool>{true, false, true, false}));
}

TEST(Expression, gives_every_value_a_bit_of_its_own) {
  EXPECT_EQ(to_word({1, 0, 1, 2}, variables()), 0b100'010'01U);
  EXPECT_EQ(bits_of(variables()[2]), 0b111'00U);
  EXPECT_EQ(bit_of(variables()[3], 1), 1U << 6);
}

std::string random_text(std::mt19937& random, int depth) {
  constexpr std::array atoms = {"A",
                                "B",
                                "channel is clear",
                                "channel in (clear, implicit)",
                                "greeting is helo",
                                "greeting in (none, helo, ehlo)",
                                "encrypted"};
  const auto kind = depth == 0 ? 0U : random() % 4;
  if (kind == 1) return "not (" + random_text(random, depth - 1) + ")";
  if (kind == 2) return "(" + random_text(random, depth - 1) + ") and (" + random_text(random, depth - 1) + ")";
  if (kind == 3) return "(" + random_text(random, depth - 1) + ") or (" + random_text(random, depth - 1) + ")";
  return atoms[random() % atoms.size()];
}

TEST(Expression, is_the_same_as_bit_patterns_as_it_is_as_a_tree) {
  std::mt19937 random(5321);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_text(random, 4);
    const Expression tree = parse(text).value();
    const auto cubes = to_cubes(tree, variables());
    for (std::uint8_t at = 0; at < 36; ++at) {
      const Assignment assignment = {static_cast<std::uint8_t>(at & 1), static_cast<std::uint8_t>(at >> 1 & 1),
                                     static_cast<std::uint8_t>(at / 4 % 3), static_cast<std::uint8_t>(at / 12)};
      ASSERT_EQ(matches(cubes, to_word(assignment, variables())), holds(tree, assignment)) << text;
    }
  }
}

}  // namespace
}  // namespace postern::spec
