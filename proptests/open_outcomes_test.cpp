// A law that is dropped or weakened lets something through, and that is found: the search can fail.
#include "proptests/open_outcomes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "spec/check_laws.hpp"
#include "spec/verify.hpp"

namespace postern::proptests {
namespace {

class WeakenedLaws : public ::testing::Test {
 protected:
  WeakenedLaws() {
    model_ = spec::load_model(POSTERN_SOURCE_FOLDER "/spec", problems_);
    std::ifstream file(POSTERN_SOURCE_FOLDER "/spec/laws.toml", std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    laws_ = text.str();
  }

  void drop(std::string_view clause) {
    const std::size_t at = laws_.find(clause);
    ASSERT_NE(at, std::string::npos) << clause;
    laws_.erase(at, clause.size());
  }

  // Holes in the laws as they are, except that `old` is now `changed`; of decisions about that event, and of starts.
  std::set<std::string> holes(std::string_view event, std::string_view old, std::string_view changed) {
    std::string text = laws_;
    const std::size_t at = text.find(old);
    EXPECT_NE(at, std::string::npos) << old;
    text.replace(at, old.size(), changed);
    const spec::Laws laws = parse_laws(text, model_, problems_);
    EXPECT_TRUE(problems_.empty()) << problems_.front().what;
    Forbidden forbidden(model_, laws);
    std::map<Place, Where> places;
    const auto number = static_cast<std::size_t>(std::ranges::find(model_.events, event, &spec::EventRow::name) -
                                                 model_.events.begin());
    static_cast<void>(explore(model_, [&](std::uint64_t word, std::size_t each, const spec::Row& row) {
      if (each == number) places[place_of(model_, forbidden, word, each, row.rule)].see(each, word);
    }));
    const std::uint64_t all = configuration_bits(model_);
    for (std::uint64_t bits = all; bits != 0; bits = (bits - 1) & all)
      places[start_of(model_, forbidden, bits)].see(0, bits);
    OpenOutcomes found(model_, forbidden);
    for (const auto& [place, where] : places) found.look_at(place, where);
    EXPECT_EQ(found.broken(), std::set<std::string>{});
    return found.holes();
  }

  static bool mentions(const std::set<std::string>& holes, std::string_view words) {
    return std::ranges::any_of(holes, [&](const std::string& hole) { return hole.contains(words); });
  }

  spec::Problems problems_;
  spec::Model model_;
  std::string laws_;
};

constexpr std::string_view no_relay =
    "  \"event is recipient.foreign and effect is add_recipient and not relay_client and authentication is none\",\n";

// Another law says it, too, by the reply: each alone is enough.
constexpr std::string_view said_by_the_reply =
    "  \"event is recipient.foreign and not relay_client and authentication is none and not reply is "
    "not_our_domain\",\n";

TEST_F(WeakenedLaws, have_no_hole_as_they_are) {
  EXPECT_EQ(holes("recipient.foreign", "", ""), std::set<std::string>{});
}

TEST_F(WeakenedLaws, let_strangers_relay_without_the_clauses_about_it) {
  EXPECT_FALSE(mentions(holes("recipient.foreign", no_relay, ""), "rule recipient.not_ours: effect add_recipient"));
  drop(said_by_the_reply);
  EXPECT_TRUE(mentions(holes("recipient.foreign", no_relay, ""), "rule recipient.not_ours: effect add_recipient"));
}

TEST_F(WeakenedLaws, let_strangers_relay_when_the_clause_speaks_of_some_settings_alone) {
  drop(said_by_the_reply);
  for (const std::string_view condition : {"SSL", "not FORCE_TLS", "channel is starttls", "greeting is ehlo"}) {
    const std::string clause(no_relay.substr(0, no_relay.size() - 3));
    const std::string weaker = clause + " and " + std::string(condition) + "\",\n";
    EXPECT_TRUE(mentions(holes("recipient.foreign", no_relay, weaker), "rule recipient.not_ours: effect add_recipient"))
        << condition;
  }
}

TEST_F(WeakenedLaws, let_something_be_listed_or_not) {
  EXPECT_TRUE(mentions(holes("ehlo", "\"not advertised.SIZE\", ", ""), "rule ehlo: does not list SIZE"));
  EXPECT_TRUE(
      mentions(holes("ehlo", "\"advertised.STARTTLS and not channel is clear\", ", ""), "rule ehlo: lists STARTTLS"));
}

TEST_F(WeakenedLaws, let_a_session_begin_otherwise) {
  EXPECT_TRUE(mentions(holes("rset", "  \"waiting is connect and authentication is done\",\n", ""), "the start"));
}

// What one law then no longer forbids another one wants, so that the table breaks it.
TEST_F(WeakenedLaws, are_broken_when_a_name_of_theirs_means_less) {
  const std::string_view old = "is = \"FORCE_TLS and not SSL\"";
  std::string text = laws_;
  text.replace(text.find(old), old.size(), "is = \"FORCE_TLS and not SSL and not AUTH\"");
  const spec::Laws laws = parse_laws(text, model_, problems_);
  EXPECT_FALSE(find_breaches(model_, laws, spec::Search::first_breach).empty());
}

}  // namespace
}  // namespace postern::proptests
