#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "observe/metrics.hpp"
#include "observe/metrics_text.hpp"
#include "observe/question_counts.hpp"

namespace postern::observe {
namespace {

using namespace std::chrono_literals;
using ask::OpenQuestion;
using ask::Outcome;
using ask::Source;

std::string page(const Metrics& metrics) {
  return to_text(metrics, {}, {.version = "1.2.3", .policy = "abc"}, TextFormat::prometheus);
}

void expect_line(const std::string& text, const std::string& line) {
  EXPECT_TRUE(text.contains("\n" + line + "\n")) << line << " is missing in\n" << text;
}

TEST(QuestionCounts, a_question_is_open_until_it_has_ended_once) {
  Metrics metrics(1, {});
  QuestionCounts& counts = metrics.question_counts();
  OpenQuestion question(&counts, Source::policy_service, "tcp:127.0.0.1:1");
  expect_line(page(metrics), R"(postern_open_questions{source="policy_service",name="tcp:127.0.0.1:1"} 1)");
  question.end(Outcome::refused);
  question.end(Outcome::accepted);
  const std::string text = page(metrics);
  expect_line(text, R"(postern_open_questions{source="policy_service",name="tcp:127.0.0.1:1"} 0)");
  expect_line(text, R"(postern_questions_total{source="policy_service",name="tcp:127.0.0.1:1"} 1)");
  expect_line(text, R"(postern_answers_total{source="policy_service",name="tcp:127.0.0.1:1",outcome="refused"} 1)");
  expect_line(text, R"(postern_answers_total{source="policy_service",name="tcp:127.0.0.1:1",outcome="accepted"} 0)");
  expect_line(text, R"(postern_question_seconds_count{source="policy_service",name="tcp:127.0.0.1:1"} 1)");
  expect_line(text, R"(postern_question_seconds_bucket{source="policy_service",name="tcp:127.0.0.1:1",le="+Inf"} 1)");
}

TEST(QuestionCounts, one_that_nobody_waits_for_is_abandoned) {
  QuestionCounts counts;
  {
    OpenQuestion question(&counts, Source::dns_list, "bl.test");
    OpenQuestion moved = std::move(question);
    OpenQuestion another(&counts, Source::dns_list, "bl.test");
    another = std::move(moved);
    EXPECT_EQ(1U, counts.rows().at(0).ended());
  }
  const QuestionCounts::Row row = counts.rows().at(0);
  EXPECT_EQ(2U, row.asked);
  EXPECT_EQ(2U, row.outcomes[std::to_underlying(Outcome::abandoned)]);
}

TEST(QuestionCounts, what_is_remembered_was_not_asked) {
  Metrics metrics(1, {});
  metrics.question_counts().remembered(Source::dns_list, "bl.test");
  const std::string text = page(metrics);
  expect_line(text, R"(postern_dns_list_cache_hits_total{list="bl.test"} 1)");
  expect_line(text, R"(postern_questions_total{source="dns_list",name="bl.test"} 0)");
}

TEST(QuestionCounts, a_source_without_a_name_has_no_such_label) {
  Metrics metrics(1, {});
  OpenQuestion(&metrics.question_counts(), Source::mailbox).end(Outcome::failed);
  expect_line(page(metrics), R"(postern_answers_total{source="mailbox",outcome="failed"} 1)");
}

TEST(QuestionCounts, where_nothing_was_asked_nothing_is_shown) {
  EXPECT_FALSE(page(Metrics(1, {})).contains("postern_question"));
  OpenQuestion(nullptr, Source::mailbox).end(Outcome::failed);
}

TEST(QuestionCounts, each_outcome_has_a_series_for_each_source) {
  for (std::size_t source = 0; source < ask::source_count; ++source) {
    Metrics metrics(1, {});
    const bool is_list = static_cast<Source>(source) == Source::dns_list;
    for (std::size_t outcome = 0; outcome < ask::outcome_count; ++outcome) {
      const auto each = static_cast<Outcome>(outcome);
      const bool is_of_lists = each == Outcome::listed || each == Outcome::unlisted;
      const bool is_of_all = each == Outcome::failed || each == Outcome::abandoned;
      if (is_of_all || is_of_lists == is_list)
        OpenQuestion(&metrics.question_counts(), static_cast<Source>(source)).end(each);
    }
    std::size_t shown = 0;
    const std::string text = page(metrics);
    for (std::size_t at = 0; (at = text.find("postern_answers_total{", at)) != std::string::npos; ++at) {
      ++shown;
      EXPECT_EQ(" 1", text.substr(text.find('\n', at) - 2, 2));
    }
    EXPECT_EQ(metrics.question_counts().rows().at(0).ended(), shown);
  }
}

TEST(QuestionCounts, names_are_bounded) {
  QuestionCounts counts;
  for (std::size_t i = 0; i < QuestionCounts::max_rows + 10; ++i)
    OpenQuestion(&counts, Source::dns_list, std::to_string(i)).end(Outcome::listed);
  EXPECT_EQ(std::size_t{QuestionCounts::max_rows}, counts.rows().size());
}

TEST(QuestionCounts, threads_lose_nothing) {
  QuestionCounts counts;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&counts, i] {
      for (int n = 0; n < 2000; ++n)
        OpenQuestion(&counts, Source::policy_service, std::to_string(i % 2)).end(Outcome::accepted);
    });
  for (std::thread& thread : threads) thread.join();
  for (const QuestionCounts::Row& row : counts.rows()) {
    EXPECT_EQ(4000U, row.asked);
    EXPECT_EQ(4000U, row.ended());
  }
}

}  // namespace
}  // namespace postern::observe
