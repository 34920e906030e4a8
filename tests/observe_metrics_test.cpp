#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "observe/metrics.hpp"
#include "observe/metrics_text.hpp"

namespace postern::observe {
namespace {

using namespace std::chrono_literals;

constexpr Build build{.version = "1.2.3", .policy = "abc"};

std::string page(const Metrics& metrics, TextFormat format = TextFormat::prometheus) {
  return to_text(metrics, {}, build, format);
}

void expect_line(const std::string& text, const std::string& line) {
  EXPECT_TRUE(text.contains("\n" + line + "\n")) << line << " is missing in\n" << text;
}

TEST(Metrics, figures_of_all_shards_are_summed) {
  Metrics metrics(3, {"network.denied", "clients.too_many"});
  metrics.shard(0).session_opened();
  metrics.shard(1).session_opened();
  metrics.shard(2).session_opened();
  metrics.shard(2).session_closed();
  metrics.shard(0).connection_refused(1);
  metrics.shard(0).replied(250);
  metrics.shard(1).replied(250);
  metrics.shard(1).rule_hit(spec::Rule{});
  const std::string text = page(metrics);
  expect_line(text, "postern_open_sessions 2");
  expect_line(text, "postern_sessions_total 3");
  expect_line(text, "postern_connections_refused_total{rule=\"network.denied\"} 0");
  expect_line(text, "postern_connections_refused_total{rule=\"clients.too_many\"} 1");
  expect_line(text, "postern_replies_total{code=\"250\"} 2");
  expect_line(text, "postern_rule_hits_total{rule=\"" + std::string(spec::name_of(spec::Rule{})) + "\"} 1");
  expect_line("\n" + text, "postern_build_info{version=\"1.2.3\",policy=\"abc\"} 1");
}

TEST(Metrics, a_session_may_end_in_another_shard) {
  Metrics metrics(2, {});
  metrics.shard(0).session_opened();
  metrics.shard(1).session_closed();
  expect_line(page(metrics), "postern_open_sessions 0");
}

TEST(Metrics, a_shadow_is_shown_once_there_is_one) {
  Metrics metrics(1, {});
  EXPECT_FALSE(page(metrics).contains("shadow"));
  ShadowCounts& counts = metrics.shadow_counts();
  for (int i = 0; i < 3; ++i) counts.begun();
  static_cast<void>(counts.differs(spec::Rule::mail_accepted, Would(spec::Rule::mail_starttls_first), {}));
  static_cast<void>(counts.differs(spec::Rule::mail_accepted, Would(spec::Question::credentials), {}));
  const std::string text = page(metrics);
  expect_line(text, "postern_shadow_sessions_total 3");
  expect_line(text, R"(postern_shadow_differences_total{rule="mail.accepted",would="mail.starttls_first"} 1)");
  expect_line(text, R"(postern_shadow_differences_total{rule="mail.accepted",would="ask.credentials"} 1)");
  EXPECT_EQ(&counts, &metrics.shadow_counts());
}

TEST(ShadowCounts, a_line_of_a_pair_is_due_once_a_minute) {
  ShadowCounts counts;
  const base::Time begin{std::chrono::hours(1)};
  const Would would(spec::Rule::mail_starttls_first);
  EXPECT_EQ(counts.differs(spec::Rule::mail_accepted, would, begin), 1);
  EXPECT_EQ(counts.differs(spec::Rule::mail_accepted, would, begin + 59s), std::nullopt);
  EXPECT_EQ(counts.differs(spec::Rule::mail_accepted, Would(spec::Rule::mail_too_big), begin + 59s), 1);
  EXPECT_EQ(counts.differs(spec::Rule::mail_accepted, would, begin + 60s), 3);
}

TEST(ShadowCounts, a_report_has_what_came_since_the_last_one) {
  ShadowCounts counts;
  const auto differ = [&](spec::Rule rule, int times) {
    for (int i = 0; i < times; ++i) {
      counts.begun();
      static_cast<void>(counts.differs(rule, Would(spec::Rule::mail_starttls_first), {}));
    }
  };
  differ(spec::Rule::mail_accepted, 2);
  differ(spec::Rule::mail_too_big, 3);
  const ShadowCounts::Report first = counts.take_report();
  EXPECT_EQ(first.sessions, 5);
  EXPECT_EQ(first.differences, 5);
  ASSERT_EQ(first.pairs.size(), 2);
  EXPECT_EQ(first.pairs[0].rule, spec::Rule::mail_too_big);
  EXPECT_EQ(first.pairs[0].number, 3);
  differ(spec::Rule::mail_accepted, 1);
  const ShadowCounts::Report second = counts.take_report();
  EXPECT_EQ(second.sessions, 1);
  ASSERT_EQ(second.pairs.size(), 1);
  EXPECT_EQ(second.pairs[0].number, 1);
  EXPECT_EQ(counts.take_report().pairs.size(), 0);
  EXPECT_EQ(counts.sessions(), 6);
}

TEST(Metrics, outcomes_are_told_apart) {
  Metrics metrics(1, {});
  Shard& shard = metrics.shard(0);
  shard.tls_handshake(TlsVersion::tls_1_3, TlsResult::done);
  shard.tls_handshake(TlsVersion::none, TlsResult::failed);
  shard.auth(AuthResult::broken);
  shard.message(engine::HandOverResult::accepted, 2190);
  shard.message(engine::HandOverResult::refused, 100000);
  shard.reloaded(ReloadResult::failed);
  shard.strayed(2);
  const std::string text = page(metrics);
  expect_line(text, "postern_tls_handshakes_total{version=\"TLSv1.3\",result=\"done\"} 1");
  expect_line(text, "postern_tls_handshakes_total{version=\"none\",result=\"failed\"} 1");
  expect_line(text, "postern_tls_handshakes_total{version=\"TLSv1.2\",result=\"done\"} 0");
  expect_line(text, "postern_auth_total{result=\"broken\"} 1");
  expect_line(text, "postern_messages_total{result=\"accepted\"} 1");
  expect_line(text, "postern_messages_total{result=\"refused\"} 1");
  expect_line(text, "postern_message_octets_total 2190");
  expect_line(text, "postern_reloads_total{result=\"failed\"} 1");
  expect_line(text, "postern_stray_reports_total 2");
}

TEST(Metrics, what_filters_decide_is_counted_by_the_words_of_the_log) {
  Metrics metrics(1, {});
  Shard& shard = metrics.shard(0);
  using engine::HandOverResult;
  for (const auto result : {HandOverResult::filter_refused, HandOverResult::filter_waived,
                            HandOverResult::filter_too_big, HandOverResult::filter_discarded})
    shard.message(result, 10);
  shard.quarantined();
  const std::string text = page(metrics);
  for (const char* const word : {"filter_refused", "filter_waived", "filter_too_big", "filter_discarded"})
    expect_line(text, "postern_messages_total{result=\"" + std::string(word) + "\"} 1");
  expect_line(text, "postern_messages_total{result=\"refused\"} 0");
  expect_line(text, "postern_message_octets_total 20");
  expect_line(text, "postern_quarantined_messages_total 1");
}

TEST(Metrics, a_duration_falls_into_the_bucket_that_holds_it) {
  Metrics metrics(2, {});
  metrics.shard(0).took(Duration::hand_over, 100us);  // a bound belongs to its bucket
  metrics.shard(1).took(Duration::hand_over, 100us + 1ns);
  metrics.shard(1).took(Duration::hand_over, 61s);
  metrics.shard(1).took(Duration::hand_over, -1s);  // a clock that went back
  const std::string text = page(metrics);
  expect_line(text, "postern_hand_over_seconds_bucket{le=\"0.0001\"} 2");
  expect_line(text, "postern_hand_over_seconds_bucket{le=\"0.00025\"} 3");
  expect_line(text, "postern_hand_over_seconds_bucket{le=\"60.0\"} 3");
  expect_line(text, "postern_hand_over_seconds_bucket{le=\"+Inf\"} 4");
  expect_line(text, "postern_hand_over_seconds_sum 61.000200001");
  expect_line(text, "postern_hand_over_seconds_count 4");
  expect_line(text, "postern_reply_seconds_count 0");
}

TEST(Metrics, bounds_say_what_they_are_and_rise) {
  std::chrono::nanoseconds last = 0ns;
  for (const BucketBound& bound : bucket_bounds) {
    EXPECT_LT(last, bound.at_most);
    last = bound.at_most;
    EXPECT_NEAR(static_cast<double>(bound.at_most.count()) / 1e9, std::stod(std::string(bound.seconds)), 1e-12);
    EXPECT_TRUE(bound.seconds.contains('.'));
  }
}

TEST(Metrics, what_has_no_place_is_not_counted) {
  Metrics metrics(1, {});
  metrics.shard(0).replied(199);
  metrics.shard(0).replied(600);
  metrics.shard(0).connection_refused(figure::max_refusals);
  EXPECT_EQ(Totals{}, metrics.totals());
  EXPECT_EQ(figure::max_refusals, Metrics(1, std::vector<std::string>(100, "x")).refusals().size());
}

TEST(Metrics, every_figure_has_a_place_of_its_own) {
  Metrics metrics(1, {});
  Shard& shard = metrics.shard(0);
  shard.connection_refused(figure::max_refusals - 1);
  shard.replied(200);
  shard.replied(599);
  shard.rule_hit(static_cast<spec::Rule>(0));
  shard.rule_hit(static_cast<spec::Rule>(spec::rule_count - 1));
  shard.tls_handshake(TlsVersion::none, TlsResult::done);
  shard.tls_handshake(TlsVersion::tls_1_3, TlsResult::failed);
  shard.auth(AuthResult::accepted);
  shard.auth(AuthResult::broken);
  shard.message(engine::HandOverResult::accepted, 0);
  shard.message(engine::HandOverResult::filter_too_big, 0);
  shard.quarantined();
  shard.reloaded(ReloadResult::done);
  shard.reloaded(ReloadResult::failed);
  shard.took(Duration::hand_over, 1us);
  shard.took(Duration::loop_lag, 61s);
  std::size_t ones = 0;
  for (const std::uint64_t number : metrics.totals()) ones += number == 1 ? 1 : 0;
  EXPECT_EQ(16U, ones);
}

TEST(Metrics, threads_lose_nothing) {
  constexpr int times = 20000;
  Metrics metrics(2, {});
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&metrics, i] {
      for (int n = 0; n < times; ++n) metrics.shard(i % 2).replied(220);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(4U * times, metrics.totals()[figure::replies + 220 - figure::first_code]);
}

TEST(Metrics, shards_share_no_cache_line) {
  Metrics metrics(2, {});
  EXPECT_EQ(0U, sizeof(Shard) % 64);
  EXPECT_EQ(0U, reinterpret_cast<std::uintptr_t>(&metrics.shard(1)) % 64);
}

TEST(MetricsText, names_end_as_each_format_wants_it) {
  const Metrics metrics(1, {});
  const std::string classic = page(metrics);
  const std::string open = page(metrics, TextFormat::open_metrics);
  expect_line(classic, "# TYPE postern_sessions_total counter");
  expect_line(open, "# TYPE postern_sessions counter");
  expect_line(open, "postern_sessions_total 0");
  expect_line(classic, "# TYPE postern_build_info gauge");
  expect_line(open, "# TYPE postern_build info");
  EXPECT_FALSE(classic.contains("EOF"));
  EXPECT_TRUE(open.ends_with("\n# EOF\n"));
}

TEST(MetricsText, no_family_stands_twice) {
  const std::string text = to_text(Metrics(1, {}), read_process_figures(), build, TextFormat::open_metrics);
  std::vector<std::string> families;
  for (std::size_t at = text.find("# TYPE "); at != std::string::npos; at = text.find("# TYPE ", at + 1))
    families.push_back(text.substr(at + 7, text.find(' ', at + 7) - at - 7));
  EXPECT_EQ(28U, families.size());
  std::ranges::sort(families);
  EXPECT_EQ(families.end(), std::ranges::adjacent_find(families));
}

TEST(MetricsText, labels_are_escaped) {
  const std::string text = page(Metrics(1, {"a\"b\\c\nd"}));
  expect_line(text, R"(postern_connections_refused_total{rule="a\"b\\c\nd"} 0)");
}

TEST(MetricsText, the_client_chooses_the_format) {
  const auto is_open = [](std::string_view accept) { return choose_format(accept) == TextFormat::open_metrics; };
  EXPECT_TRUE(
      is_open("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));  // Prometheus 2.42
  EXPECT_TRUE(is_open("application/openmetrics-text; version=1.0.0; q=0.6 , text/plain;q=0.3"));
  EXPECT_FALSE(is_open("application/openmetrics-text;q=0.3,text/plain"));
  EXPECT_FALSE(is_open("application/openmetrics-text;q=0"));
  EXPECT_FALSE(is_open("application/openmetrics-text;q=x"));
  EXPECT_FALSE(is_open("application/openmetrics-text;version=2.0.0"));
  EXPECT_FALSE(is_open("application/openmetrics-texture"));
  EXPECT_FALSE(is_open(""));
  EXPECT_FALSE(is_open("*/*"));
  EXPECT_FALSE(is_open(";;,,;q=,="));
}

TEST(ProcessFigures, say_what_is_true) {
  const ProcessFigures figures = read_process_figures();
  EXPECT_GE(figures.open_descriptors.value_or(0), 3U);
  EXPECT_GT(figures.resident_octets.value_or(0), 100'000U);
  EXPECT_LT(figures.resident_octets.value_or(0), 10'000'000'000U);
  EXPECT_GT(figures.cpu_time.value_or(0ns), 0ns);
}

}  // namespace
}  // namespace postern::observe
