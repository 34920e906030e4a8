// The judge, in process: every law holds for the policy's own engine under each of its settings, and a reply that is changed
// on its way is found out.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "audit/configuration.hpp"
#include "audit/judge/finding.hpp"
#include "testing/driver.hpp"

namespace postern::audit {
namespace {

constexpr const char* ours = "us@example.org";
constexpr const char* login_in_base64 = "AGFsaWNlAHdvbmRlcmxhbmQ=";  // NUL alice NUL wonderland
constexpr const char* password_in_base64 = "d29uZGVybGFuZA==";

Surroundings surroundings(bool may_send) {
  return {.own_recipient = ours,
          .foreign_recipient = "them@example.com",
          .user = "alice",
          .password = "wonderland",
          .may_send = may_send};
}

// What the server answers may be changed: the answer, and the state in which it was decided.
using Change = std::function<void(Answer&, const testing::Decision&)>;

class EngineTalk final : public ServerTalk {
 public:
  EngineTalk(spec::Guards settings_and_facts, Change change)
      : guards_(settings_and_facts), change_(std::move(change)) {}

  std::string open(bool) override {
    driver_ = std::make_unique<testing::Driver>(service(), testing::AfterStarttls::same_session);
    driver_->answer_by([this](spec::Guards guards) { return outcome(guards); });
    driver_->happen(spec::Event::connect_ready);
    heard_ = driver_->take_heard();
    return {};
  }

  void say(std::string_view octets) override {
    said_ = octets;
    driver_->send(octets);
    take();
  }

  Answer hear(std::chrono::milliseconds) override {
    Answer answer;
    std::erase_if(heard_,
                  [](const Item& item) { return item.kind != ItemKind::server && item.kind != ItemKind::closes; });
    while (!heard_.empty() && heard_.front().kind == ItemKind::server) {
      std::string line = heard_.front().octets;
      heard_.erase(heard_.begin());
      line.resize(line.size() - 2);
      answer.lines.push_back(line);
      answer.kind = Answer::Kind::reply;
      answer.code = static_cast<unsigned>(std::stoul(line));
      if (line.size() < 4 || line[3] != '-') break;
    }
    if (answer.is_reply()) {
      const testing::Decision& last = driver_->decisions().back();
      answer.took = std::chrono::seconds(last.effect == spec::Effect::delay ? 2 : 0);
      if (change_) change_(answer, last);
    } else if (driver_->is_closed()) {
      answer.kind = Answer::Kind::closed;
    }
    return answer;
  }

  std::string start_tls() override {
    driver_->happen(spec::Event::handshake_done);
    take();
    return driver_->problem();
  }

  void close() override { EXPECT_EQ(driver_->problem(), ""); }

 private:
  [[nodiscard]] engine::Service service() const {
    return {.settings_and_facts = guards_, .host = dialogue_host, .databytes = 1'000'000};
  }

  void take() {
    std::vector<Item> more = driver_->take_heard();
    heard_.insert(heard_.end(), more.begin(), more.end());
  }

  [[nodiscard]] spec::Event outcome(spec::Guards guards) const {
    namespace bit = spec::bit;
    if (guards.has(bit::waiting_recipient))
      return driver_->session().mailbox() == ours ? spec::Event::recipient_ours : spec::Event::recipient_foreign;
    if (guards.has(bit::waiting_message)) return spec::Event::message_permitted;
    if (guards.has(bit::waiting_hand_over)) return spec::Event::hand_over_accepted;
    const bool is_known = said_.contains(login_in_base64) || said_.contains(password_in_base64);
    return is_known ? spec::Event::credentials_accepted : spec::Event::credentials_rejected;
  }

  spec::Guards guards_;
  Change change_;
  std::unique_ptr<testing::Driver> driver_;
  std::vector<Item> heard_;
  std::string said_;
};

const Policy& policy() {
  static const Policy the_policy;
  return the_policy;
}

Tried tried_on(spec::Guards guards, const Surroundings& by, const Change& change = {}) {
  Tried tried{.settings_and_facts = guards, .trials = plan_trials(policy(), guards, by), .records = {}, .why_not = {}};
  EngineTalk talk(guards, change);
  for (const Trial& trial : tried.trials) {
    tried.records.emplace_back();
    tried.why_not.push_back(trial.hindrance);
    if (trial.hindrance.empty()) tried.records.back() = play(trial, by, talk, std::chrono::seconds(1));
    if (trial.hindrance.empty() && !tried.records.back().reached(trial)) tried.why_not.back() = "it does not get there";
  }
  return tried;
}

std::vector<std::string> broken_laws(const Tried& tried) {
  std::vector<std::string> names;
  for (const LawFinding& law : judge_laws(policy(), tried))
    if (law.finding == Finding::broken) names.push_back(law.name);
  return names;
}

spec::Guards usual_guards() {
  namespace bit = spec::bit;
  return {bit::AUTH | bit::certificate | bit::backend};
}

TEST(Judge, every_law_and_rule_holds_for_the_engine_under_each_setting) {
  std::size_t greeted = 0;
  for (const Configuration& configuration : all_settings(policy())) {
    const Tried tried = tried_on(configuration.settings_and_facts, surroundings(true));
    const std::string name = settings_text(policy(), configuration);
    for (std::size_t i = 0; i < tried.trials.size(); ++i)
      EXPECT_TRUE(!tried.why_not[i].empty() || tried.records[i].is_as_expected(tried.trials[i]))
          << name << ' ' << tried.trials[i].subject().first.rule();
    greeted += tried.trials.size() > 1;
    if (greeted % 8 != 1) continue;  // the findings take longest
    EXPECT_EQ(broken_laws(tried), std::vector<std::string>()) << name;
  }
  EXPECT_EQ(greeted, 41U);  // the live ones
}

TEST(Judge, without_surroundings_less_is_tried_and_nothing_is_blamed) {
  const Tried tried = tried_on(usual_guards(), {});
  EXPECT_EQ(broken_laws(tried), std::vector<std::string>());
  const auto hindered = [&](std::string_view what) {
    return std::ranges::count_if(tried.why_not, [&](const std::string& why) { return why.contains(what); });
  };
  for (const char* what : {"--recipient", "--foreign", "--user"}) EXPECT_GT(hindered(what), 0) << what;
}

TEST(Judge, no_trial_completes_a_message_without_leave) {
  for (const Trial& trial : plan_trials(policy(), usual_guards(), surroundings(false))) {
    if (!trial.hindrance.empty()) {
      EXPECT_EQ(trial.hindrance, "no message is begun without --send");
      continue;
    }
    for (const TrialStep& step : trial.steps) {
      EXPECT_FALSE(spec::name_of(step.act.asked).starts_with("data_end."));
      EXPECT_NE(step.last.row->effect, spec::Effect::begin_message);
    }
  }
}

TEST(Judge, another_class_of_any_reply_is_found) {
  std::size_t changed_rules = 0, found_rules = 0;
  for (const char* rule :
       {"rset", "noop", "mail.second", "rcpt.no_mail", "data.no_rcpt", "auth.not_offered", "quit",
        "starttls.unavailable", "credentials.rejected", "recipient.not_ours", "ehlo", "line.bare_lf"}) {
    const Tried tried = tried_on(usual_guards(), surroundings(false), [&](Answer& answer, const testing::Decision& by) {
      if (spec::name_of(by.rule) != rule) return;
      ++changed_rules;
      answer.code = answer.code < 400 ? 550 : 250;
    });
    const std::vector<RuleFinding> rules = judge_rules(policy(), tried);
    const auto found = std::ranges::find(rules, rule, &RuleFinding::id);
    if (found->finding == Finding::idle) continue;  // it does not decide under these settings
    EXPECT_EQ(found->finding, Finding::broken) << rule;
    ++found_rules;
    if (found_rules % 3 != 1) continue;  // the findings take longest
    EXPECT_FALSE(broken_laws(tried).empty()) << rule;
  }
  EXPECT_GT(changed_rules, 0U);
}

TEST(Judge, another_code_of_the_same_class_is_a_note_alone) {
  const Tried tried = tried_on(usual_guards(), surroundings(false), [](Answer& answer, const testing::Decision& by) {
    if (by.effect != spec::Effect::close && answer.code >= 500) answer.code = 559;
    if (answer.code == 252 || answer.code == 214) answer.code = 250;
  });
  EXPECT_EQ(broken_laws(tried), std::vector<std::string>());
  const std::vector<RuleFinding> rules = judge_rules(policy(), tried);
  EXPECT_EQ(std::ranges::find(rules, "vrfy", &RuleFinding::id)->other_codes, std::vector<unsigned>{250});
}

TEST(Judge, a_breach_that_shows_at_once_is_shown_without_what_comes_after) {
  const Tried tried = tried_on(usual_guards(), surroundings(false), [](Answer& answer, const testing::Decision& by) {
    if (spec::name_of(by.rule) == "mail.second") answer.code = 250;
  });
  const std::vector<LawFinding> laws = judge_laws(policy(), tried);
  const auto law = std::ranges::find(laws, "a_transaction_grows_in_order", &LawFinding::name);
  ASSERT_EQ(law->finding, Finding::broken);
  for (const ClauseFinding& clause : law->clauses) {
    if (clause.finding != Finding::broken || !clause.statement.contains("event is mail.*")) continue;
    const std::vector<std::string>& lines = tried.records[clause.shown->trial].dialogue;
    EXPECT_TRUE(lines.at(clause.shown->lines - 1).starts_with("S: 503")) << lines.at(clause.shown->lines - 1);
    EXPECT_TRUE(lines.at(clause.shown->lines - 2).starts_with("C: MAIL")) << lines.at(clause.shown->lines - 2);
  }
}

}  // namespace
}  // namespace postern::audit
