// The policy, ready to be asked: the generated table for every decision, the model of spec/*.toml for the words.
// in      guards, an event; names as the spec writes them
// out     Decision; reply texts; every state that a session of one configuration can be in
// lives   Decision::row points into the table, which lives for ever
// errors  the constructor throws std::logic_error when the embedded spec is not the one that was built
// source  spec/*.toml, engine/policy.hpp
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spec/model.hpp"
#include "spec/policy_row.hpp"

namespace postern::audit {

// The host of every reply that is shown.
inline constexpr std::string_view example_host = "mx.example.org";

struct Decision {
  spec::Guards before;
  spec::Event event{};
  const spec::PolicyRow* row = nullptr;
  spec::Guards after;

  [[nodiscard]] unsigned code() const;  // of the reply; 0: none
  // A client that is closed in place of a greeting is refused, too, though nothing is said to it.
  [[nodiscard]] bool is_refusal() const {
    return code() >= 400 ||
           (code() == 0 && row->effect == spec::Effect::close && before.has(spec::bit::waiting_connect));
  }
  [[nodiscard]] std::string_view rule() const { return spec::name_of(row->rule); }
};

class Policy {
 public:
  Policy();

  [[nodiscard]] const spec::Model& model() const { return model_; }
  [[nodiscard]] const spec::RuleRow& rule(spec::Rule rule) const {
    return model_.rules[static_cast<std::size_t>(rule)];
  }

  // Only for an event that may happen in this state.
  [[nodiscard]] Decision decide(spec::Guards guards, spec::Event event) const;
  // What can happen in this state, in the order of events.toml.
  [[nodiscard]] std::vector<spec::Event> events_in(spec::Guards guards) const;
  // Every decision of every state that is reached from the start by `connect.ready`, nearest first; counted facts may
  // have any value at any time.
  [[nodiscard]] std::vector<Decision> walk(spec::Guards settings_and_facts) const;

  // The bit of a setting or fact; 0 when there is none of that name.
  [[nodiscard]] std::uint64_t bit_of(std::string_view name) const;
  // Settings and facts that hold for a whole connection, in the order of settings.toml.
  [[nodiscard]] const std::vector<const spec::Variable*>& fixed() const { return fixed_; }
  [[nodiscard]] std::uint64_t counted() const { return counted_; }
  // `FORCE_TLS=1`
  [[nodiscard]] std::string written(std::uint64_t bit, spec::Guards guards) const;
  // Every combination of settings and facts.
  [[nodiscard]] std::vector<spec::Guards> configurations() const;

  // Without the line end; the lines of an EHLO reply are joined by "\n". Empty when nothing is sent.
  [[nodiscard]] static std::string reply_text(const Decision& decision, std::uint64_t databytes = 0,
                                              std::string_view verdict = {});

 private:
  spec::Model model_;
  std::vector<const spec::Variable*> fixed_;
  std::uint64_t counted_ = 0;
  std::vector<std::uint64_t> waits_;  // by event: the values of `waiting` in which it can happen
};

}  // namespace postern::audit
