#include "proptests/sole_outcomes.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "spec/check_laws.hpp"
#include "spec/verify.hpp"

namespace postern::proptests {
namespace {

// More are not looked at: what is left out can only make a mutant seem unnoticed.
constexpr std::size_t most_boxes = 400;
// Where not every decision is looked at.
constexpr std::size_t most_places_an_event = 6;

Box common(Box one, const Box& other) {
  for (std::size_t i = 0; i < most_components; ++i) one[i] &= other[i];
  return one;
}

bool is_empty(const Box& box, std::size_t components) {
  return std::any_of(box.begin(), box.begin() + std::ptrdiff_t(components),
                     [](const Mask& mask) { return mask.none(); });
}

bool meet(const Box& one, const Box& other, std::size_t components) {
  for (std::size_t i = 0; i < components; ++i) {
    if ((one[i] & other[i]).none()) return false;
  }
  return true;
}

// What is left of these boxes: cut off component after component.
Boxes without(Boxes boxes, const Box& cut, std::size_t components) {
  const auto is_cut = [&](const Box& box) { return meet(box, cut, components); };
  if (std::ranges::none_of(boxes, is_cut)) return boxes;
  Boxes result;
  for (Box& rest : boxes) {
    if (!is_cut(rest)) {
      result.push_back(rest);
      continue;
    }
    for (std::size_t i = 0; i < components; ++i) {
      const Mask outside = rest[i] & ~cut[i];
      rest[i] &= cut[i];
      if (outside.none()) continue;
      result.push_back(rest);
      result.back()[i] = outside;
    }
  }
  if (result.size() > most_boxes) result.resize(most_boxes);
  return result;
}

// Whether these boxes together hold all of that one.
bool hold(const Boxes& boxes, const Box& all, std::size_t components) {
  Boxes rest{all};
  for (const Box& box : boxes) rest = without(std::move(rest), box, components);
  return rest.empty();
}

}  // namespace

SoleOutcomes::SoleOutcomes(const spec::Model& model, const spec::Laws& laws, SaidTwice said_twice, std::size_t most)
    : model_(model), laws_(laws), forbidden_(model, laws), said_twice_(std::move(said_twice)), most_(most) {
  using Key = std::pair<std::uint64_t, std::size_t>;
  std::vector<std::set<Key>> known(model.events.size());
  std::map<Key, std::vector<std::uint64_t>> words;  // by event and rule
  static_cast<void>(explore(model, [&](std::uint64_t word, std::size_t event, const spec::Row& row) {
    if (known[event].insert({word & forbidden_.care_of(event), row.rule}).second)
      words[{event, row.rule}].push_back(word);
  }));
  std::mt19937_64 random(1);
  for (auto& [key, all] : words) {
    for (const std::uint64_t word : all) all_.push_back({word, key.first, key.second});
    std::ranges::shuffle(all, random);
    if (most != 0 && all.size() > most) all.resize(most);
    for (const std::uint64_t word : all) add({word, key.first, key.second});
  }
  std::ranges::shuffle(all_, random);
  add_starts(most);
  soles_.resize(clauses().size());
  spots_of_.resize(clauses().size());
  std::vector<const Spot*> order;
  for (const Spot& spot : spots_) order.push_back(&spot);
  std::ranges::shuffle(order, random);
  for (const Spot* const spot : order) {
    for (std::size_t clause = 0; clause < clauses().size(); ++clause) {
      if (spot->place.numbers[clause] != 0) spots_of_[clause].push_back(spot);
    }
  }
}

void SoleOutcomes::add(const Decision& at) {
  spec::Assignment before = to_assignment(at.word, model_);
  spec::Assignment decision = describe(laws_.words, {model_, before, at.event, at.rule});
  spots_.push_back(
      {at.event, std::move(before), std::move(decision), place_of(model_, forbidden_, at.word, at.event, at.rule)});
}

// Of a start the invariants alone speak.
void SoleOutcomes::add_starts(std::size_t most) {
  const std::uint64_t all = configuration_bits(model_);
  std::size_t left = most;
  for (std::uint64_t bits = all;; bits = (bits - 1) & all) {
    spec::Assignment before = to_assignment(bits, model_), decision = before;
    const spec::Assignment start = start_of(model_, before);
    decision.resize(laws_.words.variables.size());
    for (std::size_t i = 0; i < model_.states.size(); ++i)
      decision[laws_.words.after + i] = start[model_.states[i].variable];
    spots_.push_back({0, std::move(before), std::move(decision), start_of(model_, forbidden_, bits)});
    if (bits == 0 || --left == 0) break;
  }
}

std::vector<std::size_t> SoleOutcomes::prepare() {
  std::vector<std::size_t> nothing;
  for (std::size_t clause = 0; clause < clauses().size(); ++clause) {
    look(clause);
    if (soles_[clause].empty() && most_ != 0) look_further(clause);
    if (soles_[clause].empty()) nothing.push_back(clause);
  }
  return nothing;
}

void SoleOutcomes::look(std::size_t clause) {
  std::map<std::size_t, std::size_t> found;  // by event
  for (const Spot* const spot : spots_of_[clause]) {
    if (most_ != 0 && found[spot->event] == most_places_an_event) continue;
    const Boxes boxes = what_it_alone_forbids(clause, *spot);
    for (const Box& box : boxes) soles_[clause].push_back({spot, box});
    if (!boxes.empty()) ++found[spot->event];
  }
}

// At every decision, until there are some.
void SoleOutcomes::look_further(std::size_t clause) {
  std::size_t found = 0;
  for (const Decision& at : all_) {
    if (forbidden_.number_of(clause, at.event, at.word) == 0) continue;
    add(at);
    const Boxes boxes = what_it_alone_forbids(clause, spots_.back());
    if (boxes.empty()) {
      spots_.pop_back();
      continue;
    }
    for (const Box& box : boxes) soles_[clause].push_back({&spots_.back(), box});
    spots_of_[clause].push_back(&spots_.back());
    if (++found == most_places_an_event) return;
  }
}

Boxes SoleOutcomes::what_it_alone_forbids(std::size_t clause, const Spot& spot) const {
  Box free;
  for (std::size_t i = 0; i < forbidden_.components(); ++i) {
    free[i].set();
    if (!is_free(model_, forbidden_, spot.place, i)) free[i].reset().set(spot.place.truth[i]);
  }
  Boxes rest;
  for (const Box& box : forbidden_.boxes(spot.place.numbers[clause])) {
    if (const Box inside = common(box, free); !is_empty(inside, forbidden_.components())) rest.push_back(inside);
  }
  const auto others = said_twice_.find(clause);
  for (std::size_t other = 0; other < clauses().size() && !rest.empty(); ++other) {
    if (other == clause) continue;
    if (others != said_twice_.end() && std::ranges::find(others->second, other) != others->second.end()) continue;
    for (const Box& box : forbidden_.boxes(spot.place.numbers[other]))
      rest = without(std::move(rest), box, forbidden_.components());
  }
  return rest;
}

LawEnd SoleOutcomes::judge(const LawMutant& mutant) const {
  if (is_broken(mutant)) return LawEnd::broken;
  if (is_opened(mutant)) return LawEnd::opened;
  return says_no_less(mutant) ? LawEnd::no_less : LawEnd::said_by_others;
}

bool SoleOutcomes::is_broken(const LawMutant& mutant) const {
  return std::ranges::any_of(mutant.clauses, [&](const ChangedClause& changed) {
    return std::ranges::any_of(spots_, [&](const Spot& spot) {
      return (spot.place.rule || forbidden_.is_of_states(changed.clause)) && holds(changed.condition, spot.decision);
    });
  });
}

// What the changed clauses forbid there, without those that say the same as this one.
Boxes SoleOutcomes::boxes_of(const LawMutant& mutant, std::size_t clause, const Spot& spot) const {
  Boxes all;
  const auto others = said_twice_.find(clause);
  for (const ChangedClause& changed : mutant.clauses) {
    if (others != said_twice_.end() && std::ranges::find(others->second, changed.clause) != others->second.end())
      continue;
    if (!spot.place.rule && !forbidden_.is_of_states(changed.clause)) continue;
    const Boxes boxes = forbidden_.boxes_of(changed.condition, spot.event, spot.before);
    all.insert(all.end(), boxes.begin(), boxes.end());
  }
  return all;
}

bool SoleOutcomes::is_opened(const LawMutant& mutant) const {
  for (const ChangedClause& changed : mutant.clauses) {
    const Spot* spot = nullptr;
    Boxes boxes;
    for (const Sole& sole : soles_[changed.clause]) {
      if (changed.event && *changed.event != sole.spot->event) continue;
      if (sole.spot != spot) boxes = boxes_of(mutant, changed.clause, *sole.spot);
      spot = sole.spot;
      if (!hold(boxes, sole.outcomes, forbidden_.components())) return true;
    }
  }
  return false;
}

bool SoleOutcomes::says_no_less(const LawMutant& mutant) const {
  return std::ranges::all_of(mutant.clauses, [&](const ChangedClause& changed) {
    return std::ranges::all_of(spots_of_[changed.clause], [&](const Spot* spot) {
      if (changed.event && *changed.event != spot->event) return true;
      const Boxes boxes = forbidden_.boxes_of(changed.condition, spot->event, spot->before);
      return std::ranges::all_of(forbidden_.boxes(spot->place.numbers[changed.clause]),
                                 [&](const Box& box) { return hold(boxes, box, forbidden_.components()); });
    });
  });
}

}  // namespace postern::proptests
