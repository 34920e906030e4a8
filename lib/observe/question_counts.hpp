// What is counted of questions to others, each source by its name: asked, outcomes, seconds, and those still open.
// in      ask/open_question.hpp
// out     rows, for the page /metrics
// bounds  max_rows names; questions beyond them are not counted
// cost    where a question is asked a lock, held for a look-up; at its end relaxed atomic additions; elsewhere nothing
// threads any: a row is made under the lock, and stays where it is
// errors  none: without memory for a new name its questions are not counted
// source  prometheus.io/docs/practices/naming: names are the operator's (DNS lists, policy services), never a client's
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ask/open_question.hpp"
#include "observe/histogram.hpp"

namespace postern::observe {

class QuestionCounts final : public ask::QuestionBook {
 public:
  static constexpr std::size_t max_rows = 512;

  [[nodiscard]] ask::QuestionRecord* begin(ask::Source source, std::string_view name) noexcept override;
  void remembered(ask::Source source, std::string_view name) noexcept override;

  struct Row {
    ask::Source source{};
    std::string name{};
    std::uint64_t asked = 0, remembered = 0;
    std::array<std::uint64_t, ask::outcome_count> outcomes{};
    std::array<std::uint64_t, bucket_count> buckets{};
    std::uint64_t nanoseconds = 0;

    [[nodiscard]] std::uint64_t ended() const;
  };
  // By source, then by name.
  [[nodiscard]] std::vector<Row> rows() const;

 private:
  struct Counts final : ask::QuestionRecord {
    void ended(const ask::Ended& how) noexcept override;

    std::atomic<std::uint64_t> asked = 0, remembered = 0, nanoseconds = 0;
    std::array<std::atomic<std::uint64_t>, ask::outcome_count> outcomes{};
    std::array<std::atomic<std::uint64_t>, bucket_count> buckets{};
  };
  using Key = std::pair<ask::Source, std::string>;
  using KeyView = std::pair<ask::Source, std::string_view>;
  struct Before {
    using is_transparent = void;
    [[nodiscard]] static KeyView view(const Key& key) { return {key.first, key.second}; }
    [[nodiscard]] static KeyView view(const KeyView& key) { return key; }
    template <typename One, typename Other>
    [[nodiscard]] bool operator()(const One& one, const Other& other) const {
      return view(one) < view(other);
    }
  };

  [[nodiscard]] Counts* find(ask::Source source, std::string_view name);

  mutable std::mutex mutex_;
  std::map<Key, Counts, Before> counts_;
};

}  // namespace postern::observe
