#include "proptests/open_outcomes.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <ranges>
#include <utility>

#include "spec/check_laws.hpp"

namespace postern::proptests {

Place place_of(const spec::Model& model, Forbidden& forbidden, std::uint64_t word, std::size_t event,
               std::size_t rule) {
  return {.numbers = forbidden.numbers_of(event, word),
          .rule = rule,
          .truth = forbidden.outcome_of(event, rule, to_assignment(word, model))};
}

Place start_of(const spec::Model& model, Forbidden& forbidden, std::uint64_t configuration) {
  Place place{.numbers = {}, .rule = {}, .truth = forbidden.outcome_of_start(to_assignment(configuration, model))};
  for (std::size_t clause = 0; clause < forbidden.clauses().size(); ++clause)
    place.numbers.push_back(forbidden.is_of_states(clause) ? forbidden.number_of(clause, 0, configuration) : 0);
  return place;
}

bool is_free(const spec::Model& model, const Forbidden& forbidden, const Place& place, std::size_t component) {
  if (!place.rule)
    return component > 0 && component <= model.states.size() &&
           model.states[component - 1].variable != model.waiting_variable();
  return !forbidden.is_capability(component) || model.replies[model.rules[*place.rule].reply].has_capability_lines;
}

OpenOutcomes::OpenOutcomes(const spec::Model& model, const Forbidden& forbidden, Redundancy redundancy)
    : model_(model), forbidden_(forbidden), redundancy_(std::move(redundancy)), sole_(forbidden.clauses().size()) {}

void OpenOutcomes::look_at(const Place& place, const Where& where) {
  place_ = &place;
  found_ = {};
  std::uint32_t fixed = 0;
  for (std::size_t i = 0; i < forbidden_.components(); ++i) {
    chosen_[i] = possible(i);
    if (!is_free(model_, forbidden_, place, i)) fixed |= 1U << i;
  }
  Live live;
  for (std::size_t clause = 0; clause < place.numbers.size(); ++clause) {
    for (const Box& box : forbidden_.boxes(place.numbers[clause])) {
      if (forbids_the_table(box))
        broken_.insert(forbidden_.clauses()[clause].law + ": " + forbidden_.clauses()[clause].text);
      Claim claim{clause, &box, fixed};
      bool can_fit = true;
      for (std::size_t i = 0; i < forbidden_.components(); ++i) {
        can_fit = can_fit && ((fixed >> i & 1U) == 0 || box[i][place.truth[i]]);
        if (forbidden_.is_whole(box, i)) claim.whole |= 1U << i;
      }
      if (can_fit) live.push_back(claim);
    }
  }
  descend((2U << forbidden_.reply_component()) - 1, live);
  for (const std::size_t clause : found_.alone) sole_[clause].add(where);
}

// Every value that the component may have there.
Mask OpenOutcomes::possible(std::size_t component) const {
  Mask values;
  if (!is_free(model_, forbidden_, *place_, component)) return values.set(place_->truth[component]);
  for (std::size_t value = 0; value < forbidden_.size(component); ++value) values.set(value);
  return values;
}

bool OpenOutcomes::forbids_the_table(const Box& box) const {
  for (std::size_t i = 0; i < forbidden_.components(); ++i) {
    if (!box[i][place_->truth[i]]) return false;
  }
  return true;
}

// Whatever is chosen from here on: too many clauses forbid it, or none that is asked about does.
bool OpenOutcomes::tells_nothing(std::uint32_t left, const Live& live) const {
  const std::vector<bool>& wanted = redundancy_.wanted;
  if (!wanted.empty() && std::ranges::none_of(live, [&](const Claim& claim) { return wanted[claim.clause]; }))
    return true;
  std::size_t clauses = 0, before = forbidden_.clauses().size();
  for (const Claim& claim : live) {  // clause after clause
    if ((claim.whole & left) != left || claim.clause == before) continue;
    before = claim.clause;
    if (++clauses > redundancy_.together) return true;
  }
  return false;
}

std::vector<std::size_t> OpenOutcomes::clauses_of(const Live& live) {
  std::vector<std::size_t> clauses;
  for (const Claim& claim : live) {
    if (clauses.empty() || clauses.back() != claim.clause) clauses.push_back(claim.clause);
  }
  return clauses;
}

// They forbid an outcome that no other clause forbids.
void OpenOutcomes::note(const std::vector<std::size_t>& clauses) {
  if (clauses.size() == 1) found_.alone.insert(clauses.front());
  for (const std::size_t clause : clauses) {
    std::vector<std::size_t> others;
    std::ranges::copy_if(clauses, std::back_inserter(others), [&](std::size_t other) { return other != clause; });
    const auto [found, is_new] = companions_.try_emplace(clause, others);
    if (!is_new && std::pair(others.size(), others) < std::pair(found->second.size(), found->second))
      found->second = std::move(others);
  }
}

// Values that no claim tells apart; of replies the true one by itself.
std::vector<Mask> OpenOutcomes::classes(std::size_t component, const Live& live) const {
  std::vector<Mask> result{chosen_[component]};
  const auto split = [&](const Mask& mask) {
    for (std::size_t i = 0, count = result.size(); i < count; ++i) {
      const Mask inside = result[i] & mask;
      if (inside.none() || inside == result[i]) continue;
      result[i] &= ~mask;
      result.push_back(inside);
    }
  };
  if (component == forbidden_.reply_component()) split(Mask{}.set(place_->truth[component]));
  for (const Claim& claim : live) split((*claim.box)[component]);
  return result;
}

// The reply is chosen first: most clauses speak of it, and of those that do not fit nothing is left to try. Then what some
// claim speaks of; of what none speaks, every value is as good as another.
std::optional<std::size_t> OpenOutcomes::next(std::uint32_t left, const Live& live) const {
  if ((left >> forbidden_.reply_component() & 1U) != 0) return forbidden_.reply_component();
  std::uint32_t spoken_of = 0;
  for (const Claim& claim : live) spoken_of |= left & ~claim.whole;
  if (spoken_of == 0) return {};
  return static_cast<std::size_t>(std::countr_zero(spoken_of));
}

void OpenOutcomes::descend(std::uint32_t left, const Live& live) {
  if (tells_nothing(left, live)) return;
  const std::optional<std::size_t> component = next(left, live);
  if (!component) return live.empty() ? judge_open() : note(clauses_of(live));
  const Mask every = chosen_[*component];
  Live rest;
  for (const Mask& values : classes(*component, live)) {
    rest.clear();
    std::ranges::copy_if(live, std::back_inserter(rest),
                         [&](const Claim& claim) { return ((*claim.box)[*component] & values).any(); });
    chosen_[*component] = values;
    const std::uint32_t still_left = left & ~(1U << *component);
    *component == forbidden_.reply_component() ? descend_known(still_left, rest) : descend(still_left, rest);
    chosen_[*component] = every;
  }
}

// Many places differ in what is said of other replies alone.
void OpenOutcomes::descend_known(std::uint32_t left, const Live& live) {
  if (tells_nothing(left, live)) return;
  Claims claims;
  for (const Claim& claim : live) claims.emplace_back(claim.box, std::uint64_t{claim.clause} << 32 | claim.whole);
  const auto [known, is_new] = known_.try_emplace(std::move(claims));
  if (is_new || known->second.is_open) {
    const Found before = std::exchange(found_, {});
    descend(left, live);
    known->second = std::exchange(found_, before);
  }
  found_.alone.insert(known->second.alone.begin(), known->second.alone.end());
}

// No clause forbids what is chosen.
void OpenOutcomes::judge_open() {
  found_.is_open = true;
  const std::size_t last = forbidden_.reply_component();
  const auto is_other = [&](std::size_t i) { return !chosen_[i][place_->truth[i]]; };
  const auto every_but_reply = std::views::iota(std::size_t{0}, last);
  if (std::ranges::any_of(every_but_reply, is_other)) {
    holes_.insert(hole());
    return;
  }
  for (const std::size_t i : every_but_reply) {
    const Mask every = chosen_[i];
    chosen_[i].reset(place_->truth[i]);
    if (chosen_[i].any()) holes_.insert(hole());
    chosen_[i] = every;
  }
  if (is_other(last)) judge_another_reply();
}

// Another reply of its class may be given, and nothing else may happen.
void OpenOutcomes::judge_another_reply() {
  const std::size_t last = forbidden_.reply_component();
  const unsigned code = model_.replies[place_->truth[last]].code;
  for (std::size_t reply = 0; reply < model_.replies.size(); ++reply) {
    if (!chosen_[last][reply]) continue;
    if (model_.replies[reply].code / 100 != code / 100) {
      holes_.insert(hole());
      return;
    }
  }
  for (std::size_t reply = 0; reply < model_.replies.size(); ++reply) {
    if (chosen_[last][reply]) replies_[*place_->rule].insert(reply);
  }
}

std::string OpenOutcomes::hole() const {
  std::string text = place_->rule ? "rule " + model_.rules[*place_->rule].id : "the start";
  for (std::size_t i = 0; i < forbidden_.components(); ++i) {
    if (chosen_[i][place_->truth[i]]) continue;
    text += text.contains(':') ? ", " : ": ";
    std::string values;
    for (std::size_t value = 0; value < forbidden_.size(i); ++value) {
      if (chosen_[i][value]) values += (values.empty() ? "" : " or ") + forbidden_.name(i, value);
    }
    text += values;
  }
  return text;
}

}  // namespace postern::proptests
