// Each DNS list is counted by itself, and the log names one that is silent once in a while.
#include <gtest/gtest.h>

#include "observe/dns_list_counts.hpp"

namespace postern::observe {
namespace {

using namespace std::chrono_literals;
constexpr base::Time start{1000s};

ask::DnsVerdict verdict(std::vector<std::string> listed_by, std::vector<ask::Unanswered> unanswered) {
  return {.listed_by = std::move(listed_by), .unanswered = std::move(unanswered)};
}

TEST(DnsListCounts, a_list_is_counted_by_its_name) {
  DnsListCounts counts;
  for (int client = 0; client < 3; ++client)
    static_cast<void>(counts.take(verdict({"a.example"}, {{"b.example", "timed out"}}), start));
  static_cast<void>(counts.take(verdict({"a.example", "b.example"}, {}), start));
  const auto rows = counts.rows();
  ASSERT_EQ(2U, rows.size());
  EXPECT_EQ("a.example", rows[0].list);
  EXPECT_EQ(4U, rows[0].listed);
  EXPECT_EQ(0U, rows[0].failed);
  EXPECT_EQ(1U, rows[1].listed);
  EXPECT_EQ(3U, rows[1].failed);
}

TEST(DnsListCounts, a_silent_list_is_named_once_in_a_while) {
  DnsListCounts counts;
  const ask::DnsVerdict silent = verdict({}, {{"a.example", "timed out"}});
  EXPECT_EQ("a.example (timed out)", counts.take(silent, start));
  for (int client = 0; client < 17; ++client) EXPECT_EQ("", counts.take(silent, start + 9s));
  EXPECT_EQ("b.example (REFUSED)",
            counts.take(verdict({}, {{"a.example", "timed out"}, {"b.example", "REFUSED"}}), start));
  EXPECT_EQ("a.example (SERVFAIL)", counts.take(verdict({}, {{"a.example", "SERVFAIL"}}), start)) << "that is new";
  EXPECT_EQ("a.example (timed out; 18 clients more since the last line)", counts.take(silent, start + 10s));
  EXPECT_EQ("", counts.take(verdict({}, {}), start + 20s));
}

TEST(DnsListCounts, names_are_bounded) {
  DnsListCounts counts;
  for (std::size_t i = 0; i < 2 * DnsListCounts::max_names; ++i)
    static_cast<void>(counts.take(verdict({std::to_string(i)}, {}), start));
  EXPECT_EQ(DnsListCounts::max_names, counts.rows().size());
}

}  // namespace
}  // namespace postern::observe
