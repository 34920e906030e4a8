// The generated tables say what the four TOML files say, read by the slow interpreter.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/policy.hpp"
#include "spec/model.hpp"
#include "spec/policy_row.hpp"
#include "spec/verify.hpp"
#include "testing/all_decisions.hpp"

namespace postern::spec {
namespace {

class Table : public ::testing::Test {
 protected:
  const Model model_ = testing::load_spec(POSTERN_SOURCE_FOLDER "/spec");
  std::size_t cases_ = 0;

  void expect_same(std::size_t event, const Assignment& assignment) {
    ++cases_;
    const std::uint64_t before = to_word(assignment, model_.variables);
    const auto wanted = interpret(model_, event, assignment);
    ASSERT_TRUE(wanted) << "a hole in " << model_.events[event].name;
    const RuleRow& rule = model_.rules[*wanted];
    const PolicyRow* const decides = engine::decide(Guards{before}, static_cast<Event>(event));
    ASSERT_EQ(decides != nullptr, may_happen(event, assignment)) << model_.events[event].name << " in " << before;
    if (decides == nullptr) return;
    const PolicyRow& found = *decides;
    ASSERT_EQ(name_of(found.rule), rule.id) << model_.events[event].name << " in " << std::hex << before;
    ASSERT_EQ(static_cast<std::size_t>(found.reply), rule.reply) << rule.id;
    ASSERT_EQ(static_cast<std::size_t>(found.effect), rule.effect) << rule.id;
    ASSERT_EQ(engine::after(found, Guards{before}).bits, to_word(apply(rule, assignment), model_.variables)) << rule.id;
  }

  // As the model has it.
  [[nodiscard]] bool may_happen(std::size_t event, const Assignment& assignment) const {
    const auto& waiting = model_.events[event].waiting;
    return std::ranges::find(waiting, std::size_t{assignment[model_.waiting_variable()]}) != waiting.end();
  }

  Assignment random_assignment(std::mt19937& random) const {
    Assignment assignment;
    for (const Variable& variable : model_.variables)
      assignment.push_back(static_cast<std::uint8_t>(random() % variable.values.size()));
    return assignment;
  }
};

TEST_F(Table, is_the_interpreter_in_every_case_of_every_event) {
  ASSERT_EQ(model_.events.size(), event_count);
  for (std::size_t event = 0; event < event_count; ++event)
    for_each_case(model_, event, [&](const Assignment& assignment) { expect_same(event, assignment); });
  RecordProperty("cases", static_cast<int>(cases_));
  EXPECT_GT(cases_, event_count);
}

TEST_F(Table, is_the_interpreter_in_random_states) {
  std::mt19937 random(3207);
  for (std::size_t event = 0; event < event_count; ++event) {
    const auto& waiting = model_.events[event].waiting;
    for (int i = 0; i < 4000; ++i) {
      Assignment assignment = random_assignment(random);
      assignment[model_.waiting_variable()] = static_cast<std::uint8_t>(waiting[random() % waiting.size()]);
      expect_same(event, assignment);
    }
  }
}

TEST_F(Table, starts_every_configuration_where_the_spec_does) {
  const std::size_t switches = model_.settings.size() + model_.facts.size();
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << switches); ++bits) {
    Assignment assignment(model_.variables.size(), 0);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < switches; ++i) {
      assignment[i] = static_cast<std::uint8_t>(bits >> i & 1);
      if (assignment[i] == 1) word |= bit_of(model_.variables[i], 1);
    }
    ASSERT_EQ(start(Guards{word}).bits, to_word(start_of(model_, assignment), model_.variables)) << bits;
  }
}

TEST_F(Table, lists_a_capability_when_its_condition_holds) {
  std::mt19937 random(4954);
  for (int i = 0; i < 20000; ++i) {
    const Assignment assignment = random_assignment(random);
    std::vector<bool> found(model_.capabilities.size());
    for (const CapabilityRow& row : capability_rows()) {
      if ((to_word(assignment, model_.variables) & row.care) == row.want) found[row.number] = true;
    }
    for (std::size_t c = 0; c < found.size(); ++c)
      ASSERT_EQ(found[c], holds(model_.capabilities[c].condition, assignment)) << model_.capabilities[c].text;
  }
}

TEST_F(Table, carries_the_texts_of_the_replies) {
  for (std::size_t i = 0; i < reply_count; ++i) {
    const ReplyRow& row = reply_row(static_cast<Reply>(i));
    EXPECT_EQ(row.code, model_.replies[i].code);
    const bool is_filled_in_when_generated = model_.replies[i].text.contains("{version}");
    EXPECT_EQ(text_at(row.text) == model_.replies[i].text, !is_filled_in_when_generated) << model_.replies[i].name;
  }
  for (std::size_t i = 0; i < rule_count; ++i) EXPECT_EQ(reason_of(static_cast<Rule>(i)), model_.rules[i].reason);
}

// RFC 3463 2; RFC 5321 4.2: the enhanced code of a text is of the class of its code.
TEST_F(Table, gives_replies_codes_that_agree) {
  for (const ReplyText& reply : model_.replies) {
    if (reply.name == "none") continue;
    EXPECT_GE(reply.code, 200U) << reply.name;
    EXPECT_LT(reply.code, 600U) << reply.name;
    if (reply.enhanced.empty()) continue;
    EXPECT_EQ(static_cast<unsigned>(reply.enhanced.front() - '0'), reply.code / 100) << reply.name;
    EXPECT_TRUE(reply.text.ends_with("(#" + reply.enhanced + ")")) << reply.name;
  }
}

// The seed: "The default is SSL=0", "The default is FORCE_TLS=0"; the others are switched on by "setting ...=1". AUTH follows
// what can judge a password, as in the original, which has it by the program on its command line.
TEST(Defaults, are_those_of_the_seed) {
  EXPECT_EQ(with_defaults({}, 0).bits, 0U);
  EXPECT_EQ(with_defaults({bit::backend | bit::certificate | bit::relay_client}, 0).bits,
            bit::backend | bit::certificate | bit::relay_client | bit::AUTH);
  EXPECT_EQ(with_defaults({bit::backend}, bit::AUTH).bits, bit::backend) << "AUTH=0 is given";
  const std::uint64_t all =
      bit::SSL | bit::FORCE_TLS | bit::DENY_TLS | bit::AUTH | bit::REQUIRE_AUTH | bit::ALLOW_INSECURE_AUTH;
  EXPECT_EQ(with_defaults({all}, all).bits, all);
  EXPECT_EQ(with_defaults({all}, 0).bits, 0U) << "what is not given is not looked at";
}

TEST_F(Table, has_the_default_column) {
  ASSERT_EQ(setting_rows().size(), model_.settings.size());
  for (std::size_t i = 0; i < model_.settings.size(); ++i) {
    const SettingRow& row = setting_rows()[i];
    EXPECT_EQ(text_at(row.name), model_.settings[i].name);
    EXPECT_EQ(row.default_fact != 0, model_.variable_of(model_.settings[i].default_value) < model_.variables.size());
    EXPECT_EQ(row.default_value, model_.settings[i].default_value == "1");
  }
}

// qmail-queue(8): 11 to 40 are permanent (and 115), all other codes temporary
TEST_F(Table, understands_every_exit_code_of_a_queue_program) {
  for (unsigned code = 1; code < 256; ++code) {
    const auto rows = queue_exit_rows();
    const auto row =
        std::ranges::find_if(rows, [&](const QueueExitRow& r) { return r.first <= code && code <= r.last; });
    ASSERT_NE(row, rows.end()) << code;
    EXPECT_EQ(row->is_permanent, (code >= 11 && code <= 40) || code == 115) << code;
    EXPECT_TRUE(text_at(row->text).contains(row->is_permanent ? "(#5." : "(#4.")) << code;
  }
}

// Deviation D16; RFC 9325 4.2, 4.1; RFC 8314 4.1; RFC 7435 3.
TEST(Tls, a_handshake_has_a_minute_and_ciphers_are_for_the_world_or_for_users) {
  EXPECT_EQ(60U, max_handshake_seconds);
  EXPECT_EQ("ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES", cipher_list({}));
  EXPECT_EQ("ECDHE+AESGCM:ECDHE+CHACHA20", cipher_list({.bits = bit::REQUIRE_AUTH}));
  EXPECT_EQ(cipher_list({}), cipher_list({.bits = ~bit::REQUIRE_AUTH}));
}

}  // namespace
}  // namespace postern::spec
