// The search for outcomes that no law forbids, and for the clause that alone forbids one.
// in      a Place: what each clause forbids there, and what the table does
// out     replies that are open, rule by rule; holes, which may not be; per clause where it alone forbids something
// source  docs/proof.md
#pragma once

#include <array>
#include <bitset>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proptests/boxes.hpp"

namespace postern::proptests {

struct Place {
  std::vector<std::size_t> numbers;  // of boxes, clause after clause
  std::optional<std::size_t> rule;   // none: the start of a session
  Outcome truth{};

  friend auto operator<=>(const Place&, const Place&) = default;
};

[[nodiscard]] Place place_of(const spec::Model& model, Forbidden& forbidden, std::uint64_t word, std::size_t event,
                             std::size_t rule);
// The start of a session in this configuration.
[[nodiscard]] Place start_of(const spec::Model& model, Forbidden& forbidden, std::uint64_t configuration);

// Whether the outcome may have another value there. A session begins at `connect`, by the meaning of that word: of a start only
// the other states are free. What is listed is free only where something is.
[[nodiscard]] bool is_free(const spec::Model& model, const Forbidden& forbidden, const Place& place,
                           std::size_t component);

// Where a place is met: the events, the bits that some states before have, and those that all have.
struct Where {
  std::bitset<256> events;
  std::uint64_t some = 0, all = ~std::uint64_t{0};

  void see(std::size_t event, std::uint64_t word) {
    events.set(event);
    some |= word;
    all &= word;
  }
  void add(const Where& other) {
    events |= other.events;
    some |= other.some;
    all &= other.all;
  }
};

// Clauses that say the same: each outcome that one of them forbids, another one forbids, too. `together` is how many of them
// may be dropped at once to open something; only what one of `wanted` forbids is looked at (none: everything).
struct Redundancy {
  std::size_t together = 1;
  std::vector<bool> wanted = {};
};

class OpenOutcomes {
 public:
  OpenOutcomes(const spec::Model& model, const Forbidden& forbidden, Redundancy redundancy = {});

  void look_at(const Place& place, const Where& where);

  [[nodiscard]] const std::map<std::size_t, std::set<std::size_t>>& replies() const { return replies_; }
  [[nodiscard]] const std::set<std::string>& holes() const { return holes_; }
  // Clauses that forbid what the table does. The table keeps the laws, so that such a clause is read wrongly here.
  [[nodiscard]] const std::set<std::string>& broken() const { return broken_; }
  [[nodiscard]] const std::vector<Where>& sole() const { return sole_; }
  // By clause: the fewest others with which it alone forbids something. Dropped with them, and only then, it opens that.
  [[nodiscard]] const std::map<std::size_t, std::vector<std::size_t>>& companions() const { return companions_; }

 private:
  struct Claim {
    std::size_t clause;
    const Box* box;
    std::uint32_t whole;  // components in which the box forbids every value that is possible there
  };
  using Live = std::vector<Claim>;
  // What is found once the reply is chosen. Where nothing is open, it depends on the claims alone.
  struct Found {
    bool is_open = false;
    std::set<std::size_t> alone = {};  // clauses that alone forbid something
  };
  using Claims =
      std::vector<std::pair<const Box*, std::uint64_t>>;  // the clause, and the components in which it is whole

  [[nodiscard]] bool forbids_the_table(const Box& box) const;
  [[nodiscard]] Mask possible(std::size_t component) const;
  [[nodiscard]] bool tells_nothing(std::uint32_t left, const Live& live) const;
  [[nodiscard]] static std::vector<std::size_t> clauses_of(const Live& live);
  void note(const std::vector<std::size_t>& clauses);
  [[nodiscard]] std::vector<Mask> classes(std::size_t component, const Live& live) const;
  [[nodiscard]] std::optional<std::size_t> next(std::uint32_t left, const Live& live) const;
  void descend(std::uint32_t left, const Live& live);
  void descend_known(std::uint32_t left, const Live& live);
  void judge_open();
  void judge_another_reply();
  [[nodiscard]] std::string hole() const;

  const spec::Model& model_;
  const Forbidden& forbidden_;
  Redundancy redundancy_;
  const Place* place_ = nullptr;
  std::array<Mask, most_components> chosen_{};  // of what is left to choose: all that is possible
  std::map<std::size_t, std::set<std::size_t>> replies_;
  std::set<std::string> holes_, broken_;
  std::map<Claims, Found> known_;
  Found found_;  // at this place
  std::vector<Where> sole_;
  std::map<std::size_t, std::vector<std::size_t>> companions_;
};

}  // namespace postern::proptests
