// A policy service at the end of a message: what it is asked, and what each action means.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "ask/policy_request.hpp"
#include "filter/policy_service.hpp"

namespace postern::filter {
namespace {

using Kind = Verdict::Kind;

TEST(PolicyAtTheEnd, each_action) {
  const std::tuple<std::string, Kind, std::string> actions[] = {
      {"OK", Kind::accept, ""},
      {"permit", Kind::accept, ""},
      {"DUNNO", Kind::accept, ""},
      {"WARN look", Kind::accept, ""},
      {"INFO look", Kind::accept, ""},
      {"DEFER_IF_REJECT later", Kind::accept, ""},
      {"REJECT", Kind::refuse, "5.7.1 this message is refused"},
      {"REJECT 4.1.2 no", Kind::refuse, "5.1.2 no"},
      {"552 5.3.4 too much", Kind::refuse, "5.3.4 too much"},
      {"DEFER", Kind::defer, "4.7.1 this message is not taken now, try again later"},
      {"DEFER_IF_PERMIT rate", Kind::defer, "4.7.1 rate"},
      {"450 4.7.1 rate limit", Kind::defer, "4.7.1 rate limit"},
      {"DISCARD", Kind::discard, ""},
      {" discard quietly", Kind::discard, ""},
      {"DISCARDED", Kind::defer, ""},
      {"HOLD", Kind::defer, ""},
      {"REDIRECT a@b.example", Kind::defer, ""},
      {"FILTER smtp:x", Kind::defer, ""},
      {"BCC a@b.example", Kind::defer, ""},
      {"", Kind::defer, ""},
      {"REJCT", Kind::defer, ""}};
  for (const auto& [action, kind, words] : actions) {
    const Verdict verdict = verdict_of({.action = action});
    EXPECT_EQ(kind, verdict.kind) << action;
    EXPECT_EQ(words, verdict.words) << action;
    EXPECT_EQ(action, verdict.cause);
    EXPECT_TRUE(verdict.edits.are_none()) << action;
  }
  EXPECT_EQ(Kind::failed, verdict_of({.trouble = "timed out"}).kind);
  EXPECT_EQ("timed out", verdict_of({.trouble = "timed out"}).cause);
  EXPECT_TRUE(verdict_of({.trouble = "timed out"}).is_silent);
  EXPECT_FALSE(verdict_of({.trouble = "a malformed answer", .has_begun = true}).is_silent);
}

TEST(PolicyAtTheEnd, prepends_a_field) {
  const Verdict verdict = verdict_of({.action = "PREPEND X-Rate: 3 of 10"});
  ASSERT_EQ(Kind::accept, verdict.kind);
  ASSERT_EQ(1U, verdict.edits.header.size());
  const HeaderEdit& edit = verdict.edits.header.front();
  EXPECT_EQ(HeaderEdit::Kind::insert, edit.kind);
  EXPECT_EQ("X-Rate", edit.name);
  EXPECT_EQ(" 3 of 10", edit.value);
  EXPECT_EQ(0, edit.index);
  EXPECT_TRUE(verdict_of({.action = "PREPEND no field"}).edits.are_none());
}

TEST(PolicyAtTheEnd, is_asked_about_the_whole_message) {
  const std::vector<std::string> one{"a@x.example"}, two{"a@x.example", "b@x.example"};
  ask::PolicyMessage message{.helo = "client.example",
                             .sender = "me@sender.example",
                             .recipients = two,
                             .octets = 1234,
                             .id = "17-4",
                             .user = "jo\ne",
                             .mechanism = "PLAIN"};
  const ask::PolicyClient client{.address = "192.0.2.7",
                                 .port = "99",
                                 .server_address = {},
                                 .server_port = {},
                                 .tls_version = {},
                                 .tls_cipher = {},
                                 .session = {}};
  const std::string text = write_policy_request(message, client);
  for (const char* const line :
       {"request=smtpd_access_policy\n", "\nprotocol_state=END-OF-MESSAGE\n", "\nclient_address=192.0.2.7\n",
        "\nhelo_name=client.example\n", "\nsender=me@sender.example\n", "\nrecipient=\n", "\nrecipient_count=2\n",
        "\nqueue_id=17-4\n", "\ninstance=17-4\n", "\nsize=1234\n", "\nsasl_method=PLAIN\n", "\nsasl_username=jo?e\n"})
    EXPECT_TRUE(text.contains(line)) << line << text;
  EXPECT_TRUE(text.ends_with("\n\n"));
  message.recipients = one;
  EXPECT_TRUE(write_policy_request(message, client).contains("\nrecipient=a@x.example\nrecipient_count=1\n"));
}

}  // namespace
}  // namespace postern::filter
