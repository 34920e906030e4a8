// LineSplitter: lines end with CRLF and with nothing else, wherever the octets are cut.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/line.hpp"
#include "grammar/oracle.hpp"
#include "testing/guard_page.hpp"

namespace postern::grammar {
namespace {

// Feeds `octets` in pieces that end at `cuts`, as a connection does with its buffer: what is not consumed stays.
std::vector<FinishedLine> split(std::string_view octets, const std::vector<std::size_t>& cuts, std::size_t max_octets) {
  static testing::GuardedOctets guarded(1 << 16);
  LineSplitter splitter;
  std::vector<FinishedLine> lines;
  std::string buffer;
  std::size_t fed = 0;
  for (const std::size_t cut : cuts) {
    buffer.append(octets.substr(fed, cut - fed));
    fed = cut;
    while (true) {
      const std::string_view unread = guarded.before_guard(buffer);
      const Line line = splitter.next(unread, max_octets);
      EXPECT_LE(line.consumed, unread.size());
      EXPECT_TRUE(line.text.empty() || (line.text.data() >= unread.data() && line.text.size() <= line.consumed));
      if (line.kind != LineKind::partial) lines.push_back({line.kind, std::string(line.text)});
      buffer.erase(0, line.consumed);
      if (line.kind == LineKind::partial) break;
    }
    EXPECT_LE(buffer.size(), max_octets);
  }
  return lines;
}

std::vector<FinishedLine> split_by_octets(std::string_view octets, std::size_t max_octets) {
  std::vector<std::size_t> cuts;
  for (std::size_t cut = 1; cut <= octets.size(); ++cut) cuts.push_back(cut);
  return split(octets, cuts, max_octets);
}

std::vector<FinishedLine> by_machine(std::string_view octets, std::size_t max_octets) {
  std::vector<FinishedLine> lines;
  LineMachine(max_octets).take(octets, lines);
  return lines;
}

using Lines = std::vector<FinishedLine>;

TEST(line, crlf_ends_a_line) {  // RFC 5321 2.3.8
  EXPECT_EQ(split("EHLO a\r\nQUIT\r\n\r\nrest", {21}, 100),
            (Lines{{LineKind::complete, "EHLO a"}, {LineKind::complete, "QUIT"}, {LineKind::complete, ""}}));
}

TEST(line, bare_lf_is_named_and_the_next_line_stands) {  // RFC 5321 2.3.8, deviation D3
  EXPECT_EQ(split("NOOP\nQUIT\r\n", {11}, 100), (Lines{{LineKind::bare_lf, "NOOP"}, {LineKind::complete, "QUIT"}}));
  EXPECT_EQ(split("\n", {1}, 100), (Lines{{LineKind::bare_lf, ""}}));
}

TEST(line, a_bare_cr_ends_nothing) {  // RFC 5321 2.3.8
  EXPECT_EQ(split("NO\rOP\r\r\n", {8}, 100), (Lines{{LineKind::complete, "NO\rOP\r"}}));
}

TEST(line, max_octets_counts_the_line_end) {  // RFC 5321 4.5.3.1.4
  EXPECT_EQ(split("abcd\r\n", {6}, 6), (Lines{{LineKind::complete, "abcd"}}));
  EXPECT_EQ(split("abcde\r\n", {7}, 6), (Lines{{LineKind::too_long, ""}}));
  EXPECT_EQ(split("abcde\n", {6}, 6), (Lines{{LineKind::bare_lf, "abcde"}}));
}

// What follows must not be taken for a command only because the line before it was long.
TEST(line, a_bare_lf_is_named_however_long_the_line_is) {  // RFC 5321 2.3.8, deviation D3
  const Lines expected{{LineKind::bare_lf, ""}, {LineKind::complete, "QUIT"}};
  for (const std::size_t length : {6U, 7U, 1000U}) {
    const std::string octets = std::string(length, 'x') + "\nQUIT\r\n";
    EXPECT_EQ(split(octets, {octets.size()}, 6), expected) << length;
    EXPECT_EQ(split_by_octets(octets, 6), expected) << length;
  }
  const std::string with_cr = std::string(1000, 'x') + "\r\n";  // its CR is dropped before its LF comes
  EXPECT_EQ(split_by_octets(with_cr, 6), (Lines{{LineKind::too_long, ""}}));
}

TEST(line, after_a_line_too_long_the_next_one_stands) {  // RFC 5321 4.5.3.1.4, deviation D6
  const std::string octets = std::string(1000, 'x') + "\r\nQUIT\r\n";
  const Lines expected{{LineKind::too_long, ""}, {LineKind::complete, "QUIT"}};
  EXPECT_EQ(split(octets, {octets.size()}, 20), expected);
  EXPECT_EQ(split_by_octets(octets, 20), expected);
}

TEST(line, an_overlong_line_is_dropped_as_it_comes) {
  LineSplitter splitter;
  EXPECT_EQ(splitter.next("abcdef", 6).consumed, 6U);
  EXPECT_EQ(splitter.next("ghi", 6).consumed, 3U);
  const Line end = splitter.next("\r\nQUIT", 6);
  EXPECT_EQ(end.kind, LineKind::too_long);
  EXPECT_EQ(end.consumed, 2U);
}

TEST(line, forget_forgets) {  // RFC 3207 4.2
  LineSplitter splitter;
  EXPECT_EQ(splitter.next("abcdefgh", 6).kind, LineKind::partial);
  splitter.forget();
  EXPECT_EQ(splitter.next("QUIT\r\n", 6).kind, LineKind::complete);
}

TEST(line, no_octets_are_no_line) {
  LineSplitter splitter;
  const Line line = splitter.next({}, 6);
  EXPECT_EQ(line.kind, LineKind::partial);
  EXPECT_EQ(line.consumed, 0U);
}

TEST(line, a_cut_anywhere_changes_nothing) {
  const std::string octets = "EHLO a\r\nNO\rOP\nMAIL FROM:<a@b>\r\r\n\n\r\nQUIT\r\n";
  const auto expected = by_machine(octets, 12);
  for (std::size_t first = 0; first <= octets.size(); ++first) {
    for (std::size_t second = first; second <= octets.size(); ++second) {
      ASSERT_EQ(split(octets, {first, second, octets.size()}, 12), expected) << first << ' ' << second;
    }
  }
}

// Every string of up to 8 octets of an alphabet that holds all that matters, every cut, a tight limit and a wide one.
TEST(line, agrees_with_the_machine_on_all_short_strings) {
  constexpr std::string_view alphabet = "\r\na";
  for (std::size_t length = 0, count = 1; length <= 8; ++length, count *= alphabet.size()) {
    for (std::size_t number = 0; number < count; ++number) {
      std::string octets;
      for (std::size_t rest = number; octets.size() < length; rest /= alphabet.size()) {
        octets += alphabet[rest % alphabet.size()];
      }
      for (const std::size_t max_octets : {3U, 5U, 100U}) {
        const auto expected = by_machine(octets, max_octets);
        ASSERT_EQ(split_by_octets(octets, max_octets), expected) << number;
        for (std::size_t cut = 0; cut <= length; ++cut) ASSERT_EQ(split(octets, {cut, length}, max_octets), expected);
      }
    }
  }
}

}  // namespace
}  // namespace postern::grammar
