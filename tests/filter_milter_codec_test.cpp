// The packets of the milter protocol: cut everywhere, malformed, and the texts of replies.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "filter/milter_codec.hpp"
#include "filter/milter_macros.hpp"
#include "milter_talk.hpp"

namespace postern::filter {
namespace {

using namespace std::string_literals;
using Strings = std::vector<std::string>;

Strings packets_of(std::string_view octets, std::size_t piece, bool& is_malformed, std::size_t max_body = 100'000) {
  MilterPacketReader reader(max_body);
  Strings packets;
  for (std::size_t at = 0; at < octets.size(); at += piece) {
    reader.add(octets.substr(at, piece));
    while (const auto packet = reader.next()) packets.push_back(packet->letter + std::string(packet->data));
  }
  is_malformed = reader.is_malformed();
  return packets;
}

TEST(MilterCodec, packets_are_the_same_however_they_are_cut) {
  const std::string octets =
      milter_packet('c') + milter_packet('h', "A\0b\0"s) + milter_packet('b', std::string(70'000, 'x'));
  for (const std::size_t piece : {1UZ, 2UZ, 3UZ, 7UZ, 4096UZ, octets.size()}) {
    bool is_malformed = true;
    const Strings packets = packets_of(octets, piece, is_malformed);
    EXPECT_EQ((Strings{"c", "hA\0b\0"s, "b" + std::string(70'000, 'x')}), packets) << piece;
    EXPECT_FALSE(is_malformed);
  }
}

TEST(MilterCodec, a_packet_without_letter_or_that_is_too_long_is_malformed) {
  for (const std::string& octets :
       {milter_number(0), milter_number(0) + "c", milter_number(65'537) + "h", milter_number(100'002) + "b",
        milter_number(0xFFFF'FFFF) + "c", milter_packet('c') + milter_number(0x8000'0000) + "h"}) {
    bool is_malformed = false;
    const Strings packets = packets_of(octets, 1, is_malformed);
    EXPECT_TRUE(is_malformed) << milter_words(octets);
    EXPECT_LE(packets.size(), 1U);
  }
  bool is_malformed = true;
  packets_of(milter_number(65'536) + "h", 1, is_malformed);
  EXPECT_FALSE(is_malformed) << "65,535 octets after the letter";
  packets_of(milter_number(100'001) + "b", 1, is_malformed);
  EXPECT_FALSE(is_malformed) << "of a new body as many as are allowed";
}

TEST(MilterCodec, a_field_that_is_cut_is_none) {
  const std::string data = "\0\0\0\1a\0b"s;
  MilterFields fields(data);
  EXPECT_EQ(1U, fields.number());
  EXPECT_EQ("a", fields.text());
  EXPECT_EQ(std::nullopt, fields.text()) << "no NUL";
  EXPECT_EQ(std::nullopt, MilterFields("\0\0\0"s).number());
  EXPECT_TRUE(MilterFields("").is_at_end());
}

TEST(MilterCodec, terms_may_choose_macros) {
  const auto terms = read_milter_terms(
      milter_terms(0x11F, 0x400, 6, milter_number(3) + "{rcpt_addr}, i\0"s + milter_number(0) + "\0"s).substr(5));
  ASSERT_TRUE(terms) << terms.error();
  EXPECT_EQ(0x11FU, terms->actions);
  EXPECT_EQ("{rcpt_addr}, i", terms->macros[3]);
  EXPECT_EQ("", terms->macros[0]);
  EXPECT_EQ(std::nullopt, terms->macros[1]);
}

TEST(MilterCodec, terms_that_nobody_offered_are_none) {
  for (const std::string& terms :
       {milter_terms(0x200), milter_terms(1, 0x800), milter_terms(1, 0x1000'0000), milter_terms(1, 0, 7),
        milter_terms(1, 0, 1), milter_terms(1, 0, 6, milter_number(7) + "i\0"s),
        milter_terms(1, 0, 6, milter_number(0) + "i"), milter_terms(1, 0, 6, "\0\0"s),
        milter_packet('O', milter_number(6) + milter_number(1) + "\0\0\0"s)})
    EXPECT_FALSE(read_milter_terms(terms.substr(5))) << testing::PrintToString(terms);
}

struct Text {
  std::string data;
  std::string words;  // empty: it is none
};

TEST(MilterCodec, the_text_of_a_reply_is_one_printable_line) {
  const std::vector<Text> texts{
      {"550 5.7.1 Spam\0"s, "5.7.1 Spam"},
      {"550 5.7.1 Spam", "5.7.1 Spam"},  // some filters send no NUL
      {"451 4.7.1 later\0"s, "4.7.1 later"},
      {"554 no code of RFC 3463\0"s, "5.7.1 no code of RFC 3463"},
      {"450\0"s, "4.7.1 try again later"},
      {"550 5.7.0\0"s, "5.7.0 this message is refused"},
      {"550 5.7.1 100%% sure%\0"s, "5.7.1 100% sure"},
      {"550 5.7.1 %%s%x\0"s, "5.7.1 %sx"},
      {"550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\0"s, "5.7.1 one two three"},
      {"550-one\n550 two\0"s, "5.7.1 one two"},
      {"550 5.7.1 \x01 \xC3\xA4\0"s, "5.7.1 ? ??"},
      {"550 5.7.1 a\r\nMAIL FROM:<b>\0"s, ""},
      {"550 5.7.1 a\r\n250 b\0"s, ""},
      {"550 4.7.1 a\0"s, ""},
      {"450 5.7.1 a\0"s, ""},
      {"250 2.0.0 fine\0"s, ""},
      {"354 go on\0"s, ""},
      {"650 a\0"s, ""},
      {"5x0 a\0"s, ""},
      {"55\0"s, ""},
      {"\0"s, ""},
      {"", ""},
      {"550a\0"s, ""},
      {"5500 a\0"s, ""},
      {"550 a\0b\0"s, ""},
      {"550 a\0\0"s, ""},
  };
  for (const Text& text : texts) {
    const auto read = read_milter_text(text.data);
    EXPECT_EQ(text.words, read ? read->words : "") << milter_words(text.data);
    EXPECT_EQ(read ? text.data[0] - '0' : 0, read ? read->code / 100 : 0);
  }
  const auto longest = read_milter_text("550 5.7.1 " + std::string(70'000, 'x'));
  ASSERT_TRUE(longest);
  EXPECT_EQ(255U, longest->words.size());
}

TEST(MilterMacros, are_those_that_are_known) {
  MilterTalk talk;
  talk.message.client.tls_cipher = "ECDHE-RSA-AES128-GCM-SHA256";
  const auto of = [&](MilterStage stage, std::optional<std::string> chosen = {}) {
    std::string data = milter_macros(talk.message, stage, "you@x.example", chosen);
    for (char& c : data)
      if (c == '\0') c = '|';
    return data;
  };
  EXPECT_EQ(
      "Cj|mx.example.org|_|unknown [192.0.2.7]|{daemon_name}|mx.example.org|v|postern|{client_addr}|192.0.2.7|"
      "{client_name}|unknown|{client_port}|258|{client_ptr}|unknown|",
      of(MilterStage::connect));
  EXPECT_EQ("H{cipher}|ECDHE-RSA-AES128-GCM-SHA256|{cipher_bits}|128|", of(MilterStage::helo));
  EXPECT_EQ("Mi|17.42|{mail_addr}|me@client.example|", of(MilterStage::mail));
  talk.message.client.user = "joe";
  EXPECT_EQ("Mi|17.42|{auth_type}|PLAIN|{auth_authen}|joe|{mail_addr}|me@client.example|", of(MilterStage::mail));
  EXPECT_EQ("Ri|17.42|{rcpt_addr}|you@x.example|", of(MilterStage::rcpt));
  EXPECT_EQ("Ej|mx.example.org|{client_addr}|192.0.2.7|",
            of(MilterStage::end_of_message, "{j}, client_addr {nonsense}"));
  EXPECT_EQ("", of(MilterStage::data, "")) << "the filter wants none";
  talk.message.client.tls_cipher = "TLS_CHACHA20_POLY1305_SHA256";
  EXPECT_EQ("H{cipher_bits}|256|", of(MilterStage::helo, "{cipher_bits}"));
  talk.message.client.tls_cipher = "TLS_AES_256_GCM_SHA384";
  EXPECT_EQ("H{cipher_bits}|256|", of(MilterStage::helo, "{cipher_bits}"));
}

}  // namespace
}  // namespace postern::filter
