#include "cli/judge_run.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <thread>

#include "audit/dialogue.hpp"

namespace postern::cli {
namespace {

using audit::Answer;
using audit::Trial;
using audit::TrialRecord;
using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr unsigned most_silent_sessions = 3;
constexpr std::array waits_when_busy = {seconds(5), seconds(15), seconds(60)};

// "with `550 5.7.1 no`", or what came in its place.
std::string told(const audit::PlayedStep& played) {
  if (!played.trouble.empty()) return "with `" + played.trouble + "`";
  if (!played.answer.lines.empty()) return "with `" + audit::escaped(played.answer.lines.back()).substr(0, 120) + "`";
  return played.answer.kind == Answer::Kind::closed ? "by closing" : "with nothing";
}

class JudgeRun {
 public:
  JudgeRun(const audit::Policy& policy, const audit::Surroundings& surroundings, const JudgeBounds& bounds,
           audit::ServerTalk& talk)
      : policy_(policy), by_(surroundings), bounds_(bounds), talk_(talk) {}

  audit::ServerJudgement run(const audit::Configuration& supposed) {
    result_.configuration = supposed;
    audit::Tried& tried = result_.tried;
    tried.settings_and_facts = supposed.settings_and_facts;
    tried.trials = audit::plan_trials(policy_, supposed.settings_and_facts, by_);
    for (const Trial& trial : tried.trials) {
      tried.records.emplace_back();
      tried.why_not.push_back(take(trial, tried.records.back()));
    }
    result_.seconds = std::chrono::duration<double>(Clock::now() - began_).count();
    result_.laws = audit::judge_laws(policy_, tried);
    result_.rules = audit::judge_rules(policy_, tried);
    return std::move(result_);
  }

 private:
  using Place = std::pair<std::uint64_t, spec::Event>;

  // Empty: it was played.
  std::string take(const Trial& trial, TrialRecord& record) {
    if (!trial.hindrance.empty()) return trial.hindrance;
    if (!result_.stopped.empty()) return result_.stopped;
    for (std::size_t at = 0; at < trial.tested; ++at) {
      const auto refused = refused_.find(place_of(trial, at));
      if (refused != refused_.end()) return refused->second;
    }
    record = play_patiently(trial);
    if (!result_.stopped.empty()) return result_.stopped;
    remember(trial, record);
    if (record.reached(trial)) return why_no_trial(trial, record);
    return refused_[place_of(trial, record.played.size() - 1)];
  }

  static Place place_of(const Trial& trial, std::size_t at) {
    return {trial.steps[at].first.before.bits ^ static_cast<std::uint64_t>(trial.steps[at].act.outcome) << 48,
            trial.steps[at].act.asked};
  }

  // What the server lacks that the act is about.
  static std::string why_no_trial(const Trial& trial, const TrialRecord& record) {
    const audit::PlayedStep& played = record.played[trial.tested];
    const bool is_handshake = trial.subject().act.asked == spec::Event::handshake_done;
    return is_handshake || played.trouble.empty() ? std::string() : played.trouble;
  }

  void remember(const Trial& trial, const TrialRecord& record) {
    const std::size_t last = std::min(record.played.size() - 1, trial.tested);
    const audit::PlayedStep& played = record.played[last];
    if (!played.fits)
      refused_.try_emplace(place_of(trial, last), "the server answers " +
                                                      std::string(spec::name_of(trial.steps[last].act.asked)) + " " +
                                                      told(played) + ", and so does not get there");
    const bool is_silent =
        played.answer.kind == Answer::Kind::silence && played.trouble.empty() && trial.steps[last].last.code() != 0;
    silent_ = is_silent ? silent_ + 1 : 0;
    if (silent_ >= most_silent_sessions)
      result_.stopped =
          "the server has answered nothing in " + std::to_string(silent_) + " sessions one after the other";
  }

  // A server that is busy is waited for, some times.
  TrialRecord play_patiently(const Trial& trial) {
    for (std::size_t wait = 0;; ++wait) {
      TrialRecord record = play_once(trial);
      const bool is_first = result_.sessions == 1;
      if (!record.trouble.empty()) result_.stopped = record.trouble;
      if (!result_.stopped.empty() || record.played.empty()) return record;
      const Answer& greeting = record.played.front().answer;
      if (is_first) greet(greeting, trial);
      const bool is_busy = greeting.code == 421 && trial.steps.front().last.code() == 220;
      if (!is_busy || !result_.stopped.empty()) return record;
      if (wait == waits_when_busy.size() || time_left() < waits_when_busy[wait]) {
        result_.stopped = "the server has no time for clients: it greets " + told(record.played.front());
        return record;
      }
      std::this_thread::sleep_for(waits_when_busy[wait]);
    }
  }

  TrialRecord play_once(const Trial& trial) {
    if (time_left() <= seconds(0)) {
      result_.stopped = "the time is over: " + std::to_string(bounds_.total_seconds) + " seconds (--seconds)";
      return {};
    }
    std::this_thread::sleep_until(next_);
    next_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                               std::chrono::duration<double>(1 / bounds_.connections_per_second));
    ++result_.sessions;
    return audit::play(trial, by_, talk_, seconds(bounds_.reply_seconds));
  }

  void greet(const Answer& greeting, const Trial& trial) {
    if (!greeting.lines.empty()) result_.banner = audit::escaped(greeting.lines.front()).substr(0, 200);
    const bool may_be_silent = trial.steps.front().last.code() == 0;
    if (greeting.is_reply() || may_be_silent) return;
    const bool is_late = greeting.kind == Answer::Kind::silence;
    result_.stopped = greeting.kind == Answer::Kind::closed ? "the server closes and greets nobody"
                      : is_late
                          ? "the server does not greet within " + std::to_string(bounds_.reply_seconds) + " seconds"
                          : "what greets there is no SMTP server: " + result_.banner;
  }

  [[nodiscard]] Clock::duration time_left() const { return began_ + seconds(bounds_.total_seconds) - Clock::now(); }

  const audit::Policy& policy_;
  const audit::Surroundings& by_;
  const JudgeBounds& bounds_;
  audit::ServerTalk& talk_;
  audit::ServerJudgement result_;
  std::map<Place, std::string> refused_;
  Clock::time_point began_ = Clock::now(), next_ = began_;
  unsigned silent_ = 0;
};

}  // namespace

audit::ServerJudgement judge_server(const audit::Policy& policy, const audit::Configuration& supposed,
                                    const audit::Surroundings& surroundings, const JudgeBounds& bounds,
                                    audit::ServerTalk& talk) {
  return JudgeRun(policy, surroundings, bounds, talk).run(supposed);
}

audit::Conclusion conclude(const audit::ServerJudgement& judgement, bool is_strict) {
  const std::size_t laws = judgement.count_laws(audit::Finding::broken);
  const std::size_t rules = judgement.count_rules(audit::Finding::broken);
  const std::string more = judgement.stopped.empty() ? "" : "; it was not judged to its end";
  if (laws != 0)
    return {1, "broken: " + std::to_string(laws) + (laws == 1 ? " law does" : " laws do") + " not hold" + more};
  if (rules != 0 && is_strict)
    return {1, "otherwise: " + std::to_string(rules) + " rules are answered otherwise (--strict)" + more};
  if (!judgement.stopped.empty()) return {2, "not judged: " + judgement.stopped};
  const std::string others = rules == 0 ? "" : ", though " + std::to_string(rules) + " rules are answered otherwise";
  return {0, "every law that was tried holds, as far as it was tried" + others};
}

}  // namespace postern::cli
