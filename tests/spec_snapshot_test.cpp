// The snapshot, and with it the policy's hash, tells every law, limit, default and text: none changes in silence.
#include <gtest/gtest.h>

#include <functional>

#include "spec/verify.hpp"
#include "spec/writers.hpp"

namespace postern::spec {
namespace {

struct Whole {
  Model model;
  Laws laws;
  std::vector<Limit> limits;
  std::vector<DecisionElsewhere> elsewhere;
};

class Snapshot : public ::testing::Test {
 protected:
  Snapshot() {
    Problems problems;
    whole_.model = load_model(POSTERN_SOURCE_FOLDER "/spec", problems);
    whole_.laws = load_laws(POSTERN_SOURCE_FOLDER "/spec", whole_.model, problems);
    whole_.limits = load_limits(POSTERN_SOURCE_FOLDER "/spec", problems);
    whole_.elsewhere = load_elsewhere(POSTERN_SOURCE_FOLDER "/spec", problems);
    EXPECT_TRUE(problems.empty());
    reach_ = verify(whole_.model, problems);
    original_ = written(whole_);
  }

  // Only what is no decision: that part is the same for every change tried here, and slow.
  [[nodiscard]] static std::string written(const Whole& whole) {
    return write_snapshot_of_texts(whole.model) + write_snapshot_of_elsewhere(whole.elsewhere) +
           write_snapshot_of_limits(whole.limits) + write_snapshot_of_laws(whole.laws);
  }

  void expect_told(const std::string& what, const std::function<void(Whole&)>& change) const {
    Whole other = whole_;
    change(other);
    EXPECT_NE(written(other), original_) << what << " changes in silence";
  }

  Whole whole_;
  Reach reach_;
  std::string original_;
};

TEST_F(Snapshot, has_those_parts) {
  EXPECT_TRUE(write_snapshot(whole_.model, reach_, whole_.laws, whole_.limits, whole_.elsewhere).ends_with(original_));
}

TEST_F(Snapshot, tells_every_decision_outside_the_table) {
  ASSERT_FALSE(whole_.elsewhere.empty());
  for (std::size_t i = 0; i < whole_.elsewhere.size(); ++i) {
    const std::string name = whole_.elsewhere[i].name;
    expect_told(name, [&](Whole& w) { w.elsewhere.erase(w.elsewhere.begin() + static_cast<std::ptrdiff_t>(i)); });
    expect_told(name, [&](Whole& w) { w.elsewhere[i].decides += "."; });
  }
}

TEST(ElsewhereFile, a_decision_is_whole_and_has_a_name_of_its_own) {
  Problems problems;
  EXPECT_EQ(1U, parse_elsewhere("[[decision]]\nname = \"a\"\n", problems).size());
  EXPECT_FALSE(problems.empty());
  problems.clear();
  const std::string row =
      "[[decision]]\nname = \"a\"\nwhere = \"w\"\ndecides = \"d\"\nwhy = \"y\"\nsource = \"s\"\ntests = []\n";
  EXPECT_EQ(1U, parse_elsewhere(row, problems).size());
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(2U, parse_elsewhere(row + row, problems).size());
  EXPECT_EQ(1U, problems.size());
}

TEST_F(Snapshot, tells_every_limit_default_and_text) {
  for (std::size_t i = 0; i < whole_.limits.size(); ++i)
    expect_told(whole_.limits[i].name, [&](Whole& w) { w.limits[i].value += "0"; });
  for (std::size_t i = 0; i < whole_.model.settings.size(); ++i)
    expect_told(whole_.model.settings[i].name, [&](Whole& w) { w.model.settings[i].default_value += "1"; });
  for (std::size_t i = 0; i < whole_.model.hand_over_texts.size(); ++i)
    expect_told(whole_.model.hand_over_texts[i].name, [&](Whole& w) { w.model.hand_over_texts[i].text += "."; });
  for (std::size_t i = 0; i < whole_.model.queue_exits.size(); ++i) {
    const std::string what = "exit " + std::to_string(whole_.model.queue_exits[i].first);
    expect_told(what, [&](Whole& w) { w.model.queue_exits[i].text += "."; });
    expect_told(what, [&](Whole& w) { w.model.queue_exits[i].last += 1; });
    expect_told(what, [&](Whole& w) { w.model.queue_exits[i].is_permanent = !w.model.queue_exits[i].is_permanent; });
  }
  for (std::size_t i = 0; i < whole_.model.replies.size(); ++i) {
    const std::string& what = whole_.model.replies[i].name;
    expect_told(what, [&](Whole& w) { w.model.replies[i].text += "."; });
    expect_told(what, [&](Whole& w) { w.model.replies[i].code += 1; });
    expect_told(what, [&](Whole& w) { w.model.replies[i].enhanced += "1"; });
  }
  for (std::size_t i = 0; i < whole_.model.cells.size(); ++i)
    expect_told(whole_.model.cells[i].source, [&](Whole& w) { w.model.cells[i].settings[1].second ^= 1; });
}

TEST_F(Snapshot, tells_every_law) {
  for (std::size_t i = 0; i < whole_.laws.names.size(); ++i)
    expect_told(whole_.laws.names[i].name, [&](Whole& w) { w.laws.names[i].text += " or SSL"; });
  for (std::vector<Law> Laws::* kind : {&Laws::invariants, &Laws::laws}) {
    for (std::size_t i = 0; i < (whole_.laws.*kind).size(); ++i) {
      const Law& law = (whole_.laws.*kind)[i];
      expect_told(law.name, [&](Whole& w) { (w.laws.*kind).erase((w.laws.*kind).begin() + std::ptrdiff_t(i)); });
      expect_told(law.name, [&](Whole& w) { (w.laws.*kind)[i].sentence += " Or not."; });
      for (std::size_t c = 0; c < law.never.size(); ++c)
        expect_told(law.name, [&](Whole& w) { (w.laws.*kind)[i].never[c].text += " and SSL"; });
    }
  }
  for (std::size_t i = 0; i < whole_.laws.possibilities.size(); ++i) {
    expect_told(whole_.laws.possibilities[i].name, [&](Whole& w) { w.laws.possibilities[i].when_text += " and SSL"; });
    expect_told(whole_.laws.possibilities[i].name, [&](Whole& w) { w.laws.possibilities[i].some_text = "always"; });
  }
}

TEST(Limits, are_read_from_their_header_and_nothing_else_may_stand_there) {
  Problems problems;
  const auto limits = parse_limits(
      "// head\n#pragma once\nnamespace postern::spec {\ninline constexpr unsigned a =\n  60 * 2;  // why; so\n"
      "inline constexpr std::uint64_t b = 1ULL;\n}  // namespace postern::spec\n",
      problems);
  EXPECT_TRUE(problems.empty());
  ASSERT_EQ(limits.size(), 2U);
  EXPECT_EQ(limits[0].name + "=" + limits[0].value, "a=60 * 2");
  EXPECT_EQ(limits[1].name + "=" + limits[1].value, "b=1ULL");
  static_cast<void>(parse_limits("namespace postern::spec { int a = 2; }", problems));
  EXPECT_EQ(problems.size(), 1U);
  static_cast<void>(parse_limits("inline constexpr int a = 2;", problems));
  EXPECT_GE(problems.size(), 2U);
}

}  // namespace
}  // namespace postern::spec
