#include <gtest/gtest.h>

#include <filesystem>

#include "server/snapshot.hpp"
#include "tests/daemon_home.hpp"

namespace postern::server {
namespace {

class Lines final : public observe::LogOutput {
 public:
  void write(std::string_view line) override { all.emplace_back(line); }
  std::vector<std::string> all;
};

class Snapshots : public ::testing::Test {
 protected:
  void SetUp() override {
    home_.write("control/me", "mx.example\n");
    home_.write("control/rcpthosts", "example\n");
    home_.write_cdb("rules.cdb", {{"", ""}, {"127.0.0.1", "D"}});
    std::filesystem::create_directory("mail");
  }
  std::shared_ptr<const Snapshot> make(const Snapshot* before = nullptr) {
    config::Configuration settings;
    for (const char* place : {"listener 0", "listener 1"}) {
      config::ListenerSettings& listener = settings.listeners.emplace_back();
      listener.place = place;
      listener.variables = {"POSTERN_MAILDIR=mail", "DENY_TLS=1"};
      listener.tcprules = "rules.cdb";
    }
    auto policies = Policies::make(std::move(settings), nullptr, voice_).value_or(nullptr);
    if (policies == nullptr || !policies->open_deliveries(deliveries_, Policies::Programs::allowed)) return nullptr;
    return make_snapshot(std::move(policies), before, journal());
  }
  observe::Journal journal() { return observe::Journal("none", {}, voice_); }

  tests::Home home_;
  Lines lines_;
  observe::LogVoice voice_{.program = "postern", .output = &lines_};
  Deliveries deliveries_;
};

TEST_F(Snapshots, a_file_of_two_listeners_is_read_once) {
  const auto snapshot = make();
  ASSERT_NE(nullptr, snapshot);
  EXPECT_EQ(snapshot->rules[0], snapshot->rules[1]);
  EXPECT_TRUE(snapshot->rules[0]->has_rules());
  EXPECT_EQ(0U, snapshot->lists->unreadable());
}

TEST_F(Snapshots, tcprules_that_broke_after_they_were_judged_keep_their_last_rules) {
  const auto before = make();
  ASSERT_NE(nullptr, before);
  home_.write("rules.cdb", "no cdb at all");
  const auto after = make_snapshot(before->policies, before.get(), journal());
  EXPECT_EQ(before->rules[0], after->rules[0]);
  ASSERT_FALSE(lines_.all.empty());
  EXPECT_NE(std::string::npos, lines_.all.back().find("rules.cdb is no cdb")) << lines_.all.back();
  EXPECT_FALSE(make_snapshot(before->policies, nullptr, journal())->rules[0]->has_rules()) << "there are none to keep";
}

TEST_F(Snapshots, lists_are_read_again_until_they_can_be) {
  home_.write("control/morercpthosts.cdb", "no cdb");
  const auto before = make();
  ASSERT_NE(nullptr, before);
  EXPECT_EQ(1U, before->lists->unreadable());
  EXPECT_EQ(nullptr, with_lists_read_again(*before));
  home_.write_cdb("control/morercpthosts.cdb", {{"more.example", ""}});
  home_.write("control/badmailfrom", "sp\xe4m@example\n");
  EXPECT_EQ(nullptr, with_lists_read_again(*before)) << "another one is not readable any more: nothing is won";
  std::filesystem::remove("control/badmailfrom");
  const auto after = with_lists_read_again(*before);
  ASSERT_NE(nullptr, after);
  EXPECT_EQ(0U, after->lists->unreadable());
  EXPECT_EQ(before->policies, after->policies);
  EXPECT_EQ(nullptr, with_lists_read_again(*after)) << "all is well";
}

// Of a session that outlives two snapshots with the same policies.
TEST_F(Snapshots, what_a_session_has_of_a_replaced_snapshot_ends_on_the_shelf) {
  auto first = make();
  ASSERT_NE(nullptr, first);
  auto second = std::make_shared<const Snapshot>(*first);
  std::shared_ptr<const ServiceProfile> session = first->classes[0].find("")->second;
  const std::weak_ptr<const ServiceProfile> in_use = session, unused = first->classes[1].find("")->second;
  const std::weak_ptr<const Policies> policies = first->policies;
  SnapshotShelf shelf;
  shelf.make_room();
  shelf.add(std::move(first));
  shelf.forget_unused();
  EXPECT_FALSE(policies.expired()) << "the second has them";
  std::shared_ptr<const Snapshot> of_a_loop = second;
  shelf.make_room();
  shelf.add(std::move(second));
  shelf.forget_unused();
  EXPECT_FALSE(policies.expired()) << "a loop has it";
  of_a_loop.reset();
  shelf.forget_unused();
  EXPECT_TRUE(policies.expired());
  EXPECT_TRUE(unused.expired());
  session.reset();
  EXPECT_FALSE(in_use.expired()) << "it does not end with the session, which is on a loop";
  shelf.forget_unused();
  EXPECT_TRUE(in_use.expired());
}

}  // namespace
}  // namespace postern::server
