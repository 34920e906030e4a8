#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/policy_inquiry_case.hpp"

namespace postern::ask {
namespace {

using spec::Event;
namespace bit = spec::bit;

TEST_F(PolicyServices, are_asked_in_order_until_one_decides) {
  struct Case {
    std::vector<std::string> answers;
    Event event;
    std::string text;
    std::size_t asked;
  };
  const std::string user = "user@ours.example";
  const Case cases[] = {
      {{"DUNNO", "DUNNO", "DUNNO"}, Event::recipient_ours, user, 3},
      {{"OK", "REJECT"}, Event::recipient_ours, user, 1},
      {{"DUNNO", "REJECT no", "OK"}, Event::recipient_policy_refused, "5.7.1 no", 2},
      {{"DEFER later"}, Event::recipient_policy_deferred, "4.7.1 later", 1},
      {{"DEFER_IF_PERMIT grey", "DUNNO", "DUNNO"}, Event::recipient_policy_deferred, "4.7.1 grey", 3},
      {{"DEFER_IF_PERMIT grey", "OK"}, Event::recipient_policy_deferred, "4.7.1 grey", 2},
      {{"DEFER_IF_PERMIT grey", "REJECT no"}, Event::recipient_policy_refused, "5.7.1 no", 2},
      {{"DEFER_IF_REJECT soft", "DUNNO", "DUNNO"}, Event::recipient_ours, user, 3},
      {{"DEFER_IF_REJECT soft", "REJECT no"}, Event::recipient_policy_deferred, "4.7.1 soft", 2},
      {{"WARN x", "INFO y", "PREPEND X: z"}, Event::recipient_ours, user, 3},
      {{"!"}, Event::recipient_policy_failed, user, 1},
      {{"HOLD"}, Event::recipient_policy_failed, user, 1},
      {{"DISCARD"}, Event::recipient_policy_failed, user, 1},
      {{"whatever"}, Event::recipient_policy_failed, user, 1},
  };
  for (const Case& each : cases) {
    const engine::Answer answer = answer_to(each.answers);
    EXPECT_EQ(each.event, answer.event) << each.answers.back();
    EXPECT_EQ(each.text, answer.text);
    EXPECT_EQ(each.asked, asked_) << each.answers.back();
  }
}

// accept is for a service that does not answer, never for an answer that asks for something else.
TEST_F(PolicyServices, that_fail_are_passed_over_only_where_the_operator_says_so) {
  start_.takes_unjudged = true;
  EXPECT_EQ(Event::recipient_policy_waived, answer_to({"!", "!", "!"}).event);
  EXPECT_EQ(Event::recipient_policy_waived, answer_to({"DUNNO", "!", "OK"}).event);
  EXPECT_EQ("user@ours.example", answer_to({"!", "OK"}).text);
  EXPECT_EQ(Event::recipient_policy_refused, answer_to({"!", "REJECT"}).event);
  EXPECT_EQ(Event::recipient_policy_deferred, answer_to({"DEFER_IF_PERMIT x", "!", "DUNNO"}).event);
  for (const char* other :
       {"DISCARD", "HOLD", "FILTER x:y", "REDIRECT a@b.example", "BCC a@b.example", "REJCT", "", "?"}) {
    EXPECT_EQ(Event::recipient_policy_failed, answer_to({other}).event) << other;
    EXPECT_EQ(Event::recipient_policy_failed, answer_to({"!", other, "OK"}).event) << other;
  }
}

TEST_F(PolicyServices, what_they_say_is_remarked_but_for_no_opinion) {
  static_cast<void>(answer_to({"DUNNO", "PREPEND X: y", "REJECT no"}));
  ASSERT_EQ(2, inquiry_->remarks().size());
  EXPECT_EQ("tcp:127.0.0.1:2", inquiry_->remarks()[0].service);
  EXPECT_EQ("PREPEND X: y", inquiry_->remarks()[0].text);
  EXPECT_EQ("unix:/three", inquiry_->remarks()[1].service);
  EXPECT_EQ(std::vector<std::string>{"X: y\n"}, inquiry_->header_fields());
  using Kind = PolicyRemark::Kind;
  for (const auto& [answer, kind] : {std::pair("!", Kind::silent), std::pair("?", Kind::malformed)}) {
    static_cast<void>(answer_to({answer}));
    ASSERT_EQ(1, inquiry_->remarks().size());
    EXPECT_EQ(kind, inquiry_->remarks()[0].kind);
    EXPECT_EQ("why", inquiry_->remarks()[0].text);
  }
}

TEST_F(PolicyServices, that_refuse_or_fail_are_named) {
  const std::string one = "unix:/one", two = "tcp:127.0.0.1:2", three = "unix:/three";
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"DUNNO", "REJECT", "OK"}, two},
      {{"DEFER"}, one},
      {{"DEFER_IF_PERMIT x", "DEFER_IF_PERMIT y", "OK"}, one},
      {{"DEFER_IF_PERMIT x", "DUNNO", "REJECT"}, three},
      {{"DEFER_IF_REJECT x", "DUNNO", "REJECT"}, one},
      {{"DUNNO", "!"}, two},
      {{"DUNNO", "DUNNO", "HOLD"}, three},
      {{"OK"}, ""},
      {{"DUNNO", "DUNNO", "DUNNO"}, ""},
  };
  for (const auto& [answers, service] : cases) {
    static_cast<void>(answer_to(answers));
    EXPECT_EQ(service, inquiry_->said_by()) << answers.back();
  }
}

TEST_F(PolicyServices, a_recipient_that_is_taken_unjudged_is_remarked) {
  start_.takes_unjudged = true;
  static_cast<void>(answer_to({"DUNNO", "!", "!"}));
  ASSERT_EQ(3, inquiry_->remarks().size());
  EXPECT_EQ(PolicyRemark::Kind::waived, inquiry_->remarks()[2].kind);
  EXPECT_EQ("tcp:127.0.0.1:2", inquiry_->remarks()[2].service);
  EXPECT_EQ("", inquiry_->said_by());
  static_cast<void>(answer_to({"!", "REJECT"}));
  for (const PolicyRemark& each : inquiry_->remarks()) EXPECT_NE(PolicyRemark::Kind::waived, each.kind);
}

TEST_F(PolicyServices, are_asked_about_recipients_that_all_else_would_take_of_strangers_alone) {
  Finding finding{.answer = {Event::recipient_ours, "user@ours.example"}};
  EXPECT_TRUE(asks_policy_services(finding, start_, session_));
  for (const Event other :
       {Event::recipient_foreign, Event::recipient_unknown, Event::recipient_unknowable, Event::recipient_refused,
        Event::recipient_client_listed, Event::recipient_program_refused}) {
    finding.answer.event = other;
    EXPECT_FALSE(asks_policy_services(finding, start_, session_)) << spec::name_of(other);
  }
  finding.answer.event = Event::recipient_ours;
  const engine::LoneSession relays({.settings_and_facts = {bit::relay_client}, .host = "mx.example.org"});
  EXPECT_FALSE(asks_policy_services(finding, start_, relays));
  start_.policy_services.clear();
  EXPECT_FALSE(asks_policy_services(finding, start_, session_));
}

TEST_F(PolicyServices, find_all_attributes_of_rcpt) {
  EXPECT_EQ(
      "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.1\n"
      "client_name=unknown\nclient_port=4711\nreverse_client_name=unknown\nserver_address=192.0.2.2\nserver_port=25\n"
      "helo_name=client.example\nsender=me@sender.example\nrecipient=user@ours.example\nrecipient_count=0\nqueue_id=\n"
      "instance=a.b.1\nsize=1234\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\n"
      "ccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\nencryption_cipher=\n"
      "encryption_keysize=0\npolicy_context=\n\n",
      inquiry().request());
}

// postgrey and policyd-spf take recipients of one instance for those of one message.
TEST_F(PolicyServices, find_one_instance_for_each_transaction) {
  const auto instance = [this] {
    const std::string request(inquiry().request());
    const std::size_t begin = request.find("\ninstance=") + 10;
    return request.substr(begin, request.find('\n', begin) - begin);
  };
  static_cast<void>(session_.report(Event::recipient_ours, "user@ours.example"));
  const std::string first = instance();
  say("RCPT TO:<other@ours.example>\r\n");
  EXPECT_EQ(first, instance());
  static_cast<void>(session_.report(Event::recipient_ours, "other@ours.example"));
  say("MAIL FROM:<second@sender.example>\r\n");  // refused: one is open
  EXPECT_EQ(first, instance());
  EXPECT_TRUE(inquiry().request().contains("\nsize=1234\n"));
  say("RSET\r\n");
  say("MAIL FROM:<>\r\n");
  EXPECT_NE(first, instance());
  EXPECT_TRUE(inquiry().request().contains("\nsender=\n"));
  EXPECT_TRUE(inquiry().request().contains("\nsize=0\n"));
}

TEST_F(PolicyServices, find_no_value_that_is_a_line_of_its_own) {
  client_.tls_cipher = std::string("a\nsasl_username=admin\r\n\n\0=b", 27);
  client_.host = "x\ny";
  const std::string request(inquiry({Event::recipient_ours, "a\nb=c@ours.example"}).request());
  EXPECT_TRUE(
      request.contains("\nencryption_cipher=a?sasl_username=admin??"
                       "??"
                       "=b\n"))
      << request;
  EXPECT_TRUE(request.contains("\nreverse_client_name=x?y\n"));
  EXPECT_TRUE(request.contains("\nrecipient=a?b=c@ours.example\n"));
  EXPECT_EQ(request.size() - 2, request.find("\n\n"));
  EXPECT_EQ(30, std::ranges::count(request, '\n'));
  EXPECT_FALSE(request.contains('\0'));
}

TEST_F(PolicyServices, find_a_name_as_confirmed_where_it_is) {
  client_.host = "mail.example";
  const auto has = [this](std::string_view name, std::string_view reverse) {
    return inquiry().request().contains("\nclient_name=" + std::string(name) + "\n") &&
           inquiry().request().contains("\nreverse_client_name=" + std::string(reverse) + "\n");
  };
  EXPECT_TRUE(has("unknown", "mail.example"));
  client_.has_confirmed_host = true;
  EXPECT_TRUE(has("mail.example", "mail.example"));
  client_.host.clear();
  EXPECT_TRUE(has("unknown", "unknown"));
}

}  // namespace
}  // namespace postern::ask
