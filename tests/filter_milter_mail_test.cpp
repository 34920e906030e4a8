// A message as a milter is shown it: odd headers, chunks, line ends.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mail_spool.hpp"
#include "filter/milter_codec.hpp"
#include "filter/milter_mail.hpp"

namespace postern::filter {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Shown {
  Fields fields;
  std::string body;
  int error = 0;
  std::size_t chunks = 0;
};

Shown shown(std::string_view text) {
  base::MailSpool spool("/tmp");
  spool.write(text);
  MilterMail mail(spool);
  Shown all;
  for (;;) {
    const auto field = mail.next_field();
    if (!field) {
      all.error = field.error();
      return all;
    }
    if (!*field) break;
    all.fields.emplace_back((*field)->name, (*field)->value);
  }
  for (auto chunk = mail.next_chunk(); chunk && !chunk->empty(); chunk = mail.next_chunk()) {
    EXPECT_LE(chunk->size(), max_milter_data_octets);
    all.body += *chunk;
    ++all.chunks;
  }
  return all;
}

TEST(MilterMail, header_and_body) {
  const Shown mail = shown("From: a\nSubject:b\nX-Empty:\nTo : c\nX: 1\n 2\n\t3\nX:\xC3\xA4\n\nhello\n.\n\n");
  EXPECT_EQ(
      (Fields{
          {"From", " a"}, {"Subject", "b"}, {"X-Empty", ""}, {"To", " c"}, {"X", " 1\n 2\n\t3"}, {"X", "\xC3\xA4"}}),
      mail.fields);
  EXPECT_EQ("hello\r\n.\r\n\r\n", mail.body);
}

TEST(MilterMail, odd_ends) {
  EXPECT_EQ("", shown("").body);
  EXPECT_EQ("", shown("A: b\n").body) << "nothing but a header";
  EXPECT_EQ((Fields{{"A", " b"}}), shown("A: b\n").fields);
  EXPECT_EQ((Fields{{"A", " b"}}), shown("A: b").fields) << "no LF at all";
  EXPECT_EQ("", shown("A: b\n\n").body);
  EXPECT_EQ("no header\r\nA: b\r\n", shown("no header\nA: b\n").body);
  EXPECT_EQ("no end of it\r\nB: c\r\n", shown("A: b\nno end of it\nB: c\n").body);
  EXPECT_EQ(" begins with a blank\r\n", shown(" begins with a blank\n").body);
  EXPECT_EQ("A: b\r\n", shown("\nA: b\n").body);
  EXPECT_EQ((Fields{{"X-Mailbox-Line", " From me Mon Jan 1"}, {"A", " b"}}),
            shown("From me Mon Jan 1\nA: b\n\n").fields);
  EXPECT_EQ(": b\r\n", shown(": b\n").body);
  EXPECT_EQ("no LF", shown("\nno LF").body);
  EXPECT_EQ((Fields{{"A", " b\n \n c"}}), shown("A: b\n \n c\n\n").fields);
}

TEST(MilterMail, a_body_comes_in_chunks) {
  const std::string line(997, 'x');
  std::string text = "A: b\n\n", wire;
  for (int i = 0; i < 300; ++i) {
    text += line + "\n";
    wire += line + "\r\n";
  }
  const Shown mail = shown(text);
  EXPECT_EQ(wire, mail.body);
  EXPECT_EQ((wire.size() + max_milter_data_octets - 1) / max_milter_data_octets, mail.chunks);
}

// No packet has room for more; half a field would be another one.
TEST(MilterMail, a_field_that_is_too_long_is_not_cut) {
  const std::string longest(max_milter_data_octets - 2 - 3, 'x');
  const Shown mail = shown("AB:" + longest + "\nC: d\n\nbody\n");
  ASSERT_EQ(2U, mail.fields.size());
  EXPECT_EQ(longest, mail.fields[0].second);
  EXPECT_EQ(EMSGSIZE, shown("A: b\nAB:" + longest + "xx\n\nbody\n").error);
  EXPECT_EQ(EMSGSIZE, shown("A:" + std::string(5'000'000, 'x') + "\n\nbody\n").error) << "beyond all headers";
  std::string folded = "A:";
  for (int i = 0; i < 1000; ++i) folded += std::string(100, 'x') + "\n ";
  EXPECT_EQ(EMSGSIZE, shown(folded + "\n\nbody\n").error);
  EXPECT_EQ(0, shown("A: b\n" + std::string(200'000, 'x') + "\n").error) << "no field at all, however long";
}

}  // namespace
}  // namespace postern::filter
