// What rspamd is asked, and what its answers mean.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "filter/rspamd_answer.hpp"
#include "filter/rspamd_conversation.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using Kind = Verdict::Kind;
using State = base::ClientProtocol::State;
constexpr base::Time now{};

std::string written(const HeaderEdit& edit) {
  const char* const kinds[] = {"add ", "insert ", "change ", "remove "};
  const bool has_index = edit.kind != HeaderEdit::Kind::add;
  const bool has_value = edit.kind != HeaderEdit::Kind::remove;
  return kinds[static_cast<int>(edit.kind)] + edit.name + (has_index ? ' ' + std::to_string(edit.index) : "") +
         (has_value ? ':' + edit.value : "");
}

// "accept add X: 1; ..."
std::string told(std::string_view json) {
  const char* const kinds[] = {"accept", "refuse", "defer", "discard", "failed"};
  const Verdict verdict = verdict_of_rspamd(json);
  std::string text = kinds[static_cast<int>(verdict.kind)];
  if (verdict.kind == Kind::failed) return text + " " + verdict.cause;
  if (verdict.kind == Kind::refuse || verdict.kind == Kind::defer) return text + " " + verdict.words;
  for (const HeaderEdit& edit : verdict.edits.header) text += "; " + written(edit);
  if (verdict.edits.reverse_path) text += "; from <" + *verdict.edits.reverse_path + ">";
  for (const std::string& path : verdict.edits.more_recipients) text += "; +" + path;
  for (const std::string& path : verdict.edits.fewer_recipients) text += "; -" + path;
  if (verdict.quarantine) text += "; quarantine " + *verdict.quarantine;
  return text;
}

TEST(RspamdAnswer, each_action) {
  EXPECT_EQ("accept", told(R"({"action":"no action"})"));
  EXPECT_EQ("refuse 5.7.1 Spam message rejected", told(R"({"action":"reject"})"));
  EXPECT_EQ("refuse 5.7.1 Gtube pattern", told(R"({"action":"reject","messages":{"smtp_message":"Gtube pattern"}})"));
  EXPECT_EQ("refuse 5.2.1 no", told(R"({"action":"reject","messages":{"smtp_message":"4.2.1 no"}})"));
  EXPECT_EQ("defer 4.7.1 Try again later", told(R"({"action":"soft reject","messages":{}})"));
  EXPECT_EQ("defer 4.7.1 Try again later", told(R"({"action":"greylist","messages":{"smtp_message":""}})"));
  EXPECT_EQ("defer 4.7.1 two lines??of words",
            told(R"({"action":"greylist","messages":{"smtp_message":"two lines\r\nof words"}})"));
  EXPECT_EQ("accept; remove X-Spam 0; add X-Spam: Yes", told(R"({"action":"add header"})"));
  EXPECT_EQ("accept; change Subject 1: [SPAM] hi", told(R"({"action":"rewrite subject","subject":"[SPAM] hi"})"));
  EXPECT_EQ("accept", told(R"({"action":"rewrite subject"})"));
  EXPECT_EQ("discard", told(R"({"action":"discard"})"));
  EXPECT_EQ("accept; quarantine quarantine 9.00/15.00",
            told(R"({"action":"quarantine","score":9,"required_score":15.0})"));
}

TEST(RspamdAnswer, a_refusal_may_be_something_else) {
  EXPECT_EQ("discard", told(R"({"action":"reject","milter":{"reject":"discard"}})"));
  EXPECT_EQ("accept; quarantine reject 20.00/15.00",
            told(R"({"action":"reject","score":20,"required_score":15,"milter":{"reject":"quarantine"}})"));
  EXPECT_EQ("refuse 5.7.1 Spam message rejected", told(R"({"action":"reject","milter":{"reject":"other"}})"));
  EXPECT_EQ("accept", told(R"({"action":"reject","milter":{"no_action":true}})"));
  EXPECT_EQ("refuse 5.7.1 Spam message rejected", told(R"({"action":"reject","milter":{"no_action":false}})"));
}

TEST(RspamdAnswer, the_milter_block_and_signatures_are_edits) {
  EXPECT_EQ(
      "accept; remove X-Bad 0; remove X-Sub 1; remove X-Sub -1; insert X-One 1: 1; insert X-Three 0: c; add X-Three: "
      "d; "
      "add X-Two: a; add X-Two: b; from <new@example.org>; +x@example.org; -y@example.org",
      told(R"({"action":"no action","milter":{"add_headers":{"X-One":{"order":1,"value":"1"},"X-Two":["a","b"],
                     "X-Three":[{"order":0,"value":"c"},{"value":"d"}]},"change_from":"new@example.org",
                     "remove_headers":{"X-Sub":[1,-1],"X-Bad":0},"add_rcpt":["x@example.org"],"del_rcpt":"y@example.org"}})"));
  EXPECT_EQ("accept; insert DKIM-Signature 1: v=1;\n\ta=b",
            told("{\"action\":\"no action\",\"dkim-signature\":\"v=1;\\r\\n\\ta=b\\r\\n\"}"));
  EXPECT_EQ("accept; insert DKIM-Signature 1: a; insert DKIM-Signature 1: b",
            told(R"({"action":"no action","dkim-signature":["a","b"]})"));
  EXPECT_EQ("accept; from <>", told(R"({"action":"no action","milter":{"change_from":""}})"));
  EXPECT_EQ("accept", told(R"({"action":"no action","milter":{"change_from":null}})"));
  EXPECT_EQ(
      "accept; remove X 100000; remove X -100000",
      told(R"({"action":"no action","milter":{"remove_headers":{"X":[18446744073709551615,-9223372036854775808]}}})"));
}

TEST(RspamdAnswer, what_is_no_answer_is_never_taken) {
  for (const char* const text : {"", "null", "[]", "{", "{}}", "{'action':'no action'}", "{\"action\":\"no action\"} x",
                                 "\"no action\"", "{\"action\":\"\xFF\"}"})
    EXPECT_EQ("failed an answer that is no JSON", told(text)) << text;
  EXPECT_EQ("failed an answer without an action", told("{}"));
  EXPECT_EQ("failed an answer without an action", told(R"({"error":"cannot process"})"));
  EXPECT_EQ("failed an answer without an action", told(R"({"action":null})"));
  EXPECT_EQ("failed an action that is not known: dance", told(R"({"action":"dance"})"));
  EXPECT_EQ("failed an action that is not known: No action", told(R"({"action":"No action"})"));
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"messages", R"("messages":[])"},
      {"smtp_message", R"("messages":{"smtp_message":5})"},
      {"milter", R"("milter":"x")"},
      {"score", R"("score":"x")"},
      {"add_headers", R"("milter":{"add_headers":["X"]})"},
      {"add_headers", R"("milter":{"add_headers":{"X":5}})"},
      {"value", R"("milter":{"add_headers":{"X":{"value":5}}})"},
      {"order", R"("milter":{"add_headers":{"X":{"value":"a","order":"b"}}})"},
      {"remove_headers", R"("milter":{"remove_headers":{"X":1.5}})"},
      {"add_rcpt", R"("milter":{"add_rcpt":[1]})"},
      {"change_from", R"("milter":{"change_from":{}})"},
      {"reject", R"("milter":{"reject":true})"},
      {"dkim-signature", R"("dkim-signature":{})"}};
  for (const auto& [member, json] : wrong)
    EXPECT_EQ("failed an answer whose member " + member + " is of another type",
              told("{\"action\":\"no action\"," + json + "}"));
  EXPECT_EQ("failed an answer whose member action is of another type", told(R"({"action":["reject"]})"));
}

TEST(RspamdAnswer, a_member_that_is_there_twice_means_nothing) {
  EXPECT_EQ("failed an answer that says action twice", told(R"({"action":"reject","action":"no action"})"));
  EXPECT_EQ("failed an answer that says action twice", told(R"({"action":"no action","action":"reject"})"));
  EXPECT_EQ("failed an answer that says milter twice", told(R"({"action":"no action","milter":{},"milter":{}})"));
  EXPECT_EQ("accept", told(R"({"action":"no action","messages":{"action":"reject"},"urls":[{"action":1}],"urls":2})"));
}

TEST(RspamdAnswer, deep_ones_harm_nobody) {
  const std::size_t half = spec::max_filter_answer_octets / 2;
  EXPECT_EQ("failed an answer that is no JSON", told(std::string(half, '[')));
  EXPECT_EQ("failed an answer that is no JSON", told(std::string(half, '[') + std::string(half, ']')));
}

TEST(RspamdSubject, rfc_2047_2_and_5_words_of_what_is_not_ascii) {
  EXPECT_EQ("plain", encoded_subject("plain"));
  EXPECT_EQ("=?UTF-8?B?w6Q=?=", encoded_subject("\xC3\xA4"));
  EXPECT_EQ("=?UTF-8?B?YQpi?=", encoded_subject("a\nb"));
  std::string many;
  for (int i = 0; i < 40; ++i) many += "\xE2\x82\xAC";
  const std::string words = encoded_subject(many);
  for (std::size_t begin = 0; begin < words.size();) {
    const std::size_t end = std::min(words.find('\n', begin), words.size());
    EXPECT_LE(end - begin, 76U);
    begin = end + 1;
  }
  EXPECT_EQ(2, std::ranges::count(words, '\n'));  // 45 octets a word
}

class Asked : public testing::Test {
 protected:
  void begin(std::string_view mail_data) {
    mail_.clear();
    mail_.write(mail_data);
    message_.mail = &mail_;
    conversation_.begin(message_, "", now + std::chrono::seconds(60));
  }
  std::string send_all() {
    std::string sent;
    while (!conversation_.output().empty()) {
      const std::size_t some = std::min<std::size_t>(conversation_.output().size(), 1000);
      sent += conversation_.output().substr(0, some);
      conversation_.sent(some, now);
    }
    return sent;
  }
  std::string cause() { return conversation_.take_verdict().cause; }

  FilterMessage message_{.envelope = {.forward_paths = {"c@d.example"}}, .id = "1-2"};
  RspamdConversation conversation_;

 private:
  base::MailSpool mail_{"/tmp"};
};

const std::string fine = "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"action\":\"no action\"}";

TEST_F(Asked, rspamd_is_told_who_sends_what) {
  message_ = {.client = {.address = "192.0.2.7",
                         .port = "4711",
                         .name = "client.example",
                         .helo = "he\x01lo\r\nRcpt: x",
                         .user = "joe",
                         .tls_version = "TLSv1.3",
                         .tls_cipher = "TLS_AES_256_GCM_SHA384"},
              .envelope = {.reverse_path = "a@b.example", .forward_paths = {"c@d.example", "e@f.example"}},
              .host = "mx.example.org",
              .id = "1700000000-1"};
  base::MailSpool mail("/tmp");
  message_.mail = &mail;
  EXPECT_EQ(
      "POST /checkv2 HTTP/1.1\r\nHost: rspamd\r\nUser-Agent: postern\r\nConnection: close\r\nContent-Length: 0\r\n"
      "IP: 192.0.2.7\r\nHelo: he?lo??Rcpt: x\r\nHostname: client.example\r\nFrom: <a@b.example>\r\nRcpt: "
      "<c@d.example>\r\n"
      "Rcpt: <e@f.example>\r\nUser: joe\r\nQueue-ID: 1700000000-1\r\nMTA-Name: mx.example.org\r\nMTA-Tag: postern\r\n"
      "TLS-Version: TLSv1.3\r\nTLS-Cipher: TLS_AES_256_GCM_SHA384\r\nSettings-ID: outgoing\r\n\r\n",
      rspamd_request(message_, "outgoing"));
}

TEST_F(Asked, what_is_not_known_is_not_said) {
  begin("A: 1\n\nb\n");
  EXPECT_EQ(
      "POST /checkv2 HTTP/1.1\r\nHost: rspamd\r\nUser-Agent: postern\r\nConnection: close\r\nContent-Length: "
      "11\r\n"
      "From: <>\r\nRcpt: <c@d.example>\r\nQueue-ID: 1-2\r\nMTA-Tag: postern\r\n\r\nA: 1\r\n\r\nb\r\n",
      send_all());
  EXPECT_EQ(State::busy, conversation_.state());
  conversation_.receive(fine, now);
  EXPECT_EQ(State::ended, conversation_.state());
  EXPECT_EQ(Kind::accept, conversation_.take_verdict().kind);
}

TEST_F(Asked, as_many_octets_are_sent_as_are_announced) {
  for (const std::string& mail : {std::string(), std::string("\n"), std::string("no end"), std::string(100'000, '\n'),
                                  std::string(16384, 'x') + "\n", std::string(70'000, 'x')}) {
    begin(mail);
    const std::string sent = send_all();
    const std::size_t at = sent.find("Content-Length: ") + 16;
    EXPECT_EQ(std::stoul(sent.substr(at)), sent.size() - sent.find("\r\n\r\n") - 4) << mail.size();
    EXPECT_TRUE(mail.empty() || sent.ends_with("\r\n"));
    conversation_.receive(fine, now);
  }
}

TEST_F(Asked, an_answer_that_comes_in_pieces_is_one) {
  begin("A: 1\n\n");
  send_all();
  for (const char octet : fine) conversation_.receive({&octet, 1}, now);
  EXPECT_EQ(Kind::accept, conversation_.take_verdict().kind);
}

TEST_F(Asked, an_answer_before_its_question_is_none) {
  begin("A: 1\n\n");
  conversation_.receive(fine, now);
  EXPECT_EQ(State::ended, conversation_.state());
  EXPECT_EQ("an answer before the whole question", cause());
  begin("A: 1\n\n");
  conversation_.receive(fine.substr(0, 1), now);
  EXPECT_EQ(State::ended, conversation_.state());
  EXPECT_EQ("an answer before the whole question", cause());
}

TEST_F(Asked, other_statuses_are_failures) {
  begin("A: 1\n\n");
  send_all();
  conversation_.receive("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}", now);
  EXPECT_EQ(State::ended, conversation_.state());
  EXPECT_EQ("HTTP status 503", cause());
}

TEST_F(Asked, an_answer_that_another_follows_is_none) {
  begin("A: 1\n\n");
  send_all();
  conversation_.receive(fine + "x", now);
  EXPECT_EQ(State::ended, conversation_.state());
  EXPECT_EQ("something after the answer", cause());
}

// rspamd lists each URL and each address of a message.
TEST_F(Asked, an_answer_may_grow_with_its_message) {
  const auto answer_with = [](std::size_t octets) {
    const std::string json = R"({"action":"reject","urls":[")" + std::string(octets - 31, 'u') + "\"]}";
    EXPECT_EQ(octets, json.size());
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(json.size()) + "\r\n\r\n" + json;
  };
  for (const std::size_t octets : {10UZ, 100'000UZ, 3'000'000UZ}) {
    begin(std::string(octets, 'x'));
    const std::size_t most = std::min(spec::max_filter_answer_octets + 8 * octets, 16UZ * 1024 * 1024);
    send_all();
    conversation_.receive(answer_with(most), now);
    EXPECT_EQ(Kind::refuse, conversation_.take_verdict().kind) << octets;
    begin(std::string(octets, 'x'));
    send_all();
    conversation_.receive(answer_with(most + 1), now);
    const Verdict verdict = conversation_.take_verdict();
    EXPECT_EQ("a body that is too long", verdict.cause);
    EXPECT_FALSE(verdict.is_silent);
  }
}

TEST_F(Asked, silence_is_told_from_half_an_answer) {
  for (const auto kind : {base::StreamFailure::Kind::closed, base::StreamFailure::Kind::timed_out}) {
    begin("A: 1\n\n");
    conversation_.fail({.kind = kind});
    EXPECT_FALSE(conversation_.may_repeat());
    EXPECT_EQ(State::ended, conversation_.state());
    EXPECT_TRUE(conversation_.take_verdict().is_silent);
    begin("A: 1\n\n");
    send_all();
    conversation_.receive("H", now);
    conversation_.fail({.kind = kind});
    const Verdict verdict = conversation_.take_verdict();
    EXPECT_FALSE(verdict.is_silent);
    EXPECT_TRUE(verdict.cause.starts_with("an answer without an end, ")) << verdict.cause;
  }
}

}  // namespace
}  // namespace postern::filter
