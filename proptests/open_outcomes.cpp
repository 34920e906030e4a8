#include "proptests/open_outcomes.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "spec/check_laws.hpp"

namespace postern::proptests {

Place place_of(const spec::Model& model, Forbidden& forbidden, std::uint64_t word, std::size_t event,
               std::size_t rule) {
  Place place{.numbers = {}, .rule = rule, .truth = forbidden.outcome_of(event, rule, to_assignment(word, model))};
  for (std::size_t clause = 0; clause < forbidden.clauses().size(); ++clause)
    place.numbers.push_back(forbidden.number_of(clause, event, word));
  return place;
}

Place start_of(const spec::Model& model, Forbidden& forbidden, std::uint64_t configuration) {
  Place place{.numbers = {}, .rule = {}, .truth = forbidden.outcome_of_start(to_assignment(configuration, model))};
  for (std::size_t clause = 0; clause < forbidden.clauses().size(); ++clause)
    place.numbers.push_back(forbidden.is_of_states(clause) ? forbidden.number_of(clause, 0, configuration) : 0);
  return place;
}

OpenOutcomes::OpenOutcomes(const spec::Model& model, const Forbidden& forbidden, Redundancy redundancy)
    : model_(model), forbidden_(forbidden), redundancy_(std::move(redundancy)), sole_(forbidden.clauses().size()) {}

void OpenOutcomes::look_at(const Place& place, const Where& where) {
  place_ = &place;
  where_ = &where;
  Live live;
  for (std::size_t clause = 0; clause < place.numbers.size(); ++clause) {
    for (const Box& box : forbidden_.boxes(place.numbers[clause])) {
      Claim claim{clause, &box, 0};
      for (std::size_t i = 0; i < forbidden_.components(); ++i) {
        if (forbidden_.is_whole(box, i)) claim.whole |= 1U << i;
      }
      if (forbids_the_table(box))
        broken_.insert(forbidden_.clauses()[clause].law + ": " + forbidden_.clauses()[clause].text);
      live.push_back(claim);
    }
  }
  descend(0, live);
}

bool OpenOutcomes::forbids_the_table(const Box& box) const {
  for (std::size_t i = 0; i < forbidden_.components(); ++i) {
    if (!box[i][place_->truth[i]]) return false;
  }
  return true;
}

// Whatever is chosen from here on: too many clauses forbid it, or none that is asked about does.
bool OpenOutcomes::tells_nothing(std::size_t position, const Live& live) const {
  const std::uint32_t last = 1U << forbidden_.reply_component();
  const std::uint32_t rest = position == 0 ? 2 * last - 1 : last - (1U << (position - 1));
  const std::vector<bool>& wanted = redundancy_.wanted;
  if (!wanted.empty() && std::ranges::none_of(live, [&](const Claim& claim) { return wanted[claim.clause]; }))
    return true;
  std::size_t clauses = 0, before = forbidden_.clauses().size();
  for (const Claim& claim : live) {  // clause after clause
    if ((claim.whole & rest) != rest || claim.clause == before) continue;
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
  if (clauses.size() == 1) sole_[clauses.front()].add(*where_);
  for (const std::size_t clause : clauses) {
    std::vector<std::size_t> others;
    std::ranges::copy_if(clauses, std::back_inserter(others), [&](std::size_t other) { return other != clause; });
    const auto [found, is_new] = companions_.try_emplace(clause, others);
    if (!is_new && std::pair(others.size(), others) < std::pair(found->second.size(), found->second))
      found->second = std::move(others);
  }
}

// A session begins at `connect`, by the meaning of that word: of a start only the other states are free. What is listed is free only where something is.
bool OpenOutcomes::is_free(std::size_t component) const {
  if (!place_->rule)
    return component > 0 && component <= model_.states.size() &&
           model_.states[component - 1].variable != model_.waiting_variable();
  return !forbidden_.is_capability(component) || model_.replies[model_.rules[*place_->rule].reply].has_capability_lines;
}

// Values that no claim tells apart, and the true one by itself.
std::vector<Mask> OpenOutcomes::classes(std::size_t component, const Live& live) const {
  Mask truth, others;
  truth.set(place_->truth[component]);
  for (std::size_t value = 0; value < forbidden_.size(component); ++value) others.set(value);
  others &= ~truth;
  std::vector<Mask> result{truth};
  if (!is_free(component)) return result;
  result.push_back(others);
  for (const Claim& claim : live) {
    const Mask& mask = (*claim.box)[component];
    for (std::size_t i = 0, count = result.size(); i < count; ++i) {
      const Mask inside = result[i] & mask;
      if (inside.none() || inside == result[i]) continue;
      result[i] &= ~mask;
      result.push_back(inside);
    }
  }
  std::erase_if(result, [](const Mask& mask) { return mask.none(); });
  return result;
}

// The reply is chosen first: most clauses speak of it, and of those that do not fit nothing is left to try.
void OpenOutcomes::descend(std::size_t position, const Live& live) {
  if (tells_nothing(position, live)) return;
  if (position == forbidden_.components()) return judge(live);
  const std::size_t component = position == 0 ? forbidden_.reply_component() : position - 1;
  for (const Mask& values : classes(component, live)) {
    Live rest;
    for (const Claim& claim : live) {
      if (((*claim.box)[component] & values).any()) rest.push_back(claim);
    }
    chosen_[component] = values;
    descend(position + 1, rest);
  }
}

void OpenOutcomes::judge(const Live& live) {
  bool is_true = true;
  for (std::size_t i = 0; i < forbidden_.components(); ++i) is_true = is_true && chosen_[i][place_->truth[i]];
  if (is_true) return;
  if (!live.empty()) return note(clauses_of(live));
  if (!takes_another_reply_alone()) {
    holes_.insert(hole());
    return;
  }
  for (std::size_t reply = 0; reply < model_.replies.size(); ++reply) {
    if (chosen_[forbidden_.reply_component()][reply]) replies_[*place_->rule].insert(reply);
  }
}

bool OpenOutcomes::takes_another_reply_alone() const {
  if (!place_->rule) return false;
  const std::size_t last = forbidden_.reply_component();
  for (std::size_t i = 0; i < last; ++i) {
    if (!chosen_[i][place_->truth[i]]) return false;
  }
  const unsigned code = model_.replies[place_->truth[last]].code;
  for (std::size_t reply = 0; reply < model_.replies.size(); ++reply) {
    if (chosen_[last][reply] && model_.replies[reply].code / 100 != code / 100) return false;
  }
  return true;
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
