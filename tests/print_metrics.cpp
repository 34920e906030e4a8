// print_metrics prometheus|open_metrics: a page of /metrics in which every figure is something, for programs that judge it.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "observe/metrics_text.hpp"

int main(int argc, char** argv) {
  using namespace postern::observe;
  using namespace std::chrono_literals;
  const bool is_open = argc > 1 && std::string_view(argv[1]) == "open_metrics";
  Metrics metrics(2, {"network.denied", "a \"name\"\nwith \\signs"});
  for (std::size_t i = 0; i < 2; ++i) {
    Shard& shard = metrics.shard(i);
    shard.session_opened();
    shard.connection_refused(i);
    for (const unsigned code : {220U, 250U, 421U, 535U}) shard.replied(code);
    for (std::size_t rule = 0; rule < postern::spec::rule_count; ++rule)
      shard.rule_hit(static_cast<postern::spec::Rule>(rule));
    shard.tls_handshake(TlsVersion::tls_1_2, TlsResult::done);
    shard.auth(AuthResult::rejected);
    shard.message(postern::engine::HandOverResult::accepted, 2190);
    shard.quarantined();
    shard.reloaded(ReloadResult::done);
    for (const auto what : {Duration::hand_over, Duration::reply, Duration::loop_lag})
      for (std::chrono::nanoseconds time = 10us; time < 100s; time *= 10) shard.took(what, time);
  }
  using postern::ask::Outcome;
  using postern::ask::Source;
  for (std::size_t source = 0; source < postern::ask::source_count; ++source)
    for (const char* const name : {"", "bl.example"})
      for (const Outcome outcome : {Outcome::accepted, Outcome::listed, Outcome::failed})
        postern::ask::OpenQuestion(&metrics.question_counts(), static_cast<Source>(source), name).end(outcome);
  metrics.question_counts().remembered(Source::dns_list, "bl.example");
  postern::ask::DnsVerdict listed;
  listed.listed_by = {"bl.example"};
  static_cast<void>(metrics.dns_list_counts().take(listed, {}));
  metrics.shadow_counts().begun();
  static_cast<void>(metrics.shadow_counts().differs(postern::spec::Rule{}, Would(postern::spec::Question{}), {}));
  const std::string text =
      to_text(metrics, read_process_figures(), {.version = "0.1.0", .policy = postern::spec::policy_hash()},
              is_open ? TextFormat::open_metrics : TextFormat::prometheus,
              std::vector<postern::tls::CertificateEnd>{{.file = "server.pem", .ends_seconds = 1'800'000'000}});
  std::fwrite(text.data(), 1, text.size(), stdout);
}
