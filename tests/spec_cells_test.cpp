// The seed's table, its 14 cells, and what the 64 settings of its six switches come to.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "engine/reply.hpp"
#include "spec/model.hpp"
#include "spec/policy_row.hpp"
#include "testing/all_decisions.hpp"

namespace postern::spec {
namespace {

using testing::Decision;

// The seed document, cell by cell: PORT, SSL, FORCE_TLS, DENY_TLS, AUTH, REQUIRE_AUTH, ALLOW_INSECURE_AUTH; then what
// EHLO lists in clear and after encryption (A: AUTH, S: STARTTLS), and the marks.
struct SeedCell {
  std::array<int, 7> settings;
  const char* in_clear;
  const char* encrypted;
  const char* marks;
};
constexpr std::array seed = {
    SeedCell{{25, 0, 0, 1, 1, 1, 1}, "A", "", "dangerous not_for_mx "},
    SeedCell{{25, 0, 0, 1, 1, 0, 1}, "A", "", "dangerous "},
    SeedCell{{25, 0, 0, 1, 0, 0, 0}, "", "", ""},
    SeedCell{{25, 0, 0, 0, 1, 1, 1}, "AS", "A", "dangerous not_for_mx "},
    SeedCell{{25, 0, 0, 0, 1, 0, 1}, "AS", "A", "dangerous "},
    SeedCell{{25, 0, 0, 0, 0, 0, 0}, "S", "", "standard "},
    SeedCell{{25, 0, 0, 0, 1, 1, 0}, "S", "A", "not_for_mx "},
    SeedCell{{25, 0, 0, 0, 1, 0, 0}, "S", "A", "standard "},
    SeedCell{{587, 0, 1, 0, 1, 1, 0}, "S", "A", "not_for_mx standard "},
    SeedCell{{587, 0, 1, 0, 1, 0, 0}, "S", "A", ""},
    SeedCell{{587, 0, 1, 0, 0, 0, 0}, "S", "", ""},
    SeedCell{{465, 1, 0, 0, 1, 1, 0}, "", "A", "not_for_mx standard "},
    SeedCell{{465, 1, 0, 0, 1, 0, 0}, "", "A", ""},
    SeedCell{{465, 1, 0, 0, 0, 0, 0}, "", "", ""},
};
constexpr std::array names = {"PORT", "SSL", "FORCE_TLS", "DENY_TLS", "AUTH", "REQUIRE_AUTH", "ALLOW_INSECURE_AUTH"};
constexpr std::array switches = {bit::SSL,  bit::FORCE_TLS,    bit::DENY_TLS,
                                 bit::AUTH, bit::REQUIRE_AUTH, bit::ALLOW_INSECURE_AUTH};
constexpr std::uint64_t all_switches =
    bit::SSL | bit::FORCE_TLS | bit::DENY_TLS | bit::AUTH | bit::REQUIRE_AUTH | bit::ALLOW_INSECURE_AUTH;

// semantics 5: a certificate is there, and a backend exactly when AUTH=1
Guards with_facts(std::uint64_t settings) {
  return {settings | bit::certificate | ((settings & bit::AUTH) != 0 ? bit::backend : 0)};
}
Guards guards_of(const SeedCell& cell) {
  std::uint64_t settings = 0;
  for (std::size_t i = 0; i < switches.size(); ++i) settings |= cell.settings[i + 1] == 1 ? switches[i] : 0;
  return with_facts(settings);
}
std::string listed(Guards guards) {
  engine::ReplyWriter writer;
  const auto reply = writer.write(Reply::capabilities, {.host = "h", .verdict = {}}, guards);
  return std::string(reply.contains("AUTH LOGIN PLAIN\r\n") && reply.contains("AUTH=LOGIN PLAIN\r\n") ? "A" : "") +
         (reply.contains("STARTTLS\r\n") ? "S" : "");
}

TEST(Cells, are_the_fourteen_of_the_seed) {
  const Model model = testing::load_spec(POSTERN_SOURCE_FOLDER "/spec");
  ASSERT_EQ(model.cells.size(), seed.size());
  for (std::size_t i = 0; i < seed.size(); ++i) {
    std::map<std::string, std::int64_t> settings(model.cells[i].settings.begin(), model.cells[i].settings.end());
    ASSERT_EQ(settings.size(), names.size());
    for (std::size_t n = 0; n < names.size(); ++n)
      EXPECT_EQ(settings[names[n]], seed[i].settings[n]) << model.cells[i].source << ", " << names[n];
    std::string marks;
    for (const std::string& mark : model.cells[i].marks) marks += mark + " ";
    EXPECT_EQ(marks, seed[i].marks) << model.cells[i].source;
  }
}

// semantics 5: the seed's red background and red text are no opinion, they follow
TEST(Cells, are_marked_by_what_their_settings_mean) {
  for (const SeedCell& cell : seed) {
    const std::string_view marks = cell.marks;
    const Guards guards = guards_of(cell);
    EXPECT_EQ(marks.contains("dangerous"), guards.has(bit::AUTH) && guards.has(bit::ALLOW_INSECURE_AUTH));
    EXPECT_EQ(marks.contains("not_for_mx"), guards.has(bit::REQUIRE_AUTH));
    EXPECT_FALSE(marks.contains("standard") && marks.contains("dangerous"));
    // RFC 6409 4.3; RFC 8314 3.3: what is standard on 587 and 465 authenticates, and encrypts
    const bool is_submission = cell.settings[0] != 25 && marks.contains("standard");
    EXPECT_FALSE(is_submission && !guards.has(bit::REQUIRE_AUTH));
    // RFC 3207 4: a server of an MX record must not require STARTTLS
    EXPECT_FALSE(cell.settings[0] == 25 && guards.has(bit::FORCE_TLS));
  }
}

TEST(Cells, all_greet_and_list_what_the_seed_wants) {
  for (const SeedCell& cell : seed) {
    Guards guards = start(guards_of(cell));
    const Decision greeting = testing::decide(guards, Event::connect_ready);
    EXPECT_EQ(name_of(greeting.rule), "connect.greet");
    const std::string in_clear = guards.has(bit::channel_clear) ? listed(greeting.after) : "";
    EXPECT_EQ(in_clear, cell.in_clear);
    guards = greeting.after;
    guards.bits &= ~bit::channel_clear;
    if (!guards.has(bit::channel_implicit)) guards.bits |= bit::channel_starttls;
    const std::string encrypted = guards.has(bit::DENY_TLS) ? "" : listed(guards);  // no session gets there
    EXPECT_EQ(encrypted, cell.encrypted);
  }
}

class AllSettings : public ::testing::Test {
 protected:
  struct Seen {
    std::string start;  // the rule that decides connect.ready
    bool password_in_clear = false;
    std::set<std::string> behaviour;  // every decision, without the settings
  };

  static void SetUpTestSuite() {
    const Model model = testing::load_spec(POSTERN_SOURCE_FOLDER "/spec");
    testing::for_each_decision(model, [](const Decision& d) {
      const std::uint64_t settings = d.before.bits & all_switches;
      const bool is_counted = d.before.has(bit::errors_spent | bit::auth_attempts_spent);
      const bool is_other = is_counted || d.before.has(bit::relay_client | bit::local_only) ||
                            !d.before.has(bit::certificate) || d.before.has(bit::backend) != d.before.has(bit::AUTH);
      if (!is_other) see(seen_[settings], d);
    });
  }
  static void see(Seen& seen, const Decision& d) {
    if (d.event == Event::connect_ready) seen.start = name_of(d.rule);
    const bool asks = d.code == 334 || d.code == 235 || d.effect == Effect::check_credentials;
    if (d.before.has(bit::channel_clear) && asks) seen.password_in_clear = true;
    constexpr std::uint64_t facts = all_switches | bit::certificate | bit::backend;
    const std::string list = d.event == Event::ehlo ? listed(d.after) : "";
    if (!name_of(d.event).starts_with("connect."))
      seen.behaviour.insert(std::to_string(d.before.bits & ~facts) + " " + std::string(name_of(d.event)) + " " +
                            std::to_string(d.code) + " " + std::to_string(static_cast<int>(d.effect)) + " " +
                            std::to_string(d.after.bits & ~facts) + list);
  }
  static std::size_t count(auto is_so) {
    return static_cast<std::size_t>(
        std::ranges::count_if(seen_, [&](const auto& each) { return is_so(each.first, each.second); }));
  }

  static inline std::map<std::uint64_t, Seen> seen_;
};

TEST_F(AllSettings, are_64_of_which_22_are_refused_1_is_dead_and_41_live) {
  EXPECT_EQ(seen_.size(), 64U);
  const auto starting = [](const char* rule) {
    return count([&](std::uint64_t, const Seen& seen) { return seen.start == rule; });
  };
  EXPECT_EQ(starting("connect.force_and_deny"), 8U);
  EXPECT_EQ(starting("connect.require_auth_without_auth"), 14U);
  EXPECT_EQ(starting("connect.dead"), 1U);
  EXPECT_EQ(starting("connect.greet"), 41U);
}

TEST_F(AllSettings, let_a_password_cross_in_clear_in_6_of_them_2_with_force_tls) {
  EXPECT_EQ(count([](std::uint64_t, const Seen& seen) { return seen.password_in_clear; }), 6U);
  EXPECT_EQ(count([](std::uint64_t settings, const Seen& seen) {
              return seen.password_in_clear && (settings & bit::FORCE_TLS) != 0;
            }),
            2U);
}

TEST_F(AllSettings, come_to_16_behaviours) {
  std::set<std::set<std::string>> behaviours;
  for (const auto& [settings, seen] : seen_) {
    if (seen.start == "connect.greet") behaviours.insert(seen.behaviour);
  }
  EXPECT_EQ(behaviours.size(), 16U);
}

}  // namespace
}  // namespace postern::spec
