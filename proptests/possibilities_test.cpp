// Each single change of a possibility is noticed, by one of two things that are not written in the laws:
// - `when` fits a configuration if and only if a decision that `some` fits is met there (exhaustive_laws says so, too);
// - planted defects of the policy take from clients what a possibility promises, and it says so of each.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "proptests/mutants.hpp"
#include "spec/check_laws.hpp"
#include "spec/verify.hpp"

namespace postern::proptests {
namespace {

using Configurations = std::set<std::uint64_t>;

// Changes of the spec, by their names in mutants.cpp, after which the possibility does not hold.
struct Planted {
  std::string possibility;
  std::vector<std::string> changes;
};

const std::vector<Planted> all_planted = {
    {"every_live_configuration_accepts_mail", {"reply message_accepted: 354"}},
    {"every_live_configuration_accepts_mail", {"rule data_end.complete: waiting := command"}},
    {"every_live_configuration_accepts_mail", {"rule hand_over.accepted: reply message_deferred"}},
    {"starttls_can_be_reached", {"rule handshake.done: channel stays"}},
    {"starttls_can_be_reached", {"rule handshake.done: channel := clear", "rule rset: channel := starttls"}},
    {"auth_login_can_be_reached", {"rule response.check: effect none"}},
    {"auth_login_can_be_reached",
     {"rule response.check: effect none", "rule response.malformed: effect check_credentials"}},
    {"auth_login_can_be_reached",
     {"rule auth.password_challenge: waiting := plain_response", "rule response.next: waiting := plain_response"}},
    {"auth_plain_can_be_reached", {"rule auth.plain_check: effect none"}},
};

// A formula, and the configurations in which a session comes to a decision that it fits.
struct Some {
  std::string name;
  spec::Expression formula;
  Configurations met = {};
};

class Possibilities : public ::testing::Test {
 protected:
  Possibilities() {
    model_ = spec::load_model(POSTERN_SOURCE_FOLDER "/spec", problems_);
    laws_ = load_laws(POSTERN_SOURCE_FOLDER "/spec", model_, problems_);
    all_ = configuration_bits(model_);
    const Spec parts = take_apart(model_);
    for (const Planted& planted : all_planted) planted_.push_back(plant(parts, planted));
  }

  static spec::Model plant(const Spec& parts, const Planted& planted) {
    const std::vector<Mutant> mutants = mutants_of(parts);
    Spec changed = parts;
    for (const std::string& name : planted.changes) {
      const auto found = std::ranges::find(mutants, name, &Mutant::name);
      EXPECT_NE(found, mutants.end()) << name;
      if (found != mutants.end()) found->change(changed);
    }
    return put_together(std::move(changed));
  }

  void meet(const spec::Model& model, std::vector<Some>& all) const {
    for (Some& some : all) some.met.clear();
    static_cast<void>(explore(model, [&](std::uint64_t word, std::size_t event, const spec::Row& row) {
      const spec::Assignment values = describe(laws_.words, {model, to_assignment(word, model), event, row.rule});
      for (Some& some : all) {
        if (holds(some.formula, values)) some.met.insert(word & all_);
      }
    }));
  }

  [[nodiscard]] Configurations where(const spec::Expression& when) const {
    Configurations found;
    for (std::uint64_t bits = all_;; bits = (bits - 1) & all_) {
      if (holds(when, to_assignment(bits, model_))) found.insert(bits);
      if (bits == 0) return found;
    }
  }

  // The possibility itself, and changes of it that are met where it is and nowhere else.
  [[nodiscard]] std::vector<Some> alike(const spec::Possibility& law) const {
    std::vector<Some> all{{law.some_text, law.some}};
    for (const ChangedExpression& changed : mutants_of(law.some, laws_.words.variables))
      all.push_back({changed.how, changed.expression});
    meet(model_, all);
    const Configurations wanted = where(law.when);
    EXPECT_EQ(all[0].met, wanted) << law.name;
    std::erase_if(all, [&](const Some& some) { return some.met != wanted; });
    return all;
  }

  spec::Problems problems_;
  spec::Model model_;
  spec::Laws laws_;
  std::uint64_t all_ = 0;
  std::vector<spec::Model> planted_;
};

TEST_F(Possibilities, say_exactly_where_and_no_change_of_what_goes_unnoticed) {
  ASSERT_TRUE(problems_.empty()) << problems_.front().what;
  for (const spec::Possibility& law : laws_.possibilities) {
    const Configurations wanted = where(law.when);
    const auto holds_of = [&](const Some& some) { return std::ranges::includes(some.met, wanted); };
    std::vector<Some> all = alike(law);
    std::set<std::string> unnoticed;
    for (const Some& some : all) unnoticed.insert(some.name);
    for (std::size_t i = 0; i < planted_.size(); ++i) {
      if (all_planted[i].possibility != law.name) continue;
      meet(planted_[i], all);
      EXPECT_FALSE(holds_of(all[0])) << law.name << " holds in spite of: " << all_planted[i].changes[0];
      for (const Some& some : all) {
        if (holds_of(some)) unnoticed.erase(some.name);
      }
    }
    EXPECT_EQ(unnoticed, std::set<std::string>{law.some_text}) << law.name;
  }
}

TEST_F(Possibilities, are_each_missed_when_dropped) {
  for (const Planted& planted : all_planted)
    EXPECT_NE(std::ranges::find(laws_.possibilities, planted.possibility, &spec::Possibility::name),
              laws_.possibilities.end())
        << planted.possibility;
  for (const spec::Possibility& law : laws_.possibilities)
    EXPECT_NE(std::ranges::find(all_planted, law.name, &Planted::possibility), all_planted.end()) << law.name;
}

}  // namespace
}  // namespace postern::proptests
