// parse_command as the tests call it: before an unreadable page, and beside the two slow parsers, which must say the same.
// in      a line of at most 64 KiB
// out     the result; its views live until the next call
// errors  a failed expectation where the parsers differ, or a view lies outside the line
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <expected>
#include <string_view>

#include "grammar/alphabets.hpp"
#include "grammar/command.hpp"
#include "testing/guard_page.hpp"
#include "testing/naive_command.hpp"

namespace postern::grammar {

using testing::NaiveCommand;
using testing::owned;
using Result = std::expected<Command, SyntaxError>;

inline bool lies_in(std::string_view view, std::string_view line) {
  return view.empty() || (view.data() >= line.data() && view.data() + view.size() <= line.data() + line.size());
}

inline void expect_views_inside(const Command& command, std::string_view line) {
  for (const auto view : {command.argument, command.path.local_part, command.path.domain, command.mechanism,
                          command.initial_response, command.parameters.auth_mailbox}) {
    EXPECT_TRUE(lies_in(view, line)) << line;
  }
}

inline bool same(const Result& fast, const std::expected<NaiveCommand, SyntaxError>& slow) {
  if (fast.has_value() != slow.has_value()) return false;
  return fast ? owned(*fast) == *slow : fast.error() == slow.error();
}

inline Result parsed(std::string_view text) {
  static testing::GuardedOctets guarded(1 << 16);
  const std::string_view line = guarded.before_guard(text);
  const Result result = parse_command(line);
  if (result) expect_views_inside(*result, line);
  EXPECT_TRUE(same(result, testing::read_command(line))) << text;
  const Result by_octets = parse_command_over(Octets{}, line);
  EXPECT_EQ(result.has_value(), by_octets.has_value()) << text;
  if (result && by_octets) {
    EXPECT_EQ(owned(*result), owned(*by_octets)) << text;
  }
  if (!result && !by_octets) {
    EXPECT_EQ(result.error(), by_octets.error()) << text;
  }
  return result;
}

inline void expect_error(std::string_view line, SyntaxErrorKind kind, std::size_t offset) {
  const Result result = parsed(line);
  ASSERT_FALSE(result.has_value()) << line;
  EXPECT_EQ(result.error().kind, kind) << line;
  EXPECT_EQ(result.error().offset, offset) << line;
}

}  // namespace postern::grammar
