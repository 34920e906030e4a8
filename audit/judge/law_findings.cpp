#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

#include "audit/judge/finding.hpp"
#include "audit/judge/seen.hpp"
#include "audit/resources.hpp"
#include "spec/check_laws.hpp"

namespace postern::audit {
namespace {

namespace bit = spec::bit;

spec::Laws embedded_laws(const spec::Model& model) {
  spec::Problems problems;
  spec::Laws laws = spec::parse_laws(laws_toml(), model, problems);
  if (!problems.empty()) throw std::logic_error(problems.front().file + ": " + problems.front().what);
  return laws;
}

Truth truth_of_clause(const spec::Clause& clause, const Words& words) {
  Truth truth = Truth::yes;
  for (const spec::Conjunct& conjunct : clause.conjuncts) truth = std::min(truth, truth_of(conjunct.condition, words));
  return truth;
}

// What a client could see of one decision: was a breach among it?
std::vector<Seen> all_that_may_be_seen() {
  constexpr std::array codes = {0U, 220U, 221U, 235U, 250U, 334U, 354U, 421U, 451U, 550U};
  constexpr std::array states = {std::pair(bit::transaction_none, bit::authentication_none),
                                 std::pair(bit::transaction_mail, bit::authentication_none),
                                 std::pair(bit::transaction_rcpt, bit::authentication_none),
                                 std::pair(bit::transaction_none, bit::authentication_done)};
  const Capabilities everything{"AUTH PLAIN", "AUTH=PLAIN", "STARTTLS", "SIZE 1", "PIPELINING", "HELP", "8BITMIME"};
  std::vector<Seen> all;
  for (const unsigned code : codes)
    for (const bool is_closed : {false, true})
      for (const auto& [transaction, authentication] : states)
        for (const bool lists : {false, true})
          all.push_back({.code = code,
                         .is_closed = is_closed,
                         .transactions = transaction,
                         .authentications = authentication,
                         .awaits_command = lists,
                         .is_late = lists,
                         .listed = lists ? everything : Capabilities{},
                         .effect = {}});
  return all;
}

constexpr std::size_t most_counted = 10;
constexpr unsigned most_misses = 3;

struct Place {
  spec::Guards before;
  spec::Event event{};
  Words unseen;
};

class LawJudge {
 public:
  LawJudge(const Policy& policy, const Tried& tried)
      : policy_(policy), tried_(tried), laws_(embedded_laws(policy.model())) {
    const Usual usual = usual_of(tried.trials, tried.records);
    for (std::size_t i = 0; i < tried.trials.size(); ++i) {
      if (!tried.why_not[i].empty()) continue;
      for (Observation& each : observations_of(tried.trials[i], tried.records[i], usual)) {
        each.trial = i;
        words_.push_back(words_of(model(), laws_.words, each));
        observations_.push_back(std::move(each));
      }
    }
    if (observations_.empty()) return;  // then nothing was tried, and that is all there is to say
    for (const Decision& decision : policy.walk(tried.settings_and_facts))
      places_.push_back(
          {decision.before, decision.event, unseen_words(model(), laws_.words, decision.before, decision.event)});
  }

  std::vector<LawFinding> judge() {
    try_clauses();
    std::vector<LawFinding> findings;
    for (const spec::Law& law : laws_.laws) findings.push_back(judge_law(law));
    for (const spec::Law& law : laws_.invariants) findings.push_back(judge_invariant(law));
    for (const spec::Possibility& law : laws_.possibilities) findings.push_back(judge_possibility(law));
    return findings;
  }

 private:
  [[nodiscard]] const spec::Model& model() const { return policy_.model(); }

  LawFinding judge_law(const spec::Law& law) {
    LawFinding found{.kind = "law",
                     .name = law.name,
                     .sentence = law.sentence,
                     .source = law.source,
                     .line = law.line,
                     .finding = {},
                     .clauses = {}};
    for (const spec::Clause& clause : law.never) found.clauses.push_back(judge_clause(clause));
    found.finding = worst_of(found.clauses);
    return found;
  }

  static Finding worst_of(const std::vector<ClauseFinding>& clauses) {
    const auto has = [&](Finding finding) {
      return std::ranges::find(clauses, finding, &ClauseFinding::finding) != clauses.end();
    };
    if (has(Finding::broken)) return Finding::broken;
    if (has(Finding::holds)) return has(Finding::not_tried) ? Finding::in_part : Finding::holds;
    if (has(Finding::not_tried)) return Finding::not_tried;
    return has(Finding::unseen) ? Finding::unseen : Finding::idle;
  }

  ClauseFinding judge_clause(const spec::Clause& clause) {
    ClauseFinding found{
        .statement = "never " + clause.text, .finding = Finding::idle, .reason = {}, .tried = 0, .shown = {}};
    for (std::size_t i = 0; i < observations_.size(); ++i)
      if (truth_of_clause(clause, words_[i]) == Truth::yes) show(clause, found, observations_[i]);
    found.tried = times_tried_[&clause];
    if (found.shown)
      found.finding = Finding::broken;
    else if (found.tried != 0)
      found.finding = Finding::holds;
    else
      say_why(clause, found);
    return found;
  }

  // The shortest dialogue; what was looked at after the act belongs to it only where it is needed.
  void show(const spec::Clause& clause, ClauseFinding& found, const Observation& seen) const {
    Observation at_once = seen;
    at_once.seen = seen.at_once.value_or(seen.seen);
    const TrialRecord& record = tried_.records[seen.trial];
    const bool is_enough =
        seen.at_once && truth_of_clause(clause, words_of(model(), laws_.words, at_once)) == Truth::yes;
    show(found, {seen.trial, is_enough ? record.lines_at_once : record.dialogue.size()});
  }

  static void show(ClauseFinding& found, Shown shown) {
    if (!found.shown || shown.lines < found.shown->lines) found.shown = shown;
  }

  // A decision counts as a trial of the clause only where it speaks of it and a breach would have been seen. What is tried
  // often enough is not counted on, nor looked at again what could not be seen of this event.
  void try_clauses() {
    std::map<std::pair<const spec::Clause*, spec::Event>, unsigned> unseen_times;
    for (const auto& [trial, before, event, seen, at_once] : observations_) {
      const Words unseen = unseen_words(model(), laws_.words, before, event);
      for (const spec::Law& law : laws_.laws) {
        for (const spec::Clause& clause : law.never) {
          std::size_t& times = times_tried_[&clause];
          unsigned& misses = unseen_times[{&clause, event}];
          if (times >= most_counted || misses >= most_misses || truth_of_clause(clause, unseen) == Truth::no) continue;
          const bool is_visible = can_be_seen(clause, before, event);
          times += is_visible;
          misses += !is_visible;
        }
      }
    }
  }

  bool can_be_seen(const spec::Clause& clause, spec::Guards before, spec::Event event) {
    constexpr std::size_t most_remembered = 64;
    const std::pair key(before.bits, event);
    if (visible_.size() >= most_remembered && !visible_.contains(key)) visible_.clear();
    const auto [known, is_new] = visible_.try_emplace(key);
    if (is_new)
      for (const Seen& seen : possible_)
        known->second.push_back(words_of(model(), laws_.words,
                                         {.trial = 0, .before = before, .event = event, .seen = seen, .at_once = {}}));
    return std::ranges::any_of(known->second,
                               [&](const Words& words) { return truth_of_clause(clause, words) == Truth::yes; });
  }

  // No decision was tried that the clause speaks of.
  void say_why(const spec::Clause& clause, ClauseFinding& found) {
    if (observations_.empty()) {
      found.finding = Finding::not_tried;
      found.reason = tried_.why_not.empty() ? std::string() : tried_.why_not.front();
      return;
    }
    std::vector<spec::Event> asked;
    for (const Place& place : places_) {
      if (std::ranges::find(asked, place.event) != asked.end() || truth_of_clause(clause, place.unseen) == Truth::no)
        continue;
      asked.push_back(place.event);
      const bool is_visible = can_be_seen(clause, place.before, place.event);
      if (found.finding != Finding::not_tried) found.finding = is_visible ? Finding::not_tried : Finding::unseen;
      if (is_visible && found.reason.empty()) found.reason = why_not_tried(place.event);
    }
    if (found.finding == Finding::unseen) found.reason = "no reply, capability or close would show it";
  }

  [[nodiscard]] std::string why_not_tried(spec::Event event) const {
    if (const std::string why = why_unplayed(event); !why.empty()) return why;
    // The first trial wants the least.
    for (std::size_t i = 0; i < tried_.trials.size(); ++i) {
      const Act& act = tried_.trials[i].subject().act;
      if ((act.asked == event || act.outcome == event) && !tried_.why_not[i].empty()) return tried_.why_not[i];
    }
    return "such a session is not among those that are played";
  }

  // A state shows only in what is decided in it: what a trial left behind is looked at, and nothing else can be.
  LawFinding judge_invariant(const spec::Law& law) {
    LawFinding found{.kind = "invariant",
                     .name = law.name,
                     .sentence = law.sentence,
                     .source = law.source,
                     .line = law.line,
                     .finding = {},
                     .clauses = {}};
    for (const spec::Clause& clause : law.never) {
      ClauseFinding each{.statement = "never " + clause.text,
                         .finding = Finding::unseen,
                         .reason = "a state shows only by what is decided in it, of which the laws speak",
                         .tried = 0,
                         .shown = {}};
      for (std::size_t i = 0; i < observations_.size(); ++i)
        if (truth_of_clause(clause, state_after(words_[i])) == Truth::yes) show(each, whole(observations_[i].trial));
      if (each.shown) each = {each.statement, Finding::broken, {}, 0, each.shown};
      found.clauses.push_back(std::move(each));
    }
    found.finding = worst_of(found.clauses);
    return found;
  }

  [[nodiscard]] Shown whole(std::size_t trial) const { return {trial, tried_.records[trial].dialogue.size()}; }

  [[nodiscard]] Words state_after(Words words) const {
    for (std::size_t i = 0; i < model().states.size(); ++i)
      words[model().states[i].variable] = words[laws_.words.after + i];
    return words;
  }

  LawFinding judge_possibility(const spec::Possibility& law) {
    LawFinding found{.kind = "possibility",
                     .name = law.name,
                     .sentence = law.sentence,
                     .source = law.source,
                     .line = law.line,
                     .finding = Finding::idle,
                     .clauses = {}};
    ClauseFinding some{
        .statement = "some " + law.some_text, .finding = Finding::idle, .reason = {}, .tried = 0, .shown = {}};
    const spec::Assignment start = spec::to_assignment(spec::start(tried_.settings_and_facts).bits, model());
    if (spec::holds(law.when, start)) seek(law, some);
    found.finding = some.finding;
    found.clauses.push_back(std::move(some));
    return found;
  }

  void seek(const spec::Possibility& law, ClauseFinding& some) const {
    some.finding = Finding::not_tried;
    some.reason = "such a session is not among those that are played";
    for (const Words& words : words_) some.tried += truth_of(law.some, words) == Truth::yes;
    if (some.tried != 0) {
      some.finding = Finding::holds;
      some.reason.clear();
      return;
    }
    for (std::size_t i = 0; i < tried_.trials.size(); ++i) {
      if (!comes_to(law, tried_.trials[i].subject())) continue;
      some.reason = tried_.why_not[i];
      if (!some.reason.empty() || !tried_.records[i].trouble.empty()) continue;
      const bool is_reached = tried_.records[i].is_as_expected(tried_.trials[i]);
      some.finding = is_reached ? Finding::holds : Finding::broken;
      some.tried += is_reached;
      return is_reached ? void() : show(some, whole(i));
    }
  }

  [[nodiscard]] bool comes_to(const spec::Possibility& law, const TrialStep& step) const {
    return std::ranges::any_of(std::array{step.first, step.last}, [&](const Decision& decision) {
      const spec::Assignment before = spec::to_assignment(decision.before.bits, model());
      const spec::Decision told{model(), before, static_cast<std::size_t>(decision.event),
                                static_cast<std::size_t>(decision.row->rule)};
      return spec::holds(law.some, spec::describe(laws_.words, told));
    });
  }

  const Policy& policy_;
  const Tried& tried_;
  spec::Laws laws_;
  std::vector<Observation> observations_;
  std::vector<Words> words_;
  std::vector<Place> places_;
  std::map<const spec::Clause*, std::size_t> times_tried_;
  const std::vector<Seen> possible_ = all_that_may_be_seen();
  std::map<std::pair<std::uint64_t, spec::Event>, std::vector<Words>> visible_;  // what may be seen of a decision
};

}  // namespace

std::string_view name_of(Finding finding) {
  switch (finding) {
    case Finding::holds: return "holds";
    case Finding::in_part: return "holds in part";
    case Finding::broken: return "broken";
    case Finding::not_tried: return "not tried";
    case Finding::unseen: return "cannot be seen";
    case Finding::idle: return "does not arise";
  }
  return {};
}

std::vector<LawFinding> judge_laws(const Policy& policy, const Tried& tried) { return LawJudge(policy, tried).judge(); }

}  // namespace postern::audit
