#include "observe/metrics.hpp"

#include <algorithm>
#include <utility>

namespace postern::observe {

using namespace std::chrono_literals;

const std::array<BucketBound, 18> bucket_bounds{{{100us, "0.0001"},
                                                 {250us, "0.00025"},
                                                 {500us, "0.0005"},
                                                 {1ms, "0.001"},
                                                 {2500us, "0.0025"},
                                                 {5ms, "0.005"},
                                                 {10ms, "0.01"},
                                                 {25ms, "0.025"},
                                                 {50ms, "0.05"},
                                                 {100ms, "0.1"},
                                                 {250ms, "0.25"},
                                                 {500ms, "0.5"},
                                                 {1s, "1.0"},
                                                 {2500ms, "2.5"},
                                                 {5s, "5.0"},
                                                 {10s, "10.0"},
                                                 {30s, "30.0"},
                                                 {60s, "60.0"}}};

void Shard::session_opened() {
  add(figure::open_sessions);
  add(figure::sessions);
}

void Shard::session_closed() { add(figure::open_sessions, ~0ULL); }  // minus one: the sum of all shards wraps back

void Shard::connection_refused(std::size_t refusal) {
  if (refusal < figure::max_refusals) add(figure::refusals + refusal);
}

void Shard::replied(unsigned code) {
  if (code >= figure::first_code && code < figure::first_code + figure::codes)
    add(figure::replies + code - figure::first_code);
}

void Shard::rule_hit(spec::Rule rule) { add(figure::rules + static_cast<std::size_t>(std::to_underlying(rule))); }

void Shard::tls_handshake(TlsVersion version, TlsResult result) {
  add(figure::handshakes + std::to_underlying(version) * 2UZ + std::to_underlying(result));
}

void Shard::auth(AuthResult result) { add(figure::auths + std::to_underlying(result)); }

void Shard::message(engine::HandOverResult result, std::uint64_t octets) {
  add(figure::messages + std::to_underlying(result));
  if (engine::is_accepted(result)) add(figure::message_octets, octets);
}

void Shard::quarantined() { add(figure::quarantined); }

void Shard::reloaded(ReloadResult result) { add(figure::reloads + std::to_underlying(result)); }

void Shard::strayed(std::uint64_t reports) { add(figure::stray_reports, reports); }

void Shard::dns_list(DnsResult result) { add(figure::dns_lists + std::to_underlying(result)); }

void Shard::greylist(limits::GreylistStanding standing) { add(figure::greylist + std::to_underlying(standing)); }

void Shard::gate_changed(limits::GateKind kind, bool is_shut) {
  add(figure::gates + std::to_underlying(kind) * 2UZ + (is_shut ? 0 : 1));
}

void Shard::took(Duration what, std::chrono::nanoseconds time) {
  time = std::max(time, 0ns);
  const std::size_t first = figure::histograms + std::to_underlying(what) * figure::histogram_figures;
  add(first + bucket_of(time));
  add(first + figure::histogram_figures - 1, static_cast<std::uint64_t>(time.count()));
}

Metrics::Metrics(std::size_t shards, std::vector<std::string> refusals)
    : size_(std::max(shards, 1UZ)), shards_(std::make_unique<Shard[]>(size_)), refusals_(std::move(refusals)) {
  refusals_.resize(std::min(refusals_.size(), figure::max_refusals));
}

ShadowCounts& Metrics::shadow_counts() {
  if (shadow_ == nullptr) {
    shadow_ = std::make_unique<ShadowCounts>();
    shown_shadow_.store(shadow_.get(), std::memory_order_release);
  }
  return *shadow_;
}

Totals Metrics::totals() const {
  Totals sums{};
  for (std::size_t i = 0; i < size_; ++i) {
    for (std::size_t at = 0; at < figure::count; ++at)
      sums[at] += shards_[i].figures_[at].load(std::memory_order_relaxed);
  }
  return sums;
}

}  // namespace postern::observe
