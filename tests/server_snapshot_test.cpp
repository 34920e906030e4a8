#include <gtest/gtest.h>

#include <algorithm>
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
  EXPECT_NE(std::string::npos, lines_.all.back().find("rules.cdb is not a cdb")) << lines_.all.back();
  EXPECT_FALSE(make_snapshot(before->policies, nullptr, journal())->rules[0]->has_rules()) << "there are none to keep";
}

TEST_F(Snapshots, lists_are_read_again_until_they_can_be) {
  home_.write("control/morercpthosts.cdb", "no cdb");
  const auto before = make();
  ASSERT_NE(nullptr, before);
  EXPECT_EQ(1U, before->lists->unreadable());
  EXPECT_EQ(nullptr, with_lists_read_again(*before, journal()));
  home_.write_cdb("control/morercpthosts.cdb", {{"more.example", ""}});
  home_.write("control/badmailfrom", "sp\xe4m@example\n");  // a change, and so for a reload
  EXPECT_EQ(nullptr, with_lists_read_again(*before, journal(), {}, Failures::stay));
  const auto after = with_lists_read_again(*before, journal());
  ASSERT_NE(nullptr, after);
  EXPECT_EQ(0U, after->lists->unreadable());
  EXPECT_EQ(before->policies, after->policies);
  EXPECT_EQ(&*before->lists->badmailfrom, &*after->lists->badmailfrom) << "what could be read is not read again";
  EXPECT_NE(&*before->lists->rcpthosts, &*after->lists->rcpthosts);
  EXPECT_EQ(nullptr, with_lists_read_again(*after, journal())) << "all is well";
}

TEST(ListRetry, it_comes_soon_and_then_more_seldom) {
  using std::chrono::milliseconds;
  ListRetry retry;
  const base::Time begin{};
  std::vector<int> tries;  // in half seconds, as the ticks of upkeep.hpp
  const auto run = [&](int from, int to) {
    tries.clear();
    for (int tick = from; tick < to; ++tick)
      if (retry.is_due(begin + milliseconds(500 * tick))) tries.push_back(tick - from);
  };
  retry.begin(begin);
  EXPECT_FALSE(retry.is_due(begin)) << "it was read just now";
  run(0, 81);
  EXPECT_EQ((std::vector{1, 3, 7, 14, 27, 43, 59, 75}), tries);
  retry.begin(begin + milliseconds(500 * 81));
  run(81, 91);
  EXPECT_EQ((std::vector{1, 3, 7}), tries) << "others were read";
}

// Of a class that nobody knew when the snapshot was made.
TEST_F(Snapshots, a_cdb_of_valid_recipients_that_is_named_later_is_read_then) {
  using Standing = ask::ValidRecipients::Standing;
  home_.write_cdb("late.cdb", {{"user@example", ""}});
  const auto before = make();
  ASSERT_NE(nullptr, before);
  std::string problem;
  EXPECT_EQ(Standing::unknowable, before->lists->standing_in("late.cdb", "user@example", problem));
  using namespace std::string_view_literals;
  EXPECT_EQ("late.cdb", before->policies->find(0, "+VALIDRCPTTO_CDB=late.cdb\0"sv)->start.valid_recipients);
  const auto after = with_lists_read_again(*before, journal());
  ASSERT_NE(nullptr, after);
  EXPECT_EQ(Standing::valid, after->lists->standing_in("late.cdb", "user@example", problem));
  EXPECT_EQ(Standing::unknown, after->lists->standing_in("late.cdb", "nobody@example", problem));
  EXPECT_EQ(nullptr, with_lists_read_again(*after, journal())) << "all is read";
}

// Without it every invented name is taken.
TEST_F(Snapshots, that_the_list_of_valid_recipients_is_gone_is_a_warning_once_a_change) {
  const auto warnings = [this] {
    return std::ranges::count_if(lines_.all, [](const std::string& line) {
      return line.contains("control/validrcptto.cdb is gone: without it each recipient of ours is taken");
    });
  };
  const auto without = make();
  home_.write_cdb("control/validrcptto.cdb", {{"user@example", ""}});
  const auto with = make(without.get());
  ASSERT_NE(nullptr, with);
  EXPECT_EQ(0, warnings()) << "a start without one may be meant";
  std::filesystem::remove("control/validrcptto.cdb");
  const auto gone = make(with.get());
  EXPECT_EQ(1, warnings());
  make(gone.get());
  EXPECT_EQ(1, warnings()) << "it was said";
  home_.write("control/validrcptto.cdb", "no cdb");
  const auto broken = make(with.get());
  EXPECT_EQ(1, warnings()) << "its recipients are deferred";
  std::filesystem::remove("control/validrcptto.cdb");
  make(broken.get());
  EXPECT_EQ(2, warnings()) << "and now taken";
}

// Of a session that outlives the policies that named it: it exists, though its file may not.
TEST_F(Snapshots, a_cdb_of_valid_recipients_stays_as_long_as_a_session_may_ask_for_it) {
  using namespace std::string_view_literals;
  using Standing = ask::ValidRecipients::Standing;
  home_.write_cdb("old.cdb", {{"user@example", ""}});
  std::string problem;
  auto before = make();
  ASSERT_NE(nullptr, before);
  std::shared_ptr<const ServiceProfile> session = before->policies->find(0, "+VALIDRCPTTO_CDB=old.cdb\0"sv);
  before = with_lists_read_again(*before, journal());
  ASSERT_NE(nullptr, before);
  std::filesystem::remove("old.cdb");
  auto after = make(before.get());
  ASSERT_NE(nullptr, after);
  EXPECT_EQ(Standing::valid, after->lists->standing_in("old.cdb", "user@example", problem));
  EXPECT_EQ(Standing::unknown, after->lists->standing_in("old.cdb", "nobody@example", problem));

  SnapshotShelf shelf;
  shelf.make_room();
  shelf.add(std::move(before));
  EXPECT_TRUE(shelf.valid_recipients().contains("old.cdb"));
  shelf.forget_unused();
  EXPECT_TRUE(shelf.valid_recipients().contains("old.cdb")) << "the session has its class";
  EXPECT_EQ(nullptr, with_lists_read_again(*after, journal(), shelf.valid_recipients()));
  const auto much_later = make_snapshot(after->policies, after.get(), journal(), shelf.valid_recipients());
  EXPECT_EQ(Standing::valid, much_later->lists->standing_in("old.cdb", "user@example", problem));

  session.reset();
  shelf.forget_unused();
  const auto without = with_lists_read_again(*much_later, journal(), shelf.valid_recipients());
  ASSERT_NE(nullptr, without) << "its memory is given back";
  EXPECT_EQ(Standing::unknowable, without->lists->standing_in("old.cdb", "user@example", problem));
}

TEST_F(Snapshots, that_no_domain_is_ours_any_more_is_a_warning_once_a_change) {
  const auto warnings = [this] {
    return std::ranges::count_if(lines_.all, [](const std::string& line) { return line.contains("warning: "); });
  };
  const auto ours = make();
  ASSERT_NE(nullptr, ours);
  EXPECT_EQ(0, warnings());
  home_.write("control/rcpthosts", "# nobody\n\n");
  const auto empty = make(ours.get());
  ASSERT_EQ(1, warnings());
  EXPECT_TRUE(lines_.all.back().contains(
      "control/rcpthosts names no domain: none is ours, and mail is taken only from those who may relay"))
      << lines_.all.back();
  const auto as_before = make(empty.get());
  EXPECT_EQ(1, warnings()) << "it was said";
  std::filesystem::remove("control/rcpthosts");
  const auto gone = make(as_before.get());
  ASSERT_EQ(2, warnings());
  EXPECT_TRUE(lines_.all.back().contains("there is no control/rcpthosts: no domain is ours")) << lines_.all.back();
  make();
  EXPECT_EQ(3, warnings()) << "a start says it, too";
  home_.write("control/rcpthosts", "");
  home_.write_cdb("control/morercpthosts.cdb", {{"example", ""}});
  make(gone.get());
  EXPECT_EQ(3, warnings()) << "morercpthosts.cdb names one";
}

TEST_F(Snapshots, a_list_that_cannot_be_read_is_not_called_empty) {
  home_.write("control/rcpthosts", "sp\xe4m\n");
  ask::RecipientLists lists;
  lists.read();
  EXPECT_EQ("", lists.rcpthosts->why_none_is_ours());
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
