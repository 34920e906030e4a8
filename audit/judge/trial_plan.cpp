#include "audit/judge/trial_plan.hpp"

#include <algorithm>
#include <ranges>
#include <unordered_set>

#include "spec/limits.hpp"

namespace postern::audit {
namespace {

using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

constexpr std::uint64_t answers_a_challenge =
    bit::waiting_plain_response | bit::waiting_username | bit::waiting_password;

bool begins(Event event, std::string_view with) { return spec::name_of(event).starts_with(with); }

bool is_one_of(Event event, std::initializer_list<Event> events) {
  return std::ranges::find(events, event) != events.end();
}

// Needs no EHLO before it.
bool is_of_every_session(Event event) {
  return is_one_of(event, {Event::connect_ready, Event::helo, Event::ehlo, Event::rset, Event::noop, Event::vrfy,
                           Event::help, Event::quit, Event::rcpt_valid, Event::data, Event::handshake_done});
}

// What it does, or how it is answered, hangs on the transaction and the authentication.
bool depends_on_state(Event event) {
  return is_one_of(
      event, {Event::helo, Event::ehlo, Event::rset, Event::noop, Event::quit, Event::mail_valid, Event::mail_with_auth,
              Event::rcpt_valid, Event::data, Event::starttls, Event::auth_plain, Event::handshake_done});
}

// Few wrong passwords, and few messages: one of each kind is enough.
bool is_costly(const Act& act) { return act.outcome == Event::credentials_rejected || begins(act.asked, "data_end."); }

std::string key_of(const TrialStep& step) {
  const spec::Guards before = step.first.before;
  std::uint64_t looked_at = bit::channel_clear | bit::channel_starttls | bit::channel_implicit | bit::greeting_none;
  if (depends_on_state(step.act.asked))
    looked_at |= bit::authentication_none | bit::transaction_none | bit::transaction_mail;
  if (is_costly(step.act)) looked_at = 0;
  looked_at |= answers_a_challenge;
  return std::string(spec::name_of(step.act.asked)) + " " + std::string(spec::name_of(step.act.outcome)) + " " +
         std::string(step.first.rule()) + " " + std::string(step.last.rule()) + " " +
         std::to_string(before.bits & looked_at);
}

// By these a session goes on its way.
bool leads_on(const TrialStep& step) {
  const spec::Guards before = step.first.before;
  if (step.last.row->effect == Effect::close || step.last.is_refusal()) return false;
  if (step.act.asked == Event::ehlo) return before.has(bit::greeting_none);
  if (is_one_of(step.act.asked, {Event::connect_ready, Event::handshake_done})) return true;
  if (before.has(bit::greeting_none | bit::greeting_helo)) return false;
  if (step.act.asked == Event::response_valid) return before.has(bit::waiting_username);
  return is_one_of(step.act.asked, {Event::starttls, Event::auth_plain, Event::auth_plain_response, Event::auth_login,
                                    Event::mail_valid, Event::rcpt_valid, Event::data});
}

// The real login is said only where the table will ask the backend about it, and only for that.
void choose_logins(std::vector<TrialStep>& steps) {
  bool is_real = false;
  for (TrialStep& step : steps | std::views::reverse) {
    if (step.is_question() && begins(step.act.outcome, "credentials."))
      is_real = step.act.outcome == Event::credentials_accepted;
    const bool says_one =
        is_one_of(step.act.asked, {Event::auth_plain_response, Event::auth_login_username, Event::response_valid});
    step.uses_login = says_one && is_real;
    if (!says_one) is_real = false;
  }
}

// Looks at the state after the tested act, by commands whose answers the table knows.
class Probes {
 public:
  Probes(const Policy& policy, const Surroundings& surroundings, Trial& trial)
      : policy_(policy), by_(surroundings), trial_(trial), state_(trial.steps.back().last.after) {}

  void add() {
    const Event tested = trial_.subject().act.asked;
    if (state_.has(answers_a_challenge)) say(Event::response_cancelled);
    if (state_.has(bit::waiting_handshake)) say(Event::handshake_done);
    if (!state_.has(bit::waiting_command)) return;
    say(Event::noop);
    const bool is_about_auth = begins(tested, "auth.") || begins(tested, "response.") || begins(tested, "handshake.");
    if (state_.has(bit::greeting_none)) look_without_greeting(is_about_auth);
    if (is_about_auth && !state_.has(bit::greeting_none)) look_at_authentication();
    if (!state_.has(bit::greeting_none)) look_at_transaction();
  }

 private:
  void say(Event asked) {
    trial_.steps.push_back(step_of(policy_, state_, {asked, asked}));
    state_ = trial_.steps.back().last.after;
  }

  void look_without_greeting(bool is_about_auth) {
    if (!by_.own_recipient.empty()) say(Event::rcpt_valid);
    say(Event::data);
    if (is_about_auth) say(Event::ehlo);
  }

  void look_at_authentication() {
    if (!state_.has(bit::transaction_none)) return;
    say(Event::auth_plain);
    if (state_.has(bit::waiting_plain_response)) say(Event::response_cancelled);
  }

  void look_at_transaction() {
    if (!state_.has(bit::transaction_rcpt)) say(Event::data);
    say(Event::mail_valid);
  }

  const Policy& policy_;
  const Surroundings& by_;
  Trial& trial_;
  spec::Guards state_;
};

class Planner {
 public:
  Planner(const Policy& policy, const Surroundings& surroundings) : policy_(policy), by_(surroundings) {}

  std::vector<Trial> plan(spec::Guards settings_and_facts) {
    reach({.state = spec::start(settings_and_facts), .from = 0, .by = {}, .hindrance = {}});
    for (std::size_t later = 0, at = 0; at < places_.size() || later < hindered_.size();) {
      if (at < places_.size())
        visit(at++);
      else
        reach(Place(hindered_[later++]));
    }
    add_counted();
    return std::move(trials_);
  }

 private:
  struct Place {
    spec::Guards state;
    std::size_t from = 0;
    TrialStep by;
    std::string hindrance;
  };

  void reach(Place place) {
    if (seen_.insert(place.state.bits).second) places_.push_back(std::move(place));
  }

  void visit(std::size_t at) {
    for (const Act act : acts_in(policy_, places_[at].state)) {
      const Place place = places_[at];
      TrialStep step = step_of(policy_, place.state, act);
      if (place.state.has(bit::greeting_none) && place.state.has(bit::waiting_command) &&
          !is_of_every_session(act.asked))
        continue;
      const std::string hindrance = place.hindrance.empty() ? hindrance_of(step, by_) : place.hindrance;
      if (keys_.insert(key_of(step)).second) trials_.push_back(trial_of(at, step, hindrance));
      if (!leads_on(step)) continue;
      Place next{.state = step.last.after, .from = at, .by = step, .hindrance = hindrance};
      if (hindrance.empty())
        reach(std::move(next));
      else
        hindered_.push_back(std::move(next));
    }
  }

  [[nodiscard]] std::vector<TrialStep> way_to(std::size_t at) const {
    std::vector<TrialStep> way;
    for (; at != 0; at = places_[at].from) way.push_back(places_[at].by);
    std::ranges::reverse(way);
    return way;
  }

  [[nodiscard]] Trial trial_of(std::size_t at, const TrialStep& step, const std::string& hindrance) const {
    Trial trial{.steps = way_to(at), .tested = 0, .hindrance = hindrance};
    trial.tested = trial.steps.size();
    trial.steps.push_back(step);
    if (step.last.row->effect != Effect::close) Probes(policy_, by_, trial).add();
    choose_logins(trial.steps);
    return trial;
  }

  // Two sessions that spend what a client may get wrong.
  void add_counted() {
    const auto greeted = std::ranges::find_if(places_, [](const Place& place) {
      return place.state.has(bit::waiting_command) && place.state.has(bit::greeting_ehlo);
    });
    if (greeted == places_.end()) return;
    const auto at = static_cast<std::size_t>(greeted - places_.begin());
    spend(at, {Event::unknown}, spec::max_errors, bit::errors_spent);
    const bool is_challenged =
        step_of(policy_, greeted->state, {Event::auth_plain, Event::auth_plain}).last.code() == 334;
    std::vector<Event> attempt{Event::auth_plain};
    if (is_challenged) attempt.push_back(Event::response_cancelled);
    spend(at, attempt, spec::max_auth_attempts, bit::auth_attempts_spent);
  }

  void spend(std::size_t at, const std::vector<Event>& mistakes, unsigned times, std::uint64_t spent) {
    Trial trial{.steps = way_to(at), .tested = 0, .hindrance = {}};
    spec::Guards state = places_[at].state;
    for (unsigned i = 0; i < times; ++i) {
      for (const Event mistake : mistakes) {
        trial.steps.push_back(step_of(policy_, state, {mistake, mistake}));
        state = trial.steps.back().last.after;
      }
    }
    trial.tested = trial.steps.size();
    const Event last = spent == bit::errors_spent ? Event::noop : Event::auth_plain;
    trial.steps.push_back(step_of(policy_, {state.bits | spent}, {last, last}));
    trials_.push_back(std::move(trial));
  }

  const Policy& policy_;
  const Surroundings& by_;
  std::vector<Place> places_, hindered_;
  std::unordered_set<std::uint64_t> seen_;
  std::unordered_set<std::string> keys_;
  std::vector<Trial> trials_;
};

}  // namespace

std::vector<Trial> plan_trials(const Policy& policy, spec::Guards settings_and_facts,
                               const Surroundings& surroundings) {
  return Planner(policy, surroundings).plan(settings_and_facts);
}

}  // namespace postern::audit
