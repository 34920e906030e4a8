// What the listener counts, for the page /metrics.
// in      what happened, reported to the shard of the thread in which it happened
// out     totals(): the sum of all shards, for metrics_text
// cost    one relaxed atomic addition on a cache line that no other thread writes; no lock, nothing allocates after the
//         start (of DNS lists one by one see dns_list_counts.hpp, of questions question_counts.hpp). A shard may be used from any thread: it is then only slower, never wrong
// lives   a Shard lives as long as its Metrics and does not move
// errors  none: a code outside 200..599 and a refusal without a name are counted nowhere
// source  prometheus.io/docs/practices/naming: no user, address or IP in a label, since every value is a series for ever
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/question.hpp"
#include "limits/greylist.hpp"
#include "limits/guess_table.hpp"
#include "observe/dns_list_counts.hpp"
#include "observe/histogram.hpp"
#include "observe/question_counts.hpp"
#include "observe/shadow_counts.hpp"
#include "spec/policy_row.hpp"

namespace postern::observe {

enum class TlsVersion : std::uint8_t { none, tls_1_2, tls_1_3 };  // none: it failed before there was one
enum class TlsResult : std::uint8_t { done, failed };
enum class AuthResult : std::uint8_t { accepted, rejected, broken };
enum class ReloadResult : std::uint8_t { done, failed };
// asked, cached: how a DNS list was asked about a client. failed: it did not say, or said that it does not answer
// (127.255.255.0/24), and may have been asked either way.
enum class DnsResult : std::uint8_t { asked, cached, failed, listed };  // listed: a client, by their weights
enum class Duration : std::uint8_t {
  hand_over,  // from the end of mail data to the outcome
  reply,      // from the arrival of a command to its reply
  loop_lag,   // how much later than it could a loop came to a descriptor that was ready
};

// Where each figure stands in the row of all figures.
namespace figure {
inline constexpr std::size_t max_refusals = 32;
inline constexpr std::size_t first_code = 200, codes = 400;
inline constexpr std::size_t open_sessions = 0, sessions = 1, message_octets = 2;
inline constexpr std::size_t stray_reports = 3;
inline constexpr std::size_t refusals = 4;
inline constexpr std::size_t replies = refusals + max_refusals;
inline constexpr std::size_t rules = replies + codes;
inline constexpr std::size_t handshakes = rules + spec::rule_count;  // [version][result]
inline constexpr std::size_t auths = handshakes + 6;
inline constexpr std::size_t messages = auths + 3;
inline constexpr std::size_t quarantined = messages + engine::hand_over_result_count;
inline constexpr std::size_t reloads = quarantined + 1;
inline constexpr std::size_t gates = reloads + 2;  // [kind][shut, opened]
inline constexpr std::size_t dns_lists = gates + 6;
inline constexpr std::size_t greylist = dns_lists + 4;
inline constexpr std::size_t histograms = greylist + 5;
inline constexpr std::size_t histogram_figures = bucket_count + 1;  // sum
inline constexpr std::size_t count = histograms + 3 * histogram_figures;
}  // namespace figure

using Totals = std::array<std::uint64_t, figure::count>;

class alignas(64) Shard {
 public:
  void session_opened();
  void session_closed();                         // in whatever shard: only the sum means something
  void connection_refused(std::size_t refusal);  // an index of the names given to Metrics
  void replied(unsigned code);
  void rule_hit(spec::Rule rule);
  void tls_handshake(TlsVersion version, TlsResult result);
  void auth(AuthResult result);
  void message(engine::HandOverResult result, std::uint64_t octets);  // octets count only when it was accepted
  void quarantined();  // one of the messages that were accepted: a filter wants it put aside
  void reloaded(ReloadResult result);
  void strayed(std::uint64_t reports);  // reports to a session that waited for something else: a defect
  void dns_list(DnsResult result);
  void greylist(limits::GreylistStanding standing);
  void gate_changed(limits::GateKind kind, bool is_shut);
  void took(Duration what, std::chrono::nanoseconds time);

 private:
  friend class Metrics;
  void add(std::size_t at, std::uint64_t number = 1) { figures_[at].fetch_add(number, std::memory_order_relaxed); }

  std::array<std::atomic<std::uint64_t>, figure::count> figures_{};
};

class Metrics {
 public:
  // refusals   why a connection can be refused before it is a session: at most figure::max_refusals names
  Metrics(std::size_t shards, std::vector<std::string> refusals);

  [[nodiscard]] Shard& shard(std::size_t index) { return shards_[index]; }
  [[nodiscard]] Totals totals() const;
  [[nodiscard]] const std::vector<std::string>& refusals() const { return refusals_; }
  [[nodiscard]] DnsListCounts& dns_list_counts() { return dns_list_counts_; }
  [[nodiscard]] const DnsListCounts& dns_list_counts() const { return dns_list_counts_; }
  [[nodiscard]] QuestionCounts& question_counts() { return question_counts_; }
  [[nodiscard]] const QuestionCounts& question_counts() const { return question_counts_; }
  // Made when it is first wanted, and shown from then on; one thread's.
  [[nodiscard]] ShadowCounts& shadow_counts();
  [[nodiscard]] const ShadowCounts* shown_shadow() const { return shown_shadow_.load(std::memory_order_acquire); }

 private:
  std::size_t size_;
  std::unique_ptr<Shard[]> shards_;
  std::vector<std::string> refusals_;
  DnsListCounts dns_list_counts_;
  QuestionCounts question_counts_;
  std::unique_ptr<ShadowCounts> shadow_;
  std::atomic<const ShadowCounts*> shown_shadow_ = nullptr;
};

}  // namespace postern::observe
