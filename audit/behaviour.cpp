#include "audit/behaviour.hpp"

#include <algorithm>
#include <functional>

namespace postern::audit {
namespace {

constexpr std::uint64_t channel = spec::bit::channel_clear | spec::bit::channel_starttls | spec::bit::channel_implicit;

std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
  seed ^= value + 0x9e3779b97f4a7c15U + (seed << 6) + (seed >> 2);
  seed *= 0xff51afd7ed558ccdU;
  return seed ^ (seed >> 32);
}

// What a client, and an observer of the server, can see of a decision.
std::uint64_t seen_of(const Decision& decision, std::uint64_t counts, Compared compared) {
  std::uint64_t seen = mix(static_cast<std::uint64_t>(decision.event), counts);
  seen = mix(seen, static_cast<std::uint64_t>(decision.row->effect));
  seen = mix(seen, decision.before.bits & channel);
  const bool has_lines = spec::reply_row(decision.row->reply).has_capability_lines;
  if (!has_lines && compared == Compared::codes) return mix(seen, decision.code());
  return mix(seen, std::hash<std::string>{}(Policy::reply_text(decision)));
}

// The states of all configurations, and what leads from one to the other.
class Graph {
 public:
  Graph(const Policy& policy, Compared compared) : counted_(policy.counted()), compared_(compared) {
    for (const spec::Guards configuration : policy.configurations()) {
      for (const Decision& decision : policy.walk(configuration)) add(decision);
      starts_.emplace_back(configuration.bits, node_of(spec::start(configuration)));
    }
    classes_.resize(edges_.size(), 0);
  }

  // Splits classes until none splits any more.
  void refine() {
    for (std::size_t before = 0, after = 1; before != after;) {
      before = after;
      std::vector<std::uint64_t> next(edges_.size());
      for (std::size_t i = 0; i < edges_.size(); ++i) {
        next[i] = classes_[i];
        for (const Edge& edge : edges_[i]) next[i] = mix(mix(next[i], edge.seen), classes_[edge.to]);
      }
      classes_ = std::move(next);
      after = count();
    }
  }

  [[nodiscard]] std::unordered_map<std::uint64_t, std::uint64_t> classes_of_starts() const {
    std::unordered_map<std::uint64_t, std::uint64_t> result;
    for (const auto& [bits, node] : starts_) result[bits] = classes_[node];
    return result;
  }

 private:
  struct Edge {
    std::uint64_t seen;
    std::size_t to;
  };

  std::size_t node_of(spec::Guards state) {
    const auto [at, is_new] = nodes_.try_emplace(state.bits, edges_.size());
    if (is_new) edges_.emplace_back();
    return at->second;
  }

  void add(const Decision& decision) {
    const std::uint64_t counts = decision.before.bits & counted_;
    const std::size_t from = node_of({decision.before.bits & ~counted_});
    const std::size_t to = node_of(decision.after);
    edges_[from].push_back({seen_of(decision, counts, compared_), to});
  }

  [[nodiscard]] std::size_t count() const {
    std::vector<std::uint64_t> sorted = classes_;
    std::ranges::sort(sorted);
    return static_cast<std::size_t>(std::ranges::unique(sorted).begin() - sorted.begin());
  }

  std::uint64_t counted_;
  Compared compared_;
  std::unordered_map<std::uint64_t, std::size_t> nodes_;
  std::vector<std::vector<Edge>> edges_;
  std::vector<std::pair<std::uint64_t, std::size_t>> starts_;
  std::vector<std::uint64_t> classes_;
};

}  // namespace

Behaviours::Behaviours(const Policy& policy, Compared compared) {
  Graph graph(policy, compared);
  graph.refine();
  classes_ = graph.classes_of_starts();
}

}  // namespace postern::audit
