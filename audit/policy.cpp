#include "audit/policy.hpp"

#include <stdexcept>
#include <unordered_set>

#include "audit/resources.hpp"
#include "engine/policy.hpp"
#include "engine/reply.hpp"

namespace postern::audit {
namespace {

spec::Model embedded_model() {
  spec::Problems problems;
  spec::Model model = spec::parse_model({settings_toml(), events_toml(), policy_toml(), replies_toml()}, problems);
  if (!problems.empty()) throw std::logic_error(problems.front().file + ": " + problems.front().what);
  if (model.rules.size() != spec::rule_count || model.events.size() != spec::event_count)
    throw std::logic_error("the embedded spec is not the one that the table was generated from");
  return model;
}

}  // namespace

unsigned Decision::code() const { return spec::reply_row(row->reply).code; }

Policy::Policy() : model_(embedded_model()) {
  for (std::size_t i = 0; i < model_.settings.size() + model_.facts.size(); ++i) {
    const spec::Variable& variable = model_.variables[i];
    const bool is_counted = i >= model_.settings.size() && model_.facts[i - model_.settings.size()].is_counted;
    if (is_counted)
      counted_ |= spec::bits_of(variable);
    else
      fixed_.push_back(&variable);
  }
  const spec::Variable& waiting = model_.variables[model_.waiting_variable()];
  for (const spec::EventRow& event : model_.events) {
    std::uint64_t bits = 0;
    for (const std::size_t value : event.waiting) bits |= spec::bit_of(waiting, value);
    waits_.push_back(bits);
  }
}

Decision Policy::decide(spec::Guards guards, spec::Event event) const {
  const spec::PolicyRow& row = *engine::decide(guards, event);
  spec::Guards after = engine::after(row, guards);
  after.bits &= ~counted_;
  return {guards, event, &row, after};
}

std::vector<spec::Event> Policy::events_in(spec::Guards guards) const {
  std::vector<spec::Event> events;
  for (std::size_t i = 0; i < waits_.size(); ++i) {
    if (guards.has(waits_[i])) events.push_back(static_cast<spec::Event>(i));
  }
  return events;
}

std::vector<Decision> Policy::walk(spec::Guards settings_and_facts) const {
  std::vector<Decision> decisions{decide(spec::start(settings_and_facts), spec::Event::connect_ready)};
  std::vector<spec::Guards> todo{decisions.front().after};
  std::unordered_set<std::uint64_t> seen{todo.front().bits};
  for (std::size_t next = 0; next < todo.size(); ++next) {
    const spec::Guards state = todo[next];
    for (const spec::Event event : events_in(state)) {
      for (std::uint64_t counts = 0;; counts = (counts - counted_) & counted_) {
        decisions.push_back(decide({state.bits | counts}, event));
        if (seen.insert(decisions.back().after.bits).second) todo.push_back(decisions.back().after);
        if (counts == counted_) break;
      }
    }
  }
  return decisions;
}

std::uint64_t Policy::bit_of(std::string_view name) const {
  for (const spec::Variable* variable : fixed_) {
    if (variable->name == name) return spec::bits_of(*variable);
  }
  return 0;
}

std::string Policy::written(std::uint64_t bit, spec::Guards guards) const {
  for (const spec::Variable* variable : fixed_) {
    if (spec::bits_of(*variable) == bit) return variable->name + (guards.has(bit) ? "=1" : "=0");
  }
  return {};
}

std::vector<spec::Guards> Policy::configurations() const {
  std::vector<spec::Guards> all{{}};
  for (const spec::Variable* variable : fixed_) {
    const std::size_t size = all.size();
    for (std::size_t i = 0; i < size; ++i) all.push_back({all[i].bits | spec::bits_of(*variable)});
  }
  return all;
}

std::string Policy::reply_text(const Decision& decision, std::uint64_t databytes, std::string_view verdict) {
  engine::ReplyWriter writer;
  const engine::Fills fills{.host = example_host, .verdict = verdict, .size_octets = databytes};
  std::string text(writer.write(decision.row->reply, fills, decision.after));
  std::erase(text, '\r');
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace postern::audit
