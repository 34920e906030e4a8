// Answers of the wire: what is found, what is none, and that nothing else passes for either.
#include <gtest/gtest.h>

#include <string>

#include "dns/message.hpp"
#include "tests/dns_messages.hpp"

namespace postern::dns {
namespace {

using namespace std::literals;
using enum Answer::Failure;
using Kind = Answer::Kind;

constexpr std::string_view name = "2.0.0.127.bl.test";
constexpr std::string_view listed = "\x7f\0\0\2"sv;

Message of(Type type = Type::a) { return Message(type, name); }
Answer read(const Message& message, Type type = Type::a) { return read_answer(message.view(), type, *Name::of(name)); }

std::string addresses(const Answer& answer) {
  std::string text;
  for (const base::Address& one : answer.addresses) text.append(text.empty() ? "" : " ").append(write(one).view());
  return text;
}

TEST(DnsMessage, a_query_is_what_the_rfc_says) {
  const QueryOctets query(Type::txt, *Name::of("a.test"), 0x1234);
  const std::string wanted("\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\4test\0\0\x10\0\1", 24);
  EXPECT_EQ(wanted, std::string(query.view().begin(), query.view().end()));
}

TEST(DnsMessage, addresses_are_found_in_their_order) {
  const Answer answer = read(of().a(name, 60, listed).a(name, 30, "\x7f\0\0\xa"sv).a(name, 90, "\x7f\0\0\4"sv));
  EXPECT_EQ(Kind::found, answer.kind);
  EXPECT_EQ(nothing, answer.failure);
  EXPECT_EQ("127.0.0.2 127.0.0.10 127.0.0.4", addresses(answer));
  EXPECT_EQ(30U, answer.ttl_seconds);
}

TEST(DnsMessage, an_ipv6_address_is_found) {
  const Answer answer = read(of(Type::aaaa).record(name, 28, 5, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"sv), Type::aaaa);
  EXPECT_EQ("2001:db8::1", addresses(answer));
}

TEST(DnsMessage, the_first_sixteen_addresses_are_kept) {
  Message many = of();
  for (char last = 1; last <= 100; ++last) many.a(name, 60, "\x7f\0\0"s + last);
  const Answer answer = read(many);
  EXPECT_EQ(16U, answer.addresses.size());
  EXPECT_TRUE(addresses(answer).ends_with("127.0.0.16"));
}

TEST(DnsMessage, of_thousands_of_records_the_first_ones_are_looked_at) {
  Message many = of();
  for (unsigned i = 0; i < max_looked_at; ++i) many.a("other.test", 60, listed);
  EXPECT_EQ(Kind::none, read(Message(many)).kind);
  Message found = of().a(name, 60, listed);
  for (unsigned i = 0; i < 4000; ++i) found.a("other.test", 60, listed);
  EXPECT_EQ("127.0.0.2", addresses(read(found)));
  many.a(name, 60, listed);  // one too late
  EXPECT_EQ(Kind::none, read(many).kind);
}

TEST(DnsMessage, the_name_may_differ_in_case) {
  EXPECT_EQ("127.0.0.2", addresses(read(Message(Type::a, "2.0.0.127.BL.test").a("2.0.0.127.bl.TEST", 60, listed))));
}

TEST(DnsMessage, records_of_other_names_types_and_classes_are_not_ours) {
  Message other = of().a("3.0.0.127.bl.test", 60, listed).record(name, 16, 60, "\1x").a(name, 60, listed);
  other.put(other.size() - 12, 3);  // the class of the last one
  const Answer answer = read(other);
  EXPECT_EQ(Kind::none, answer.kind);
  EXPECT_TRUE(answer.addresses.empty());
}

TEST(DnsMessage, aliases_are_followed_in_any_order) {
  EXPECT_EQ("127.0.0.2", addresses(read(of().cname(name, 60, "b.test").a("b.test", 60, listed))));
  const Answer answer = read(
      of().a("c.test", 60, listed).cname("b.test", 20, "C.test").cname(name, 60, "b.test").a("b.other", 9, listed));
  EXPECT_EQ("127.0.0.2", addresses(answer));
  EXPECT_EQ(20U, answer.ttl_seconds);  // the shortest on the way
}

TEST(DnsMessage, aliases_that_go_round_or_on_and_on_are_malformed) {
  EXPECT_EQ(failed(malformed), read(of().cname(name, 60, name)));
  EXPECT_EQ(failed(malformed), read(of().cname(name, 60, "b.test").cname("b.test", 60, name)));
  const auto chain = [](unsigned aliases) {
    Message message = of();
    const auto at = [](unsigned i) { return i == 0 ? std::string(name) : "n" + std::to_string(i); };
    for (unsigned i = 0; i < aliases; ++i) message.cname(at(i), 60, at(i + 1));
    return message.a(at(aliases), 60, listed);
  };
  EXPECT_EQ(Kind::found, read(chain(max_aliases)).kind);
  EXPECT_EQ(failed(malformed), read(chain(max_aliases + 1)));
}

TEST(DnsMessage, an_alias_that_leads_to_nothing_is_none) {
  const Answer answer = read(of().cname(name, 60, "b.test").soa("test", 500, 300));
  EXPECT_EQ(Kind::none, answer.kind);
  EXPECT_EQ(60U, answer.ttl_seconds);
}

// RFC 2308 5: the smaller one of the SOA's own TTL and its minimum
TEST(DnsMessage, none_is_kept_as_long_as_the_soa_says) {
  for (const unsigned flags : {0x8180U, 0x8183U}) {  // no data; no such name
    const auto none = [flags](std::uint32_t ttl, std::uint32_t minimum) {
      return read(of().put(2, flags).soa("bl.test", ttl, minimum));
    };
    EXPECT_EQ(Kind::none, none(100, 300).kind);
    EXPECT_EQ(100U, none(100, 300).ttl_seconds);
    EXPECT_EQ(300U, none(1000, 300).ttl_seconds);
    EXPECT_EQ(0U, none(0x80000000U, 300).ttl_seconds);
    EXPECT_EQ((Answer{.kind = Kind::none}), read(of().put(2, flags)));  // without one
  }
}

TEST(DnsMessage, a_name_that_does_not_exist_has_no_address_whatever_stands_there) {
  const Answer answer = read(of().put(2, 0x8183U).a(name, 60, listed));
  EXPECT_EQ((Answer{.kind = Kind::none}), answer);
}

// RFC 2181 8
TEST(DnsMessage, a_ttl_with_its_highest_bit_set_is_none) {
  EXPECT_EQ(0x7fffffffU, read(of().a(name, 0x7fffffffU, listed)).ttl_seconds);
  EXPECT_EQ(0U, read(of().a(name, 0x80000000U, listed)).ttl_seconds);
  EXPECT_EQ(0U, read(of().a(name, 0xffffffffU, listed)).ttl_seconds);
  EXPECT_EQ(0U, read(of().a(name, 0, listed)).ttl_seconds);
}

TEST(DnsMessage, a_server_that_does_not_answer_has_said_nothing) {
  for (unsigned code = 0; code < 16; ++code) {
    const Answer answer = read(of().put(2, 0x8180U | code).a(name, 60, listed));
    if (code != 0 && code != 3) {
      EXPECT_EQ(failed(code == 2 ? servfail : code == 5 ? refused : no_server), answer) << code;
    }
  }
}

TEST(DnsMessage, what_is_no_whole_answer_is_malformed) {
  for (const unsigned flags : {0x0180U, 0x8980U, 0x8380U, 0xf980U})  // a query; opcodes; truncated
    EXPECT_EQ(failed(malformed), read(of().put(2, flags).a(name, 60, listed))) << flags;
}

TEST(DnsMessage, an_answer_to_another_question_is_malformed) {
  EXPECT_EQ(failed(malformed), read(Message(Type::a, "x.test").a(name, 60, listed)));
  EXPECT_EQ(failed(malformed), read(of(Type::txt).a(name, 60, listed)));
  EXPECT_EQ(failed(malformed), read(of().put(4, 0).a(name, 60, listed)));
  EXPECT_EQ(failed(malformed), read(of().put(4, 2).a(name, 60, listed)));
  Message chaos = of();
  EXPECT_EQ(failed(malformed), read(chaos.put(chaos.size() - 2, 3)));
}

TEST(DnsMessage, an_address_of_another_length_is_malformed) {
  for (const std::string_view data : {""sv, "\x7f\0\0"sv, "\x7f\0\0\2\0"sv})
    EXPECT_EQ(failed(malformed), read(of().a(name, 60, data))) << data.size();
  EXPECT_EQ(failed(malformed), read(of().a(name, 60, listed).a(name, 60, "\x7f"sv)));
}

TEST(DnsMessage, a_message_that_is_cut_is_never_found) {
  const Message found = of().cname(name, 60, "b.test").a("b.test", 60, listed);
  const Message none = of().put(2, 0x8183U).soa("bl.test", 60, 60);
  for (const Message* const whole : {&found, &none})
    for (std::size_t size = 0; size < whole->size(); ++size)
      EXPECT_EQ(failed(malformed), read_answer(whole->view().first(size), Type::a, *Name::of(name))) << size;
}

TEST(DnsMessage, counts_that_promise_more_are_malformed) {
  EXPECT_EQ(failed(malformed), read(of().put(6, 0xffff)));
  EXPECT_EQ(failed(malformed), read(of().put(6, 2).a(name, 60, listed)));
  EXPECT_EQ(failed(malformed), read(of().put(8, 1)));
  EXPECT_EQ(Kind::found, read(of().put(10, 0xffff).a(name, 60, listed)).kind);  // what is additional is not read
}

TEST(DnsMessage, the_strings_of_a_text_are_joined) {
  const Answer answer =
      read(of(Type::txt).record(name, 16, 60, "\5Liste\2d,\0"sv).record(name, 16, 60, "\1x"), Type::txt);
  ASSERT_EQ(2U, answer.texts.size());
  EXPECT_EQ("Listed,", answer.texts[0]);
  EXPECT_EQ("x", answer.texts[1]);
}

TEST(DnsMessage, a_text_is_cut_and_there_are_sixteen_at_most) {
  std::string data;
  for (int i = 0; i < 8; ++i) data += '\xff' + std::string(255, static_cast<char>('a' + i));
  Message many = of(Type::txt);
  for (int i = 0; i < 20; ++i) many.record(name, 16, 60, data);
  const Answer answer = read(many, Type::txt);
  ASSERT_EQ(16U, answer.texts.size());
  EXPECT_EQ(std::string(255, 'a') + std::string(255, 'b') + "cc", answer.texts[0]);
}

TEST(DnsMessage, a_text_whose_strings_do_not_fit_is_malformed) {
  for (const std::string_view data : {""sv, "\5List"sv, "\1xy"sv, "\xff"sv})
    EXPECT_EQ(failed(malformed), read(of(Type::txt).record(name, 16, 60, data), Type::txt)) << data;
}

TEST(DnsMessage, names_of_hosts_are_found_and_others_are_as_none) {
  const Answer answer = read(of(Type::ptr).record(name, 12, 60, Message::wire("Mail.Test")), Type::ptr);
  ASSERT_EQ(1U, answer.texts.size());
  EXPECT_EQ("mail.test", answer.texts[0]);
  EXPECT_EQ(Kind::none, read(of(Type::ptr).record(name, 12, 60, "\3a\r\n\0"sv), Type::ptr).kind);
  EXPECT_EQ(failed(malformed), read(of(Type::ptr).record(name, 12, 60, "\1a\0x"sv), Type::ptr));
  EXPECT_EQ(failed(malformed), read(of(Type::ptr).record(name, 12, 60, "\1a"sv), Type::ptr));
}

TEST(DnsMessage, an_alias_with_octets_after_its_name_is_malformed) {
  EXPECT_EQ(failed(malformed), read(of().record(name, 5, 60, "\1b\0x"sv)));
}

}  // namespace
}  // namespace postern::dns
