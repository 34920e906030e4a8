#include "audit/behaviour.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace postern::audit {
namespace {

constexpr unsigned most_walks = 24;  // that cost less than the partition

constexpr std::uint64_t channel = spec::bit::channel_clear | spec::bit::channel_starttls | spec::bit::channel_implicit;

std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
  seed ^= value + 0x9e3779b97f4a7c15U + (seed << 6) + (seed >> 2);
  seed *= 0xff51afd7ed558ccdU;
  return seed ^ (seed >> 32);
}

// What a client, and an observer of the server, can see of a decision.
class Observer {
 public:
  explicit Observer(Compared compared) : compared_(compared) {}

  std::uint64_t seen_of(const Decision& decision, std::uint64_t counts) {
    std::uint64_t seen = mix(static_cast<std::uint64_t>(decision.event), counts);
    seen = mix(seen, static_cast<std::uint64_t>(decision.row->effect));
    seen = mix(seen, decision.before.bits & channel);
    if (spec::reply_row(decision.row->reply).has_capability_lines) return mix(seen, text_of(decision));
    return mix(seen, compared_ == Compared::codes ? decision.code() : words_of(decision));
  }

 private:
  static std::uint64_t text_of(const Decision& decision) {
    return std::hash<std::string>{}(Policy::reply_text(decision));
  }

  // Of a reply without capability lines, which is the same in every state.
  std::uint64_t words_of(const Decision& decision) {
    std::optional<std::uint64_t>& words = words_.at(static_cast<std::size_t>(decision.row->reply));
    if (!words) words = text_of(decision);
    return *words;
  }

  Compared compared_;
  std::array<std::optional<std::uint64_t>, spec::reply_count> words_{};
};

// The states of all configurations, and what leads from one to the other.
class Graph {
 public:
  Graph(const Policy& policy, Compared compared) : counted_(policy.counted()), observer_(compared) {
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
    edges_[from].push_back({observer_.seen_of(decision, counts), to});
  }

  [[nodiscard]] std::size_t count() const {
    std::vector<std::uint64_t> sorted = classes_;
    std::ranges::sort(sorted);
    return static_cast<std::size_t>(std::ranges::unique(sorted).begin() - sorted.begin());
  }

  std::uint64_t counted_;
  Observer observer_;
  std::unordered_map<std::uint64_t, std::size_t> nodes_;
  std::vector<std::vector<Edge>> edges_;
  std::vector<std::pair<std::uint64_t, std::size_t>> starts_;
  std::vector<std::uint64_t> classes_;
};

// Two configurations side by side: the same happens to both.
class Pairs {
 public:
  Pairs(const Policy& policy, Compared compared) : policy_(policy), observer_(compared) {}

  // No session distinguishes them.
  bool are_alike(spec::Guards one, spec::Guards other) {
    reach({spec::start(one), spec::start(other)});
    for (std::size_t next = 0; next < todo_.size(); ++next) {
      if (!go_on_alike(todo_[next])) return false;
    }
    return true;
  }

 private:
  struct Pair {
    spec::Guards one, other;
    bool operator==(const Pair&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Pair& pair) const { return mix(pair.one.bits, pair.other.bits); }
  };

  void reach(const Pair& pair) {
    if (seen_.insert(pair).second) todo_.push_back(pair);
  }

  bool go_on_alike(Pair from) {
    const std::vector<spec::Event> events = events_in(from.one);
    if (events != events_in(from.other)) return false;
    for (const spec::Event event : events) {
      for (std::uint64_t counts = 0;; counts = (counts - policy_.counted()) & policy_.counted()) {
        const Decision one = policy_.decide({from.one.bits | counts}, event);
        const Decision other = policy_.decide({from.other.bits | counts}, event);
        if (observer_.seen_of(one, counts) != observer_.seen_of(other, counts)) return false;
        reach({one.after, other.after});
        if (counts == policy_.counted()) break;
      }
    }
    return true;
  }

  // As Policy::walk has it: of what can happen at a start, `connect.ready` alone.
  [[nodiscard]] std::vector<spec::Event> events_in(spec::Guards state) const {
    if (state.has(spec::bit::waiting_connect)) return {spec::Event::connect_ready};
    return policy_.events_in(state);
  }

  const Policy& policy_;
  Observer observer_;
  std::vector<Pair> todo_;
  std::unordered_set<Pair, Hash> seen_;
};

}  // namespace

bool Behaviours::alike(spec::Guards one, spec::Guards other) const {
  if (one == other) return true;
  if (classes_.empty() && ++walks_ <= most_walks) return Pairs(policy_, compared_).are_alike(one, other);
  if (classes_.empty()) {
    Graph graph(policy_, compared_);
    graph.refine();
    classes_ = graph.classes_of_starts();
  }
  return classes_.at(one.bits) == classes_.at(other.bits);
}

}  // namespace postern::audit
