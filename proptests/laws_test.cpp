// Each law can fail: a decision as a broken table would take it is found out by it, and by the true table it is not
// taken.
#include "testing/laws.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "testing/all_decisions.hpp"
#include "testing/law_book.hpp"

namespace postern::proptests {
namespace {

using spec::Effect;
using spec::Event;
using namespace spec::bit;

constexpr std::uint64_t fresh =
    channel_clear | authentication_none | greeting_none | transaction_none | waiting_command;
// Mail is on its way without AUTH under REQUIRE_AUTH=1: no session gets there, and the law book must say so.
TEST(LawBook, finds_a_breach_where_no_session_comes) {
  const testing::LawBook book(POSTERN_SOURCE_FOLDER "/spec");
  const spec::Guards fine{waiting_mail_data | transaction_rcpt | channel_clear | authentication_none | greeting_none};
  EXPECT_EQ(book.broken_by(testing::decide(fine, Event::data_end_complete)), "");
  const spec::Guards wrong{fine.bits | REQUIRE_AUTH};
  EXPECT_NE(book.broken_by(testing::decide(wrong, Event::data_end_complete)), "");
}

// A session that is somewhere, and a step that says what no session would say there.
class EverySessionLaw : public ::testing::Test {
 protected:
  EverySessionLaw() : session_(service_) {
    static_cast<void>(session_.report(Event::connect_ready));
    say("EHLO c.example\r\n");
    say("MAIL FROM:<a@b.example>\r\n");
  }
  void say(std::string_view line) { static_cast<void>(session_.step(line, scratch_)); }
  [[nodiscard]] bool is_kept(std::string_view law, const testing::Decision& decision, const engine::Step& step) const {
    const auto found = std::ranges::find_if(testing::all_session_laws,
                                            [&](const testing::SessionLaw& each) { return law == each.name; });
    return found->is_kept({decision, step, session_});
  }

  const std::uint64_t settings_ = SSL | AUTH | backend;
  const engine::Service service_{.settings_and_facts = {settings_}, .host = "h.example"};
  engine::LoneSession session_;
  std::array<char, 1024> scratch_{};
};

TEST_F(EverySessionLaw, finds_its_breach) {
  const testing::Decision fine{.before = session_.guards(), .after = session_.guards()};
  const auto says = [](std::uint16_t code, std::string_view reply) {
    return engine::Step{.is_decision = true, .code = code, .reply = reply};
  };
  for (const testing::SessionLaw& law : testing::all_session_laws)
    EXPECT_TRUE(is_kept(law.name, fine, says(250, "250 ok\r\n"))) << law.name;

  constexpr std::string_view lines = "a_reply_is_made_of_whole_lines";
  EXPECT_FALSE(is_kept(lines, fine, says(250, "250 ok")));
  EXPECT_FALSE(is_kept(lines, fine, says(250, "250 ok\r\n503 no\r\n")));
  EXPECT_FALSE(is_kept(lines, fine, says(250, "250-ok\r\n")));
  EXPECT_FALSE(is_kept(lines, fine, says(250, "250 o\nk\r\n")));
  EXPECT_FALSE(is_kept(lines, fine, says(250, "")));

  const testing::Decision elsewhere{.before = {fresh}, .after = {fresh}};
  EXPECT_FALSE(is_kept("an_envelope_belongs_to_a_transaction", elsewhere, {}));
  EXPECT_FALSE(is_kept("no_name_without_a_greeting", elsewhere, {}));
  const testing::Decision outcome{.before = {(fresh & ~waiting_command) | waiting_recipient}, .after = {fresh}};
  EXPECT_FALSE(is_kept("octets_are_used_where_they_belong", outcome, {.consumed = 1}));
  EXPECT_FALSE(is_kept("octets_are_used_where_they_belong", fine, {.data = "x"}));
  const testing::Decision check{.before = {fresh}, .effect = Effect::check_credentials, .after = {fresh}};
  EXPECT_FALSE(is_kept("the_backend_gets_user_and_password", check, {}));

  say("RSET\r\n");
  say("AUTH LOGIN dGlt\r\n");
  EXPECT_FALSE(is_kept("passwords_are_wiped", elsewhere, {})) << "the user name is still there";
}

}  // namespace
}  // namespace postern::proptests
