#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/policy_inquiry_case.hpp"

namespace postern::ask {
namespace {

using spec::Event;
namespace bit = spec::bit;

class PolicyStages : public PolicyServices {};

// What a client is known by does not concern who is known otherwise; what it sends does.
TEST_F(PolicyStages, at_other_stages_are_asked_about_senders_and_messages_of_all) {
  const auto stages = [this](const engine::Answer& found, const engine::Session& session) {
    return policy_stages_of(found, start_, session);
  };
  start_.policy_services =
      config::parse_policy_services("connect:unix:/a helo:unix:/a mail:unix:/a unix:/a data:unix:/a").value();
  EXPECT_EQ(0b01111U, stages(ours, session_));
  EXPECT_EQ(0b10000U, stages(message_without_services, session_));
  EXPECT_EQ(0U, stages({Event::recipient_foreign, "far@away.example"}, session_));
  const engine::LoneSession relays({.settings_and_facts = {bit::relay_client}, .host = "mx.example.org"});
  for (const Event event : {Event::recipient_ours, Event::recipient_foreign})
    EXPECT_EQ(0b00100U, stages({event, "a@b.example"}, relays));
  EXPECT_EQ(0b10000U, stages(message_without_services, relays));
  const engine::LoneSession ends_here(
      {.settings_and_facts = {bit::relay_client | bit::local_only}, .host = "mx.example.org"});
  EXPECT_EQ(0b00100U, stages(ours, ends_here));
  EXPECT_EQ(0U, stages({Event::recipient_foreign, "far@away.example"}, ends_here));
  const engine::LoneSession nameless({.settings_and_facts = {}, .host = "mx.example.org"});
  EXPECT_EQ(0b01101U, stages(ours, nameless));
  start_.policy_services = config::parse_policy_services("data:unix:/a").value();
  EXPECT_FALSE(asks_policy_services({.answer = ours}, start_, session_));
  EXPECT_FALSE(recipients_wait(start_));
  EXPECT_TRUE(config::asks_at_data(start_));
}

TEST_F(PolicyStages, of_earlier_stages_are_asked_first_and_again_only_about_something_new) {
  start_.policy_services = config::parse_policy_services("connect:unix:/a helo:unix:/b mail:unix:/c unix:/d").value();
  EXPECT_EQ(Event::recipient_ours, answer_next({"DUNNO", "OK", "DUNNO", "DUNNO"}).event);
  EXPECT_EQ(4, asked_);
  EXPECT_EQ(Event::recipient_policy_refused, answer_next({"REJECT"}).event);  // the one at RCPT
  EXPECT_EQ("unix:/d", inquiry_->said_by());
  begin_another();
  EXPECT_EQ(Event::recipient_policy_refused, answer_next({"REJECT sender"}).event);
  EXPECT_EQ("mail:unix:/c", inquiry_->said_by());
  EXPECT_EQ("5.7.1 sender", answer_next({}).text);  // it is remembered, and so is who said it
  EXPECT_EQ("mail:unix:/c", inquiry_->said_by());
  EXPECT_TRUE(inquiry_->remarks().empty());
}

TEST_F(PolicyStages, that_fail_give_their_header_fields_to_each_transaction_once) {
  start_.policy_services = config::parse_policy_services("mail:unix:/a mail:unix:/b").value();
  static_cast<void>(answer_next({"DUNNO", "!"}));
  EXPECT_TRUE(inquiry_->header_fields().empty());
  static_cast<void>(answer_next({"PREPEND X: 1", "!"}));
  EXPECT_EQ(1, inquiry_->header_fields().size());
  static_cast<void>(answer_next({"PREPEND X: 1", "!"}));
  EXPECT_TRUE(inquiry_->header_fields().empty());
  static_cast<void>(answer_next({"PREPEND X: 1", "DUNNO"}));
  EXPECT_TRUE(inquiry_->header_fields().empty());
  begin_another();
  static_cast<void>(answer_next({"PREPEND X: 1", "DUNNO"}));
  EXPECT_EQ(1, inquiry_->header_fields().size());
}

TEST_F(PolicyStages, say_for_the_log_why_they_have_failed) {
  static_cast<void>(answer_to({"!"}));
  EXPECT_EQ("why", inquiry_->why());
  static_cast<void>(answer_to({"?"}));
  EXPECT_EQ("why", inquiry_->why());
  static_cast<void>(answer_to({"HOLD"}));
  EXPECT_EQ("what it asks for is not done here", inquiry_->why());
  static_cast<void>(answer_to({"REJECT no"}));
  EXPECT_EQ("", inquiry_->why());
}

TEST_F(PolicyStages, leave_out_what_is_no_header_field_and_say_so) {
  EXPECT_EQ(Event::recipient_ours, answer_to({"PREPEND nonsense", "PREPEND X: 1", "DUNNO"}).event);
  ASSERT_EQ(2, inquiry_->remarks().size());
  EXPECT_EQ(PolicyRemark::Kind::no_field, inquiry_->remarks()[0].kind);
  EXPECT_EQ(PolicyRemark::Kind::said, inquiry_->remarks()[1].kind);
  EXPECT_EQ(1, inquiry_->header_fields().size());
}

TEST_F(PolicyStages, share_the_time_with_those_that_are_still_to_be_asked) {
  start_.policy_services = config::parse_policy_services("connect:unix:/a data:unix:/d mail:unix:/b unix:/c").value();
  inquiry_.emplace(inquiry());
  for (const std::size_t left : {3U, 2U, 1U}) {
    EXPECT_EQ(left, inquiry_->still_to_ask());
    inquiry_->hear({.action = "DUNNO"});
  }
  EXPECT_EQ(nullptr, inquiry_->next());
}

TEST_F(PolicyStages, that_could_not_be_followed_are_asked_again) {
  start_.policy_services = config::parse_policy_services("mail:unix:/c").value();
  for (const char* trouble : {"!", "?", "HOLD", ""}) {
    EXPECT_EQ(Event::recipient_policy_failed, answer_next({trouble}).event) << trouble;
    EXPECT_EQ(1, asked_) << trouble;
  }
  start_.takes_unjudged = true;
  EXPECT_EQ(Event::recipient_policy_waived, answer_next({"!"}).event);
  EXPECT_EQ(Event::recipient_policy_refused, answer_next({"REJECT"}).event);
}

TEST_F(PolicyStages, defer_over_stages_what_no_later_one_refuses) {
  start_.policy_services = config::parse_policy_services("connect:unix:/a mail:unix:/c mail:unix:/e unix:/d").value();
  using Case = std::pair<std::vector<std::string>, std::string>;
  for (const auto& [answers, words] : {Case{{"DEFER_IF_PERMIT a", "OK", "DUNNO"}, "4.7.1 a"},
                                       Case{{"DEFER_IF_PERMIT a", "DUNNO", "REJECT c"}, "5.7.1 c"},
                                       Case{{"DEFER_IF_REJECT a", "OK", "REJECT c"}, "4.7.1 a"},
                                       Case{{"OK", "DEFER_IF_REJECT b", "OK", "REJECT c"}, "4.7.1 b"},
                                       Case{{"DEFER_IF_PERMIT a", "DEFER_IF_PERMIT b", "OK", "OK"}, "4.7.1 a"}})
    EXPECT_EQ(words, answer_to(answers).text) << answers.back();
  static_cast<void>(answer_to({"DEFER_IF_PERMIT a", "OK", "OK"}));
  EXPECT_EQ("4.7.1 a", answer_next({"OK"}).text) << "also what is remembered defers";
  EXPECT_EQ("connect:unix:/a", inquiry_->said_by());
  EXPECT_EQ("5.7.1 c", answer_next({"REJECT c"}).text);
}

TEST_F(PolicyStages, give_their_header_fields_to_each_transaction_once) {
  start_.policy_services = config::parse_policy_services("connect:unix:/a unix:/d").value();
  static_cast<void>(answer_next({"PREPEND X: a", "PREPEND Y: d"}));
  EXPECT_EQ((std::vector<std::string>{"X: a\n", "Y: d\n"}), inquiry_->header_fields());
  static_cast<void>(answer_next({"DUNNO"}));
  EXPECT_TRUE(inquiry_->header_fields().empty());
  begin_another();
  static_cast<void>(answer_next({"DUNNO"}));
  EXPECT_EQ(std::vector<std::string>{"X: a\n"}, inquiry_->header_fields());
}

TEST_F(PolicyStages, judge_a_message_before_it_comes) {
  start_.policy_services = config::parse_policy_services("unix:/d data:unix:/a data:unix:/b").value();
  struct Case {
    std::vector<std::string> answers;
    Event event;
    std::string text, service;
  };
  const Case cases[] = {
      {{"DUNNO", "DUNNO"}, Event::message_permitted, "", ""},
      {{"OK"}, Event::message_permitted, "", ""},
      {{"DUNNO", "REJECT"}, Event::message_policy_refused, "5.7.1 this message is refused", "data:unix:/b"},
      {{"450 4.2.0 later"}, Event::message_policy_deferred, "4.2.0 later", "data:unix:/a"},
      {{"DEFER_IF_PERMIT wait", "OK"}, Event::message_policy_deferred, "4.7.1 wait", "data:unix:/a"},
      {{"DISCARD"}, Event::message_policy_failed, "", "data:unix:/a"},
      {{"!"}, Event::message_policy_failed, "", "data:unix:/a"},
  };
  for (const Case& each : cases) {
    const engine::Answer answer = answer_to(each.answers, message_without_services);
    EXPECT_EQ(each.event, answer.event) << each.answers.back();
    EXPECT_EQ(each.text, answer.text) << each.answers.back();
    EXPECT_EQ(each.service, inquiry_->said_by()) << each.answers.back();
  }
  static_cast<void>(answer_to({"PREPEND X: y", "OK"}, message_without_services));
  EXPECT_TRUE(inquiry_->header_fields().empty()) << "the header has begun";
  ASSERT_EQ(1, inquiry_->remarks().size());
  EXPECT_EQ(PolicyRemark::Kind::too_late, inquiry_->remarks()[0].kind);
  start_.takes_unjudged = true;
  EXPECT_EQ(Event::message_policy_waived, answer_to({"!", "DUNNO"}, message_without_services).event);
  EXPECT_EQ("", inquiry_->recipient());
}

// RFC 3207 4.2; Postfix SMTPD_POLICY_README: what the client says later is not known yet.
TEST_F(PolicyStages, find_what_is_known_at_each_stage) {
  using config::PolicyStage;
  client_.user = "user";
  client_.message_id = "17.1";
  client_.tls_version = "TLSv1.3";
  const auto wanted = [](std::string_view state, std::string_view protocol, std::string_view helo,
                         std::string_view sender, std::string_view recipient, std::string_view count,
                         std::string_view id, std::string_view instance, std::string_view size, std::string_view user,
                         std::string_view tls) {
    std::string text = "request=smtpd_access_policy\nprotocol_state=";
    for (const std::string_view part :
         {state,
          std::string_view("\nprotocol_name="),
          protocol,
          std::string_view(
              "\nclient_address=192.0.2.1\nclient_name=unknown\nclient_port=4711\nreverse_client_name=unknown\n"
              "server_address=192.0.2.2\nserver_port=25\nhelo_name="),
          helo,
          std::string_view("\nsender="),
          sender,
          std::string_view("\nrecipient="),
          recipient,
          std::string_view("\nrecipient_count="),
          count,
          std::string_view("\nqueue_id="),
          id,
          std::string_view("\ninstance="),
          instance,
          std::string_view("\nsize="),
          size,
          std::string_view("\netrn_domain=\nstress=\nsasl_method=\nsasl_username="),
          user,
          std::string_view(
              "\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"
              "encryption_protocol="),
          tls,
          std::string_view("\nencryption_cipher=\nencryption_keysize=0\npolicy_context=\n\n")})
      text += part;
    return text;
  };
  const auto request = [this](PolicyStage stage) {
    return write_policy_request(stage, session_, "user@ours.example", client_);
  };
  EXPECT_EQ(wanted("CONNECT", "SMTP", "", "", "", "0", "", "a.b.0", "0", "", ""), request(PolicyStage::connect));
  EXPECT_EQ(wanted("EHLO", "SMTP", "client.example", "", "", "0", "", "a.b.0", "0", "", "TLSv1.3"),
            request(PolicyStage::helo));
  EXPECT_EQ(
      wanted("MAIL", "ESMTP", "client.example", "me@sender.example", "", "0", "", "a.b.1", "1234", "user", "TLSv1.3"),
      request(PolicyStage::mail));
  static_cast<void>(session_.report(Event::recipient_ours, "user@ours.example"));
  EXPECT_EQ(wanted("DATA", "ESMTP", "client.example", "me@sender.example", "user@ours.example", "1", "17.1", "a.b.1",
                   "1234", "user", "TLSv1.3"),
            request(PolicyStage::data));
  say("RCPT TO:<other@ours.example>\r\n");
  static_cast<void>(session_.report(Event::recipient_ours, "other@ours.example"));
  EXPECT_EQ(wanted("DATA", "ESMTP", "client.example", "me@sender.example", "", "2", "17.1", "a.b.1", "1234", "user",
                   "TLSv1.3"),
            request(PolicyStage::data));
  say("HELO other.example\r\n");
  EXPECT_EQ(wanted("HELO", "SMTP", "other.example", "", "", "0", "", "a.b.0", "0", "", "TLSv1.3"),
            request(PolicyStage::helo));
}

TEST(PolicyServiceList, is_addresses_separated_by_blanks) {
  const auto two = config::parse_policy_services(" unix:/run/a  tcp:[::1]:10031 ");
  ASSERT_TRUE(two.has_value());
  ASSERT_EQ(2, two->size());
  EXPECT_EQ("unix:/run/a", (*two)[0].address.text);
  EXPECT_EQ("tcp:[::1]:10031", (*two)[1].address.text);
  EXPECT_TRUE(config::parse_policy_services("").value().empty());
  EXPECT_TRUE(config::parse_policy_services("tcp:127.0.0.1:25").has_value()) << "a port is only SMTP's for mail";
}

TEST(PolicyServiceList, is_sorted_by_stage_and_within_one_as_it_is_written) {
  const auto all = config::parse_policy_services(
      "data:unix:/a unix:/b mail:unix:/a connect:unix:/c rcpt:unix:/a helo:unix:/d mail:unix:/b");
  ASSERT_TRUE(all.has_value()) << all.error();
  std::string order;
  for (const config::PolicyService& each : *all) order += each.text + " ";
  EXPECT_EQ("connect:unix:/c helo:unix:/d mail:unix:/a mail:unix:/b unix:/b rcpt:unix:/a data:unix:/a ", order);
  EXPECT_EQ(config::PolicyStage::rcpt, (*all)[4].stage);
  EXPECT_EQ("unix:/a", (*all)[6].address.text);
}

TEST(PolicyServiceList, is_told_with_its_remedy_where_it_is_wrong) {
  std::string many;
  for (int i = 0; i < 9; ++i) many += "unix:/" + std::to_string(i) + " ";
  const std::pair<std::string, std::string> wrong[] = {
      {"postgrey", "begins with unix: or tcp:"},
      {"unix:/a tcp:localhost:10023", "tcp:localhost:10023: \"localhost\" is not an IP address"},
      {"tcp:127.0.0.1", "write tcp:127.0.0.1:10023 or tcp:[::1]:10023"},
      {"inet:127.0.0.1:10023", "begins with unix: or tcp:"},
      {"unix:/a unix:/b unix:/a", "unix:/a stands there twice"},
      {"unix:/a, tcp:127.0.0.1:10023", "unix:/a,: a comma is no part of an address"},
      {"unix:/a,unix:/b", "services are separated by spaces"},
      {"unix:/a , unix:/b", ",: a comma is no part of an address"},
      {many, "at most 8 services"},
      {"MAIL:unix:/a", "MAIL is no stage: write connect:, helo:, mail:, rcpt: or data:"},
      {"ehlo:tcp:127.0.0.1:1", "ehlo is no stage"},
      {":unix:/a", " is no stage"},
      {"mail:", "begins with unix: or tcp:"},
      {"mail:/a", "begins with unix: or tcp:"},
      {"mail:mail:unix:/a", "begins with unix: or tcp:"},
      {"mail:unix:/a mail:unix:/a", "mail:unix:/a stands there twice"},
      {"unix:/a rcpt:unix:/a", "rcpt:unix:/a stands there twice"},
      {"end-of-message:unix:/a", "write policy:unix:/a into POSTERN_FILTERS"},
      {"policy:unix:/a", "write policy:unix:/a into POSTERN_FILTERS"},
  };
  for (const auto& [text, sentence] : wrong) {
    const auto parsed = config::parse_policy_services(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_TRUE(parsed.error().contains(sentence)) << text << ": " << parsed.error();
  }
}

}  // namespace
}  // namespace postern::ask
