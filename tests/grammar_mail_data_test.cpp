// MailData at every level of the processor, against its Ragel machine and against the naive reader.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/mail_data.hpp"
#include "grammar/mail_data_levels.hpp"
#include "grammar/oracle.hpp"
#include "testing/guard_page.hpp"
#include "testing/naive_mail_data.hpp"

namespace postern::grammar {
namespace {

using testing::NaiveMailData;
using testing::read_mail_data;

std::vector<DecodeMailData*> levels() {
  std::vector<DecodeMailData*> found = {decode_mail_data_plain};
#ifdef __x86_64__
  found.push_back(decode_mail_data_sse2);
  if (has_avx2()) found.push_back(decode_mail_data_avx2);
#endif
  return found;
}

// Both storages end at unreadable pages, and the input begins at one.
DecodedPiece decode_guarded(DecodeMailData& decode, MailDataState& state, std::string_view piece, NaiveMailData& seen) {
  static testing::GuardedOctets input(1 << 18);
  static testing::GuardedOctets output(1 << 18);
  const auto out = output.space_before_guard(piece.size() + 2);
  MailDataState twin = state;
  const auto decoded = decode(state, input.before_guard(piece), out);
  seen.text.append(out.data(), decoded.written);
  EXPECT_EQ(decode(twin, input.after_guard(piece), out).written, decoded.written);
  return decoded;
}

NaiveMailData decoded(DecodeMailData& decode, std::string_view octets, std::vector<std::size_t> cuts) {
  NaiveMailData seen;
  MailDataState state;
  cuts.push_back(octets.size());
  for (const std::size_t cut : cuts) {
    if (seen.ended) break;
    const auto piece = decode_guarded(decode, state, octets.substr(seen.consumed, cut - seen.consumed), seen);
    seen.consumed += piece.consumed;
    seen.ended = piece.ended;
    EXPECT_TRUE(seen.ended || seen.consumed == cut);
  }
  seen.saw_bare_cr = state.saw_bare_cr;
  seen.saw_bare_lf = state.saw_bare_lf;
  seen.saw_nul = state.saw_nul;
  seen.hops = state.hops;
  return seen;
}

NaiveMailData by_machine(std::string_view octets, std::size_t cut) {
  NaiveMailData seen;
  MailDataMachine machine;
  std::string out(octets.size() + 2, '\0');
  auto piece = machine.decode(octets.substr(0, cut), out);
  seen = {out.substr(0, piece.written), piece.consumed, piece.ended, false, false, false, 0};
  if (!piece.ended) {
    piece = machine.decode(octets.substr(cut), out);
    seen.text.append(out, 0, piece.written);
    seen.consumed += piece.consumed;
    seen.ended = piece.ended;
  }
  seen.saw_bare_cr = machine.saw_bare_cr();
  seen.saw_bare_lf = machine.saw_bare_lf();
  seen.saw_nul = machine.saw_nul();
  seen.hops = machine.hops();
  return seen;
}

// Found beforehand where it matters: gtest prints a NaiveMailData as bytes only.
void expect_everywhere(std::string_view octets, const std::vector<std::size_t>& cuts) {
  const auto expected = read_mail_data(octets);
  for (auto* const decode : levels()) {
    const auto seen = decoded(*decode, octets, cuts);
    ASSERT_EQ(seen.text, expected.text);
    ASSERT_TRUE(seen == expected) << ::testing::PrintToString(octets);
  }
}

void expect_at_every_cut(std::string_view octets) {
  for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
    expect_everywhere(octets, {cut});
    ASSERT_TRUE(by_machine(octets, cut) == read_mail_data(octets)) << ::testing::PrintToString(octets);
  }
}

struct Case {
  std::string octets;
  std::string text;
  bool ended;
  std::size_t consumed;
};

TEST(mail_data, transparency) {  // RFC 5321 4.5.2, 4.1.1.4
  const std::vector<Case> cases = {
      {".\r\n", "", true, 3},
      {"\r\n.\r\n", "\n", true, 5},
      {"a\r\n.\r\nQUIT\r\n", "a\n", true, 6},
      {"..\r\n.\r\n", ".\n", true, 7},
      {".a\r\n...\r\n.\r\n", "a\n..\n", true, 12},
      {"a.\r\n.b\r\nc.d\r\n.\r\n", "a.\nb\nc.d\n", true, 16},
      {"a\r\n.", "a\n", false, 4},
      {"a\r\n.\r", "a\n", false, 5},
      {"a\r", "a", false, 2},
  };
  for (const auto& [octets, text, ended, consumed] : cases) {
    const auto seen = read_mail_data(octets);
    EXPECT_EQ(seen.text, text);
    EXPECT_EQ(seen.ended, ended);
    EXPECT_EQ(seen.consumed, consumed);
    EXPECT_FALSE(seen.saw_bare_cr || seen.saw_bare_lf);
    expect_at_every_cut(octets);
  }
}

TEST(mail_data, only_crlf_dot_crlf_ends_it) {  // RFC 5321 2.3.8, deviation D4
  const std::vector<Case> cases = {
      {"a\n.\r\nb", "a\n.\nb", false, 6},      {"a\r.\r\nb", "a\r.\nb", false, 6},
      {"a\r\n.\nb\r\n", "a\n\nb\n", false, 8}, {"a\r\n.\rb\r\n", "a\n\rb\n", false, 8},
      {"a\n.\nb\r\n", "a\n.\nb\n", false, 7},  {"a\r.\rb\r\n", "a\r.\rb\n", false, 7},
      {"a\r\r\n.\r\nb", "a\r\n", true, 7},     {"a\r\n\n.\r\nb", "a\n\n.\nb", false, 8},
      {"a\r\n.\r\r\nb", "a\n\r\nb", false, 8}, {std::string("a\r\n\0.\r\nb", 8), std::string("a\n\0.\nb", 6), false, 8},
  };
  for (const auto& [octets, text, ended, consumed] : cases) {
    const auto seen = read_mail_data(octets);
    EXPECT_EQ(seen.text, text) << ::testing::PrintToString(octets);
    EXPECT_EQ(seen.ended, ended) << ::testing::PrintToString(octets);
    EXPECT_EQ(seen.consumed, consumed);
    expect_at_every_cut(octets);
  }
}

TEST(mail_data, bare_cr_and_bare_lf_are_seen) {  // RFC 5321 2.3.8
  EXPECT_TRUE(read_mail_data("a\rb").saw_bare_cr);
  EXPECT_FALSE(read_mail_data("a\rb").saw_bare_lf);
  EXPECT_TRUE(read_mail_data("a\nb").saw_bare_lf);
  EXPECT_FALSE(read_mail_data("a\nb").saw_bare_cr);
  EXPECT_FALSE(read_mail_data("a\r").saw_bare_cr);
}

TEST(mail_data, nul_is_seen_wherever_it_stands) {  // RFC 5321 2.3.8, RFC 6152 2
  EXPECT_FALSE(read_mail_data("ab").saw_nul);
  for (std::size_t at = 0; at < 300; ++at) {
    std::string octets(300, 'x');
    octets[at] = '\0';
    EXPECT_TRUE(read_mail_data(octets).saw_nul);
    expect_everywhere("\r\n\r\n" + octets + "\r\n.\r\n", {at, at + 4});
  }
}

TEST(mail_data, hops_are_counted_in_the_header) {  // RFC 5321 6.3
  struct HopCase {
    std::string octets;
    std::uint32_t hops;
  };
  const std::vector<HopCase> cases = {
      {"Received: a\r\nRECEIVED:\r\nreceived:b\r\n\r\nReceived: c\r\n", 3},
      {"Delivered-To: a\r\ndelivered-to:\r\n\r\n", 2},
      {"X: a\r\n Received: b\r\nReceived : c\r\nReceive: d\r\nDelivered: e\r\n\r\n", 0},
      {".Received: a\r\n..Received: b\r\n\r\n", 1},
      {"\r\nReceived: a\r\n", 0},
      {"a\nReceived: b\r\n\r\n", 0},
      {"a\rReceived: b\r\n\r\r\nReceived: c\r\n\r\n", 1},
      {"Received:", 1},
      {"Received", 0},
      {"DeliveredReceived:\r\n\x0BReceived:\r\n2eceived:\r\nReceived\x1A\r\n", 0},
  };
  for (const auto& [octets, hops] : cases) {
    EXPECT_EQ(read_mail_data(octets).hops, hops) << ::testing::PrintToString(octets);
    expect_at_every_cut(octets);
    // Deep in blocks, and at each place of a block.
    for (std::size_t padding = 0; padding < 70; ++padding) {
      expect_everywhere(std::string(padding, 'x') + "\r\n" + octets + std::string(300, 'y'), {});
    }
  }
}

constexpr std::string_view alphabet = "\r\n.a";
constexpr std::string_view alphabet_with_nul("\r\n.\0", 4);
static_assert(alphabet_with_nul.size() == alphabet.size());

std::string nth_string(std::size_t number, std::size_t length, std::string_view of = alphabet) {
  std::string octets;
  for (; octets.size() < length; number /= of.size()) octets += of[number % of.size()];
  return octets;
}

// Found by fuzz/mail_data: a block that ends with CRLF before a bare CR took that CR for the end of the header.
TEST(mail_data, a_bare_cr_where_a_header_line_begins_does_not_end_the_header) {
  for (std::size_t before = 1; before < 200; ++before) {
    const std::string octets =
        std::string(before, 'x') + "\r\n\rxxx\r\nReceived: " + std::string(200, 'x') + "\r\n.\r\n";
    std::vector<char> out(octets.size() + 2);
    MailData data;
    ASSERT_TRUE(data.decode(octets, out).ended);
    EXPECT_EQ(data.hops(), 1U) << before;
  }
}

TEST(mail_data, all_short_strings_with_nul_at_every_cut) {  // RFC 5321 2.3.8, RFC 6152 2
  for (std::size_t length = 0, count = 1; length <= 6; ++length, count *= alphabet_with_nul.size()) {
    for (std::size_t number = 0; number < count && !HasFatalFailure(); ++number) {
      expect_at_every_cut(nth_string(number, length, alphabet_with_nul));
    }
  }
}

TEST(mail_data, all_short_strings_at_every_cut) {
  for (std::size_t length = 0, count = 1; length <= 8; ++length, count *= alphabet.size()) {
    for (std::size_t number = 0; number < count && !HasFatalFailure(); ++number) {
      expect_at_every_cut(nth_string(number, length));
    }
  }
}

// The same strings where the block scans see them: over the edge of two blocks, at a header's and at a body's place.
TEST(mail_data, all_short_strings_inside_blocks) {
  const std::string after(200, 'b');
  for (std::size_t number = 0; number < 4096 && !HasFatalFailure(); ++number) {
    const std::string octets = nth_string(number, 6);
    for (const std::string_view header : {"", "\r\n", "Received: a\r\n\r\n"}) {
      for (const std::size_t padding : {59U, 61U, 63U, 123U, 125U}) {
        expect_everywhere(std::string(header) + std::string(padding, 'a') + octets + after, {});
      }
    }
  }
}

// A message of lines of all kinds: the blocks fall everywhere on it.
std::string long_message(unsigned seed, std::size_t lines) {
  std::string octets = "Received: a\r\nSubject: b\r\nDelivered-To: c\r\n\r\n";
  for (std::size_t line = 0; line < lines; ++line) {
    seed = seed * 1103515245U + 12345U;
    const unsigned random = seed >> 16;
    if (random % 7 == 0) octets += "..";
    octets.append(random % 101, static_cast<char>('a' + random % 26));
    if (random % 53 == 0) octets += '\r';
    if (random % 59 == 0) octets += '\n';
    octets += "\r\n";
  }
  return octets + ".\r\nQUIT\r\n";
}

TEST(mail_data, long_messages_cut_anywhere) {
  for (unsigned seed = 0; seed < 40 && !HasFatalFailure(); ++seed) {
    const std::string octets = long_message(seed, 60);
    for (std::size_t cut = seed % 3; cut < octets.size() && !HasFatalFailure(); cut += 7) {
      expect_everywhere(octets, {cut, std::min(octets.size(), cut + 140 + seed)});
    }
  }
}

TEST(mail_data, octet_by_octet) {
  const std::string octets = long_message(7, 30);
  std::vector<std::size_t> cuts;
  for (std::size_t cut = 1; cut < octets.size(); ++cut) cuts.push_back(cut);
  expect_everywhere(octets, cuts);
}

TEST(mail_data, the_public_face_chooses_a_level_itself) {
  const std::string octets = "Received: a\r\n\r\n" + std::string(500, 'x') + "\r\n..\rb\nc\r\n.\r\n";
  std::string out(octets.size() + 2, '\0');
  MailData data;
  const auto piece = data.decode(octets, out);
  EXPECT_TRUE(piece.ended);
  EXPECT_EQ(out.substr(0, piece.written), "Received: a\n\n" + std::string(500, 'x') + "\n.\rb\nc\n");
  EXPECT_TRUE(data.saw_bare_cr() && data.saw_bare_lf());
  EXPECT_EQ(data.hops(), 1U);
}

}  // namespace
}  // namespace postern::grammar
