// The grammar against its slow and obvious twins, on random input.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "grammar/alphabets.hpp"
#include "grammar/command.hpp"
#include "grammar/mail_data.hpp"
#include "testing/naive_command.hpp"
#include "testing/naive_mail_data.hpp"

namespace postern::proptests {
namespace {

using grammar::parse_command;

rc::Gen<std::string> concatenated(const rc::Gen<std::vector<std::string>>& parts) {
  return rc::gen::map(parts, [](const std::vector<std::string>& strings) {
    std::string whole;
    for (const auto& part : strings) whole += part;
    return whole;
  });
}

// What command lines are made of, in any order: most lines are wrong, and wrong late.
rc::Gen<std::string> line_of_fragments() {
  const auto head = rc::gen::element<std::string>("MAIL FROM:", "RCPT TO:", "MAIL FROM: <", "RCPT TO:<", "MAIL FROM:<",
                                                  "RCPT TO:<a@", "MAIL FROM:<a@b> ", "RCPT TO:<a@[IPv6:", "AUTH ", "");
  const auto fragment = rc::gen::element<std::string>(
      "<", ">", "@", ".", ",", ":", "::", "a", "b.c", "\"", "\\", "-", "1", "255", "256", "[", "]", "[1.2.3.4]",
      "IPv6:", "ffff", "tag:", "<>", "<postmaster>", "postmaster", " ", "  ", "SIZE=", "BODY=", "AUTH=", "7BIT",
      "8BITMIME", "+2B", "+", "=", "\t", " \t", "_", "..", "\x7F", "\xC3\xA4", "1:2:3", "a@b", "<a@b>", "EHLO", "QUIT");
  return rc::gen::map(rc::gen::pair(head, concatenated(rc::gen::container<std::vector<std::string>>(fragment))),
                      [](const auto& both) { return both.first + both.second; });
}

rc::Gen<std::string> mutated_line() {
  const auto line = rc::gen::element<std::string>(
      "MAIL FROM:<a.b@example.org> SIZE=1024 BODY=8BITMIME AUTH=a+2Bc",
      "RCPT TO:<@x,@y:\"a\\\" b\"@[IPv6:1:2::3:4.5.6.7]>", "RCPT TO:<a@[IPv6:1:2:3:4:5:6:7:8]>",
      "RCPT TO:<a@[10.0.255.249]>", "MAIL FROM:  a@b-c.d  ", "RCPT TO:<.a..b.@c_d>", "AUTH LOGIN dGlt \t",
      "RCPT TO:<postmaster>", "EHLO client.example.org", "AUTH PLAIN AGFsAGFs", "STARTTLS",
      "MAIL FROM:<> AUTH=<> SIZE=18446744073709551615");
  const auto edit = rc::gen::tuple(rc::gen::inRange(0, 80), rc::gen::inRange(0, 3), rc::gen::arbitrary<char>());
  return rc::gen::map(
      rc::gen::pair(line, rc::gen::resize(4, rc::gen::container<std::vector<std::tuple<int, int, char>>>(edit))),
      [](const auto& both) {
        std::string text = both.first;
        for (const auto& [at, removed, octet] : both.second) {
          const auto place = std::min(static_cast<std::size_t>(at), text.size());
          text.replace(place, static_cast<std::size_t>(removed), 1, octet);
        }
        return text;
      });
}

void agrees_with_the_slow_parsers(const std::string& line) {
  const auto fast = parse_command(line);
  const auto slow = testing::read_command(line);
  const auto by_octets = parse_command_over(grammar::Octets{}, line);
  RC_ASSERT(fast.has_value() == slow.has_value());
  RC_ASSERT(fast.has_value() == by_octets.has_value());
  if (fast) {
    RC_ASSERT(testing::owned(*fast) == *slow);
    RC_ASSERT(testing::owned(*fast) == testing::owned(*by_octets));
  } else {
    RC_ASSERT(fast.error() == slow.error());
    RC_ASSERT(fast.error() == by_octets.error());
  }
}

RC_GTEST_PROP(grammar, lines_of_fragments_are_read_as_the_abnf_reads_them, ()) {
  agrees_with_the_slow_parsers(*line_of_fragments());
}

RC_GTEST_PROP(grammar, mutated_lines_are_read_as_the_abnf_reads_them, ()) {
  agrees_with_the_slow_parsers(*mutated_line());
}

RC_GTEST_PROP(grammar, arbitrary_lines_are_read_as_the_abnf_reads_them, (const std::string& line)) {
  agrees_with_the_slow_parsers(line);
}

rc::Gen<std::string> mail_octets() {
  const auto fragment = rc::gen::element<std::string>("\r\n", "\r\n", "\r\n.", "\r", "\n", ".", "a",
                                                      std::string(1, '\0'), "Received:", "Delivered-To: x", "\r\n\r\n",
                                                      std::string(62, 'b'), std::string(130, 'c'), "\r\n..");
  return concatenated(rc::gen::container<std::vector<std::string>>(fragment));
}

RC_GTEST_PROP(grammar, mail_data_is_decoded_as_the_rfc_tells_wherever_it_is_cut, ()) {
  const std::string octets = *mail_octets();
  const auto cuts = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, octets.size() + 1));
  std::vector<std::size_t> ends = cuts;
  std::sort(ends.begin(), ends.end());
  ends.push_back(octets.size());
  grammar::MailData data;
  testing::NaiveMailData seen;
  for (const std::size_t end : ends) {
    if (seen.ended) break;
    std::string out(end - seen.consumed + 2, '\0');
    const auto piece = data.decode(std::string_view(octets).substr(seen.consumed, end - seen.consumed), out);
    seen.text.append(out, 0, piece.written);
    seen.consumed += piece.consumed;
    seen.ended = piece.ended;
  }
  seen.saw_bare_cr = data.saw_bare_cr();
  seen.saw_bare_lf = data.saw_bare_lf();
  seen.saw_nul = data.saw_nul();
  seen.hops = data.hops();
  RC_ASSERT(seen == testing::read_mail_data(octets));
}

}  // namespace
}  // namespace postern::proptests
