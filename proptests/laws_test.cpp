// Each law can fail: a decision as a broken table would take it is found out by it, and by the true table it is not
// taken.
#include "proptests/laws.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "proptests/all_decisions.hpp"

namespace postern::proptests {
namespace {

using spec::Effect;
using spec::Event;
using namespace spec::bit;

constexpr std::uint64_t fresh =
    channel_clear | authentication_none | greeting_none | transaction_none | waiting_command;
constexpr std::uint64_t with_auth = AUTH | backend;

constexpr std::uint64_t moved(std::uint64_t bits, std::uint64_t from, std::uint64_t to) { return (bits & ~from) | to; }
constexpr std::uint64_t waiting(std::uint64_t bits, std::uint64_t what) {
  return moved(bits, laws::waiting_bits, what);
}
constexpr std::uint64_t in_transaction(std::uint64_t bits, std::uint64_t what) {
  return moved(bits, laws::transaction_bits, what);
}
constexpr std::uint64_t in_tls(std::uint64_t bits) { return moved(bits, channel_clear, channel_starttls); }
constexpr std::uint64_t authenticated(std::uint64_t bits) {
  return moved(bits, authentication_none, authentication_done);
}

Decision doctored(std::uint64_t before, Event event, std::uint16_t code, Effect effect, std::uint64_t after) {
  return {.before = {before}, .event = event, .rule = {}, .code = code, .effect = effect, .after = {after}};
}

struct Breach {
  const char* law;
  const char* what;
  Decision decision;
};

std::vector<Breach> breaches() {
  const std::uint64_t mail = in_transaction(fresh, transaction_mail);
  const std::uint64_t rcpt = in_transaction(fresh, transaction_rcpt);
  const std::uint64_t data = waiting(rcpt, waiting_mail_data);
  const std::uint64_t handed = waiting(rcpt, waiting_hand_over);
  const std::uint64_t asking = waiting(rcpt, waiting_recipient);
  const std::uint64_t checking = waiting(fresh | with_auth, waiting_credentials);
  const std::uint64_t end = waiting(fresh, waiting_end);
  const std::uint64_t shaking = waiting(fresh | certificate, waiting_handshake);
  return {
      {"no_auth_on_cleartext_unless_allowed", "a challenge in clear",
       doctored(fresh | with_auth, Event::auth_plain, 334, Effect::none,
                waiting(fresh | with_auth, waiting_plain_response))},
      {"no_auth_without_backend", "a challenge that nobody can judge",
       doctored(in_tls(fresh | AUTH), Event::auth_login, 334, Effect::none, waiting(fresh, waiting_username))},
      {"no_second_auth_and_none_in_a_transaction", "a password after success",
       doctored(authenticated(in_tls(fresh | with_auth)), Event::auth_plain_response, 0, Effect::check_credentials,
                checking)},
      {"only_the_backend_authenticates", "HELO authenticates",
       doctored(fresh, Event::helo, 250, Effect::none, authenticated(fresh))},
      {"a_challenge_waits_for_its_answer", "334, and then commands",
       doctored(in_tls(fresh | with_auth), Event::auth_plain, 334, Effect::none, in_tls(fresh | with_auth))},
      {"a_failed_exchange_is_over", "`*` and still waiting",
       doctored(waiting(fresh, waiting_username), Event::response_cancelled, 501, Effect::none,
                waiting(fresh, waiting_username))},
      {"too_many_guesses_end_the_session", "one guess more",
       doctored(fresh | auth_attempts_spent, Event::auth_plain, 504, Effect::none, fresh)},
      {"no_mail_before_tls_when_forced", "MAIL in clear",
       doctored(fresh | FORCE_TLS, Event::mail_valid, 250, Effect::begin_transaction, mail | FORCE_TLS)},
      {"tls_implied_means_encrypted_mail", "mail in clear although AUTH needs encryption",
       doctored(fresh | REQUIRE_AUTH, Event::mail_valid, 250, Effect::begin_transaction, mail)},
      {"starttls_never_inside_tls", "a second STARTTLS",
       doctored(in_tls(fresh | certificate), Event::starttls, 220, Effect::start_tls, shaking)},
      {"starttls_never_when_denied", "STARTTLS under DENY_TLS",
       doctored(fresh | certificate | DENY_TLS, Event::starttls, 220, Effect::start_tls, shaking)},
      {"starttls_forgets_everything", "the transaction lives on",
       doctored(shaking, Event::handshake_done, 0, Effect::none, in_tls(mail))},
      {"tls_ready_means_handshake", "220 without a handshake",
       doctored(fresh | certificate, Event::starttls, 220, Effect::none, fresh)},
      {"a_handshake_is_silent", "421 in clear during the handshake",
       doctored(shaking, Event::timeout, 421, Effect::close, end)},
      {"no_way_back_to_cleartext", "RSET resets the channel",
       doctored(in_tls(fresh), Event::rset, 250, Effect::none, fresh)},
      {"advertised_exactly_when_obeyed", "EHLO leads where AUTH is listed and in a transaction, so refused",
       doctored(in_tls(fresh | with_auth), Event::ehlo, 250, Effect::none, in_tls(mail | with_auth))},
      {"no_mail_before_auth_when_required", "MAIL of a stranger",
       doctored(in_tls(fresh | REQUIRE_AUTH | with_auth | certificate), Event::mail_valid, 250,
                Effect::begin_transaction, mail)},
      {"relaying_only_by_relayclient_or_auth", "an open relay",
       doctored(asking, Event::recipient_foreign, 250, Effect::add_recipient, rcpt)},
      {"our_own_recipients_are_taken", "our own recipient refused",
       doctored(asking, Event::recipient_ours, 553, Effect::none, rcpt)},
      {"data_only_after_recipient", "DATA without RCPT", doctored(mail, Event::data, 354, Effect::begin_message, data)},
      {"a_transaction_grows_in_order", "RCPT without MAIL",
       doctored(fresh, Event::rcpt_valid, 250, Effect::add_recipient, rcpt)},
      {"reset_clears_transaction", "RSET clears nothing", doctored(rcpt, Event::rset, 250, Effect::none, rcpt)},
      {"only_the_hand_over_accepts_a_message", "250 before anybody has the message",
       doctored(data, Event::data_end_complete, 250, Effect::none, fresh)},
      {"bare_cr_or_lf_is_never_handed_over", "a smuggler's message is handed over",
       doctored(data, Event::data_end_bare_cr_or_lf, 0, Effect::hand_over, handed)},
      {"quit_is_always_221", "QUIT counts as an error", doctored(fresh, Event::quit, 421, Effect::close, end)},
      {"one_reply_per_command", "NOOP in silence", doctored(fresh, Event::noop, 0, Effect::none, fresh)},
      {"refused_changes_nothing", "a refused MAIL ends the transaction",
       doctored(mail, Event::mail_valid, 503, Effect::none, fresh)},
      {"a_close_is_the_end", "a closed session waits for a command",
       doctored(fresh, Event::quit, 221, Effect::close, fresh)},
      {"service_not_available_closes", "421 and on we go",
       doctored(fresh | errors_spent, Event::noop, 421, Effect::none, fresh)},
      {"settings_never_change", "AUTH makes a relay client",
       doctored(fresh, Event::noop, 250, Effect::none, fresh | relay_client)},
      {"nobody_is_greeted_in_vain", "a greeting where no mail can be accepted",
       doctored(waiting(fresh | REQUIRE_AUTH, waiting_connect), Event::connect_ready, 220, Effect::none,
                fresh | REQUIRE_AUTH)},
  };
}

TEST(EveryLaw, finds_its_breach_and_no_fault_with_the_true_table) {
  for (const Law& law : all_laws) {
    const auto all = breaches();
    const auto breach = std::ranges::find(all, std::string_view(law.name), &Breach::law);
    ASSERT_NE(breach, all.end()) << law.name << " has no breach to find";
    EXPECT_FALSE(law.is_kept(breach->decision)) << law.name << ": " << breach->what;
    EXPECT_TRUE(law.is_kept(decide(breach->decision.before, breach->decision.event))) << law.name;
  }
}

// A session that is somewhere, and a step that says what no session would say there.
class EverySessionLaw : public testing::Test {
 protected:
  EverySessionLaw() : session_(service_) {
    static_cast<void>(session_.report(Event::connect_ready));
    say("EHLO c.example\r\n");
    say("MAIL FROM:<a@b.example>\r\n");
  }
  void say(std::string_view line) { static_cast<void>(session_.step(line, scratch_)); }
  [[nodiscard]] bool is_kept(std::string_view law, const Decision& decision, const engine::Step& step) const {
    const auto found = std::ranges::find_if(all_session_laws, [&](const SessionLaw& each) { return law == each.name; });
    return found->is_kept({decision, step, session_});
  }

  const std::uint64_t settings_ = SSL | AUTH | backend;
  const engine::Service service_{.settings_and_facts = {settings_}, .host = "h.example"};
  engine::Session session_;
  std::array<char, 1024> scratch_{};
};

TEST_F(EverySessionLaw, finds_its_breach) {
  const Decision fine{.before = session_.guards(), .after = session_.guards()};
  const auto says = [](std::uint16_t code, std::string_view reply) {
    return engine::Step{.is_decision = true, .code = code, .reply = reply};
  };
  for (const SessionLaw& law : all_session_laws)
    EXPECT_TRUE(is_kept(law.name, fine, says(250, "250 ok\r\n"))) << law.name;

  constexpr std::string_view lines = "a_reply_is_made_of_whole_lines";
  EXPECT_FALSE(is_kept(lines, fine, says(250, "250 ok")));
  EXPECT_FALSE(is_kept(lines, fine, says(250, "250 ok\r\n503 no\r\n")));
  EXPECT_FALSE(is_kept(lines, fine, says(250, "250-ok\r\n")));
  EXPECT_FALSE(is_kept(lines, fine, says(250, "250 o\nk\r\n")));
  EXPECT_FALSE(is_kept(lines, fine, says(250, "")));

  const Decision elsewhere{.before = {fresh}, .after = {fresh}};
  EXPECT_FALSE(is_kept("an_envelope_belongs_to_a_transaction", elsewhere, {}));
  EXPECT_FALSE(is_kept("no_name_without_a_greeting", elsewhere, {}));
  const Decision outcome{.before = {waiting(fresh, waiting_recipient)}, .after = {fresh}};
  EXPECT_FALSE(is_kept("octets_are_used_where_they_belong", outcome, {.consumed = 1}));
  EXPECT_FALSE(is_kept("octets_are_used_where_they_belong", fine, {.data = "x"}));
  const Decision check{.before = {fresh}, .effect = Effect::check_credentials, .after = {fresh}};
  EXPECT_FALSE(is_kept("the_backend_gets_user_and_password", check, {}));

  say("RSET\r\n");
  say("AUTH LOGIN dGlt\r\n");
  EXPECT_FALSE(is_kept("passwords_are_wiped", elsewhere, {})) << "the user name is still there";
}

}  // namespace
}  // namespace postern::proptests
