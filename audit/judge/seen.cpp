#include "audit/judge/seen.hpp"

#include <algorithm>
#include <array>

#include "spec/check_laws.hpp"

namespace postern::audit {
namespace {

using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

constexpr std::uint64_t any_transaction = bit::transaction_none | bit::transaction_mail | bit::transaction_rcpt;
constexpr std::uint64_t any_authentication = bit::authentication_none | bit::authentication_done;
constexpr std::chrono::milliseconds least_delay{500};

bool begins(Event event, std::string_view with) { return spec::name_of(event).starts_with(with); }

Usual::key_type place_of(const TrialStep& step) { return {step.first.before.bits, step.act.asked}; }

// What the probes after the tested act tell of the state that it left.
class Reading {
 public:
  Reading(const Trial& trial, const TrialRecord& record, const Usual& usual)
      : trial_(trial), record_(record), usual_(usual) {}

  Seen at_once() {
    const Answer& answer = record_.played[trial_.tested].answer;
    seen_.code = answer.is_reply() ? answer.code : 0;
    seen_.is_closed = record_.is_closed;
    seen_.transactions = any_transaction;
    seen_.authentications = any_authentication;
    seen_.is_late = answer.took >= least_delay;
    seen_.listed = record_.listed;
    return seen_;
  }

  Seen read() {
    for (std::size_t at = trial_.tested + 1; at < record_.played.size(); ++at) {
      const PlayedStep& played = record_.played[at];
      if (at == trial_.tested + 1) see_the_end(trial_.steps[at], played.answer);
      // What comes after an answer to a challenge, a handshake or EHLO is of another state.
      if (at == trial_.tested + 1 && !trial_.steps[at].first.before.has(bit::waiting_command)) break;
      if (trial_.steps[at].act.asked == Event::ehlo) transaction_is_gone_ = true;
      if (played.answer.is_reply()) probe(trial_.steps[at], played.answer.code);
    }
    return seen_;
  }

  // A command after the act that is answered otherwise than by itself, though the state seems to be that of the table.
  [[nodiscard]] std::optional<Observation> strange_probe() const {
    const std::size_t at = record_.played.size() - 1;
    if (at <= trial_.tested || record_.played[at].fits || !record_.played[at].answer.is_reply()) return {};
    const TrialStep& probe = trial_.steps[at];
    const spec::Guards after = trial_.subject().last.after;
    const bool is_explained = !after.has(seen_.transactions) || !after.has(seen_.authentications);
    if (is_explained || !probe.first.before.has(bit::waiting_command) || !is_usual(probe)) return {};
    Observation strange{.trial = 0, .before = probe.first.before, .event = probe.act.asked, .seen = {}, .at_once = {}};
    strange.seen.code = record_.played[at].answer.code;
    strange.seen.transactions = any_transaction;
    strange.seen.authentications = any_authentication;
    return strange;
  }

 private:
  // It is the tested act that closed, unless the probe does so by itself.
  void see_the_end(const TrialStep& probe, const Answer& answer) {
    const bool may_tell = !probe.first.before.has(bit::waiting_command) || is_usual(probe);
    if (answer.kind == Answer::Kind::closed && may_tell) seen_.is_closed = true;
    if (answer.is_reply()) seen_.is_closed = false;
  }

  // A probe tells of the state only where the server answers it in each state as the table does.
  void probe(const TrialStep& step, unsigned code) {
    const bool is_obeyed = code / 100 == 2 || code / 100 == 3;
    switch (step.act.asked) {
      case Event::noop: seen_.awaits_command = seen_.awaits_command || is_obeyed; break;
      case Event::data:
        if (is_usual(step)) keep(is_obeyed ? bit::transaction_rcpt : bit::transaction_none | bit::transaction_mail);
        break;
      case Event::rcpt_valid:
        if (is_usual(step) && is_obeyed) keep(bit::transaction_mail | bit::transaction_rcpt);
        break;
      case Event::mail_valid:
        if (is_usual(step) && is_obeyed)
          keep(bit::transaction_none);
        else if (is_usual(step) && code == code_in(step, bit::transaction_mail, any_transaction))
          keep(bit::transaction_mail | bit::transaction_rcpt);
        break;
      case Event::auth_plain:
        if (is_usual(step) && is_obeyed)
          seen_.authentications &= bit::authentication_none;
        else if (is_usual(step) && code == code_in(step, bit::authentication_done, any_authentication))
          seen_.authentications &= bit::authentication_done;
        break;
      default: break;
    }
  }

  void keep(std::uint64_t transactions) {
    if (!transaction_is_gone_) seen_.transactions &= transactions;
  }

  // Whether a client said HELO or EHLO is all one.
  [[nodiscard]] Usual::const_iterator find(spec::Guards state, Event event) const {
    if (state.has(bit::greeting_helo)) state.bits = (state.bits & ~bit::greeting_helo) | bit::greeting_ehlo;
    return usual_.find({state.bits, event});
  }

  [[nodiscard]] bool is_usual(const TrialStep& step) const {
    return find(step.first.before, step.act.asked) != usual_.end();
  }

  // The answer to the same command in a state that is like this one, but for `value` among `values`; 0: it is not known.
  [[nodiscard]] unsigned code_in(const TrialStep& step, std::uint64_t value, std::uint64_t values) const {
    const auto found = find({(step.first.before.bits & ~values) | value}, step.act.asked);
    return found == usual_.end() ? 0 : found->second;
  }

  const Trial& trial_;
  const TrialRecord& record_;
  const Usual& usual_;
  Seen seen_;
  bool transaction_is_gone_ = false;
};

// ---- words

class WordsMaker {
 public:
  WordsMaker(const spec::Model& model, const spec::Vocabulary& words) : model_(model), words_(words) {}

  // Everything is possible but what the client knows.
  Words unseen(spec::Guards before, Event event) {
    const spec::Assignment known = spec::to_assignment(before.bits, model_);
    for (std::size_t i = 0; i < words_.variables.size(); ++i) {
      Values any;
      for (std::size_t value = 0; value < words_.variables[i].values.size(); ++value) any.set(value);
      all_.push_back(any);
      if (i < known.size()) is(i, known[i]);
    }
    is(words_.event, static_cast<std::size_t>(event));
    for (std::size_t i = 0; i < model_.derived.size(); ++i)
      is(words_.theorem + i, spec::holds(model_.derived[i].condition, known));
    return all_;
  }

  Words seen(const Observation& observation) {
    unseen(observation.before, observation.event);
    event_ = observation.event;
    before_ = observation.before;
    const Seen& seen = observation.seen;
    see_code(seen.code);
    see_effect(seen);
    see_states(seen);
    see_capabilities(seen);
    return all_;
  }

 private:
  void is(std::size_t word, std::size_t value) { all_[word].reset().set(value); }

  void see_code(unsigned code) {
    static constexpr std::array acted_upon = {0U, 220U, 221U, 235U, 334U, 354U, 421U};
    const auto is_acted_upon = [](unsigned each) { return std::ranges::find(acted_upon, each) != acted_upon.end(); };
    const auto may_be = [&](unsigned other) {
      return other == code || (!is_acted_upon(code) && !is_acted_upon(other) && other / 100 == code / 100);
    };
    const auto& codes = words_.variables[words_.code].values;
    for (std::size_t i = 0; i < codes.size(); ++i)
      all_[words_.code].set(i, may_be(static_cast<unsigned>(std::stoul(codes[i]))));
    const bool lists = event_ == Event::ehlo && code / 100 == 2;
    is(words_.lists_capabilities, lists);
    for (std::size_t i = 0; i < model_.replies.size(); ++i)
      all_[words_.reply].set(i, may_be(model_.replies[i].code) && model_.replies[i].has_capability_lines == lists);
  }

  // What the server does is what its reply says it does, or nothing; a close is seen by itself.
  [[nodiscard]] Effect effect_said(const Seen& seen) const {
    if (seen.effect) return *seen.effect;
    const bool is_obeyed = seen.code / 100 == 2;
    if (event_ == Event::starttls && seen.code == 220) return Effect::start_tls;
    if (begins(event_, "mail.") && is_obeyed) return Effect::begin_transaction;
    if (begins(event_, "recipient.") && is_obeyed) return Effect::add_recipient;
    if (begins(event_, "rcpt.") && is_obeyed) return Effect::check_recipient;
    if ((begins(event_, "data") || begins(event_, "message.")) && seen.code == 354) return Effect::begin_message;
    if (begins(event_, "credentials.") && seen.is_late && !is_obeyed) return Effect::delay;
    if ((begins(event_, "data_end.") || begins(event_, "message.")) && seen.code >= 400) return Effect::abandon_message;
    return Effect::none;
  }

  void see_effect(const Seen& seen) {
    const Effect said = effect_said(seen);
    const Effect done = seen.is_closed.value_or(false) ? Effect::close : said;
    is(words_.effect, static_cast<std::size_t>(done));
    if (said == Effect::none && !seen.is_closed) all_[words_.effect].set(static_cast<std::size_t>(Effect::close));
  }

  void see_states(const Seen& seen) {
    for (std::size_t i = 0; i < model_.states.size(); ++i) {
      const std::size_t variable = model_.states[i].variable;
      all_[words_.after + i] = after(model_.variables[variable], seen);
      const Values before = all_[variable], same = all_[words_.after + i] & before;
      if (same.none()) is(words_.changed + i, 1);
      if (same.any() && all_[words_.after + i].count() == 1) is(words_.changed + i, 0);
    }
  }

  [[nodiscard]] Values after(const spec::Variable& state, const Seen& seen) const {
    std::uint64_t may_be = ~std::uint64_t{0};
    if (state.name == "channel")
      may_be = event_ == Event::handshake_done ? bit::channel_starttls : before_.bits;
    else if (state.name == "transaction")
      may_be = seen.transactions;
    else if (state.name == "authentication")
      may_be = seen.authentications;
    else if (state.name == "waiting")
      may_be = waiting_after(seen);
    Values values;
    for (std::size_t value = 0; value < state.values.size(); ++value)
      values.set(value, (spec::bit_of(state, value) & may_be) != 0);
    return values;
  }

  [[nodiscard]] std::uint64_t waiting_after(const Seen& seen) const {
    if (seen.is_closed.value_or(false)) return bit::waiting_end;
    if (seen.effect == Effect::check_recipient) return bit::waiting_recipient;
    if (seen.effect == Effect::check_message) return bit::waiting_message;
    if (seen.effect == Effect::check_credentials) return bit::waiting_credentials;
    if (seen.effect) return bit::waiting_hand_over;
    if (seen.code == 334) return bit::waiting_plain_response | bit::waiting_username | bit::waiting_password;
    if (seen.code == 354) return bit::waiting_mail_data;
    if (event_ == Event::starttls && seen.code == 220) return bit::waiting_handshake;
    if (seen.awaits_command) return bit::waiting_command;
    return seen.is_closed ? ~bit::waiting_end : ~std::uint64_t{0};
  }

  void see_capabilities(const Seen& seen) {
    if (!seen.listed) return;
    for (std::size_t i = 0; i < model_.capabilities.size(); ++i) {
      const std::string& text = model_.capabilities[i].text;
      const std::string keyword = text.substr(0, text.find_first_of(" ="));
      const char mark = text.size() > keyword.size() ? text[keyword.size()] : ' ';
      is(words_.advertised + i, std::ranges::any_of(*seen.listed, [&](const std::string& line) {
           if (!line.starts_with(keyword)) return false;
           return line.size() == keyword.size() ? mark == ' ' : line[keyword.size()] == mark;
         }));
    }
  }

  const spec::Model& model_;
  const spec::Vocabulary& words_;
  Words all_;
  Event event_{};
  spec::Guards before_;
};

// Of each variable the values that one of the alternatives names.
void collect_alternatives(const spec::Expression& expression, std::map<std::size_t, Values>& named) {
  if (expression.kind == spec::Expression::Kind::atom) named[expression.variable].set(expression.value);
  if (expression.kind != spec::Expression::Kind::disjunction) return;
  for (const spec::Expression& part : expression.parts) collect_alternatives(part, named);
}

// `code in (500, 501)` is true where nothing else is possible, though neither alternative is sure.
bool covers(const spec::Expression& disjunction, const Words& words) {
  std::map<std::size_t, Values> named;
  collect_alternatives(disjunction, named);
  return std::ranges::any_of(named, [&](const auto& each) { return (words[each.first] & ~each.second).none(); });
}

Truth opposite(Truth truth) {
  if (truth == Truth::unknown) return truth;
  return truth == Truth::yes ? Truth::no : Truth::yes;
}

}  // namespace

Usual usual_of(std::span<const Trial> trials, std::span<const TrialRecord> records) {
  Usual usual;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (!records[i].is_as_expected(trials[i])) continue;
    usual.try_emplace(place_of(trials[i].subject()), records[i].played[trials[i].tested].answer.code);
  }
  return usual;
}

std::vector<Observation> observations_of(const Trial& trial, const TrialRecord& record, const Usual& usual) {
  if (!record.reached(trial) || !record.played[trial.tested].trouble.empty()) return {};
  const TrialStep& step = trial.subject();
  Reading reading(trial, record, usual);
  Observation last{.trial = 0, .before = step.last.before, .event = step.act.outcome, .seen = {}, .at_once = {}};
  last.at_once = reading.at_once();
  last.seen = reading.read();
  std::vector<Observation> observations{last};
  if (const auto strange = reading.strange_probe()) observations.push_back(*strange);
  // That it asked is seen by the outcome alone.
  if (!step.is_question() || !record.is_as_expected(trial)) return observations;
  Observation first = last;
  first.before = step.first.before;
  first.event = step.act.asked;
  first.seen.code = 0;
  first.seen.effect = step.first.row->effect;
  first.seen.is_closed = false;
  first.seen.transactions = step.first.after.bits & any_transaction;
  first.seen.authentications = step.first.after.bits & any_authentication;
  first.at_once = first.seen;
  observations.push_back(first);
  return observations;
}

Words unseen_words(const spec::Model& model, const spec::Vocabulary& words, spec::Guards before, spec::Event event) {
  return WordsMaker(model, words).unseen(before, event);
}

Words words_of(const spec::Model& model, const spec::Vocabulary& words, const Observation& observation) {
  return WordsMaker(model, words).seen(observation);
}

Truth truth_of(const spec::Expression& expression, const Words& words) {
  using Kind = spec::Expression::Kind;
  if (expression.kind == Kind::always) return Truth::yes;
  if (expression.kind == Kind::atom) {
    const Values& values = words[expression.variable];
    if (!values.test(expression.value)) return Truth::no;
    return values.count() == 1 ? Truth::yes : Truth::unknown;
  }
  if (expression.kind == Kind::negation) return opposite(truth_of(expression.parts.front(), words));
  const bool is_all = expression.kind == Kind::conjunction;
  Truth truth = is_all ? Truth::yes : Truth::no;
  for (const spec::Expression& part : expression.parts)
    truth = is_all ? std::min(truth, truth_of(part, words)) : std::max(truth, truth_of(part, words));
  return !is_all && truth == Truth::unknown && covers(expression, words) ? Truth::yes : truth;
}

}  // namespace postern::audit
