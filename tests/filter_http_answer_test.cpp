// Answers of HTTP/1.1, without leniency. RFC 9112 4, 5, 6.3, 7.1.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "filter/http_answer.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using State = HttpAnswer::State;
constexpr std::size_t most_body = spec::max_filter_answer_octets;

// "200 body", "... partial", "! why"; octet by octet it is the same.
std::string told(std::string_view octets) {
  HttpAnswer whole(most_body), one_by_one(most_body);
  whole.add(octets);
  for (const char octet : octets) one_by_one.add({&octet, 1});
  EXPECT_EQ(whole.state(), one_by_one.state());
  EXPECT_EQ(whole.body(), one_by_one.body());
  EXPECT_EQ(whole.has_more(), one_by_one.has_more());
  if (whole.state() == State::malformed) return "! " + std::string(whole.why());
  if (whole.state() == State::partial) return "...";
  return std::to_string(whole.status()) + ' ' + whole.body() + (whole.has_more() ? " more" : "");
}

std::string answer(std::string_view fields, std::string_view body) {
  return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

TEST(HttpAnswer, has_a_length) {
  EXPECT_EQ("200 {}", told(answer("Content-Length: 2\r\n", "{}")));
  EXPECT_EQ("200 ", told(answer("content-length:0\r\n", "")));
  EXPECT_EQ("200 {}", told(answer("Content-Length: 2\r\nConnection: Close\r\n", "{}")));
  EXPECT_EQ("404 no", told("HTTP/1.0 404\r\nContent-Length: 2\r\n\r\nno"));
  EXPECT_EQ("200 {}", told("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}"));
  EXPECT_EQ("200 {} more", told(answer("Content-Length: 2\r\n", "{}H")));
}

TEST(HttpAnswer, or_is_chunked) {
  EXPECT_EQ("200 {\"a\":1}",
            told(answer("Transfer-Encoding: chunked\r\n", "3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\nX: y\r\n\r\n")));
  EXPECT_EQ("...", told(answer("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n")));
  EXPECT_EQ("! a chunk that is longer than it says", told(answer("Transfer-Encoding: chunked\r\n", "2\r\n{}}\r\n")));
  for (const char* const size : {"", "g", "-1", "+1", "0x1", "123456789", " ; "})
    EXPECT_EQ("! a chunk without a size", told(answer("Transfer-Encoding: chunked\r\n", size + std::string("\r\n"))))
        << size;
}

TEST(HttpAnswer, is_partial_until_its_end) {
  const std::string whole = answer("Content-Length: 4\r\n", "null");
  for (std::size_t octets = 0; octets < whole.size(); ++octets) EXPECT_EQ("...", told(whole.substr(0, octets)));
}

TEST(HttpAnswer, two_lengths_or_none_are_no_answer) {
  const std::string lengths = "! no length of the body, or two";
  EXPECT_EQ(lengths, told(answer("", "")));
  EXPECT_EQ(lengths, told(answer("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "")));
  EXPECT_EQ("! a length that is none, or a second one", told(answer("Content-Length: 2\r\nContent-Length: 2\r\n", "")));
  for (const char* const length : {"", "-1", "+2", "2 2", "0x2", "2,2", "99999999999"})
    EXPECT_EQ("! a length that is none, or a second one",
              told(answer(std::string("Content-Length: ") + length + "\r\n", "")));
  EXPECT_EQ("! a transfer coding that is not known", told(answer("Transfer-Encoding: gzip, chunked\r\n", "")));
  EXPECT_EQ("! a transfer coding that is not known",
            told(answer("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "")));
  EXPECT_EQ("! a body that is encoded", told(answer("Content-Encoding: zstd\r\n", "")));
}

TEST(HttpAnswer, other_octets_are_no_answer) {
  for (const char* const line :
       {"HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000", "HTTP/1.1  200", "http/1.1 200 OK", "SSH-2.0", ""})
    EXPECT_EQ("! no status line of HTTP/1.1", told(line + std::string("\r\n"))) << line;
  EXPECT_EQ("! an answer before the answer", told("HTTP/1.1 100 Continue\r\n"));
  EXPECT_EQ("! a line that does not end with CRLF alone", told("HTTP/1.1 200 OK\n"));
  EXPECT_EQ("! a line that does not end with CRLF alone", told("HTTP/1.1 200\r OK\r\n"));
  EXPECT_EQ("! a line that does not end with CRLF alone", told(std::string("HTTP/1.1 200 \0\r\n", 16)));
  for (const char* const field : {"no colon", " folded: x", "a b: c", ": c", "a : c"})
    EXPECT_EQ("! a line that is no field", told(answer(field + std::string("\r\n"), ""))) << field;
}

TEST(HttpAnswer, is_bounded) {
  EXPECT_EQ("! a head that is too long", told(std::string(spec::max_filter_answer_header_octets + 1, 'x')));
  EXPECT_EQ("! a head that is too long",
            told(answer("X: " + std::string(spec::max_filter_answer_header_octets, 'x') + "\r\n", "")));
  const std::size_t most = most_body;
  EXPECT_EQ("...", told(answer("Content-Length: " + std::to_string(most) + "\r\n", "")));
  EXPECT_EQ("! a body that is too long", told(answer("Content-Length: " + std::to_string(most + 1) + "\r\n", "")));
  std::string chunks;
  for (std::size_t i = 0; i < most / 65536; ++i) chunks += "10000\r\n" + std::string(65536, 'x') + "\r\n";
  EXPECT_TRUE(told(answer("Transfer-Encoding: chunked\r\n", chunks + "0\r\n\r\n")).starts_with("200 "));
  EXPECT_EQ("! a body that is too long", told(answer("Transfer-Encoding: chunked\r\n", chunks + "1\r\n")));
}

}  // namespace
}  // namespace postern::filter
