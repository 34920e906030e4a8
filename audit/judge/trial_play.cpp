#include "audit/judge/trial_play.hpp"

#include <algorithm>

#include "audit/dialogue.hpp"

namespace postern::audit {
namespace {

using spec::Effect;
using spec::Event;
using std::chrono::milliseconds;
namespace bit = spec::bit;

constexpr milliseconds patience_for_the_end{3000}, patience_for_the_unasked{300};
constexpr std::size_t most_dialogue_lines = 200;

// Codes that a client acts upon are the same code; of others the class counts (RFC 5321 4.2.1).
bool fits_code(unsigned wanted, const Answer& answer) {
  if (wanted == 0) return true;
  if (!answer.is_reply()) return false;
  return wanted / 100 == 3 ? answer.code == wanted : answer.code / 100 == wanted / 100;
}

Capabilities capabilities_of(const Answer& answer) {
  Capabilities listed;
  for (std::size_t i = 1; i < answer.lines.size(); ++i) {
    std::string line = answer.lines[i].size() > 4 ? answer.lines[i].substr(4) : std::string();
    std::ranges::transform(line, line.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
    listed.push_back(std::move(line));
  }
  return listed;
}

std::uint64_t size_limit_of(const std::optional<Capabilities>& listed) {
  if (!listed) return 0;
  for (const std::string& line : *listed) {
    if (!line.starts_with("SIZE ")) continue;
    std::uint64_t size = 0;
    for (const char c : line.substr(5, 18)) {
      if (c < '0' || c > '9') return 0;
      size = size * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return size;
  }
  return 0;
}

class TrialPlayer {
 public:
  TrialPlayer(const Trial& trial, const Surroundings& by, ServerTalk& talk, milliseconds patience)
      : trial_(trial), by_(by), talk_(talk), patience_(patience) {}

  TrialRecord play() {
    for (std::size_t at = 0; at < trial_.steps.size() && goes_on_; ++at) take(at);
    if (goes_on_ && trial_.steps.back().last.after.has(bit::waiting_command)) talk_.say("QUIT\r\n");
    talk_.close();
    return std::move(record_);
  }

 private:
  void take(std::size_t at) {
    const TrialStep& step = trial_.steps[at];
    if (at == trial_.tested) record_.listed = listed_;
    if (step.act.asked == Event::connect_ready)
      connect(step);
    else if (step.act.asked == Event::handshake_done)
      shake_hands(at);
    else
      talk(at);
    if (record_.played.size() <= at) return void(goes_on_ = false);
    goes_on_ = goes_on_ && record_.played[at].fits;
    if (at != trial_.tested) return;
    look_for_the_end(step);
    record_.lines_at_once = record_.dialogue.size();
  }

  void connect(const TrialStep& step) {
    record_.trouble = talk_.open(step.first.before.has(bit::channel_implicit));
    if (record_.trouble.empty()) hear(step);
  }

  // Where the handshake is what is tested, octets in clear went before it; an answer to them comes unasked.
  void shake_hands(std::size_t at) {
    PlayedStep done;
    const bool is_tested = at == trial_.tested;
    if (is_tested) hear_the_unasked(done);
    done.trouble = talk_.start_tls();
    done.fits = done.trouble.empty();
    listed_.reset();
    show(done.fits ? "= handshake.done" : "= handshake.failed");
    if (is_tested && done.fits) hear_the_unasked(done);
    record_.played.push_back(std::move(done));
  }

  void hear_the_unasked(PlayedStep& done) {
    const Answer unasked = talk_.hear(patience_for_the_unasked);
    show(unasked);
    if (unasked.is_reply()) done.answer = unasked;
  }

  void talk(std::size_t at) {
    const TrialStep& step = trial_.steps[at];
    const auto speech = speech_of(step, by_, size_limit_of(listed_));
    if (!speech) {
      record_.played.push_back({.answer = {}, .trouble = "EHLO lists no limit of SIZE", .fits = false});
      return;
    }
    const bool sends_on = step.act.asked == Event::starttls && at + 1 == trial_.tested;
    show(speech->shown);
    if (sends_on) show("C: NOOP");
    talk_.say(sends_on ? speech->octets + "NOOP\r\n" : speech->octets);
    hear(step);
    const Answer& answer = record_.played.back().answer;
    if (step.act.asked != Event::ehlo || !answer.is_reply() || answer.code != 250) return;
    listed_ = capabilities_of(answer);
    if (at == trial_.tested) record_.listed = listed_;
  }

  void hear(const TrialStep& step) {
    PlayedStep played{.answer = talk_.hear(patience_), .trouble = {}, .fits = false};
    played.fits = fits_code(step.last.code(), played.answer);
    show(played.answer);
    if (played.answer.kind == Answer::Kind::silence) show("S says nothing");
    record_.played.push_back(std::move(played));
  }

  void look_for_the_end(const TrialStep& step) {
    const Answer& answer = record_.played.back().answer;
    if (answer.kind == Answer::Kind::closed) return void(record_.is_closed = true);
    const bool may_be_over = step.last.row->effect == Effect::close || answer.code == 421 || answer.code == 221;
    if (!may_be_over || !answer.is_reply()) return;
    const Answer more = talk_.hear(patience_for_the_end);
    show(more);
    record_.is_closed = more.kind == Answer::Kind::closed;
    if (!*record_.is_closed) show("S does not close");
    goes_on_ = goes_on_ && !*record_.is_closed;
  }

  void show(std::string line) {
    if (record_.dialogue.size() < most_dialogue_lines) record_.dialogue.push_back(std::move(line));
  }

  void show(const Answer& answer) {
    for (const std::string& line : answer.lines) show(written({.kind = ItemKind::server, .octets = line + "\r\n"}));
    if (answer.kind == Answer::Kind::closed) show("S closes");
  }

  const Trial& trial_;
  const Surroundings& by_;
  ServerTalk& talk_;
  milliseconds patience_;
  TrialRecord record_;
  std::optional<Capabilities> listed_;
  bool goes_on_ = true;
};

}  // namespace

bool TrialRecord::is_as_expected(const Trial& trial) const {
  if (!reached(trial)) return false;
  const bool should_close = trial.subject().last.row->effect == Effect::close;
  return played[trial.tested].fits && is_closed.value_or(should_close) == should_close;
}

TrialRecord play(const Trial& trial, const Surroundings& surroundings, ServerTalk& talk, milliseconds patience) {
  return TrialPlayer(trial, surroundings, talk, patience).play();
}

}  // namespace postern::audit
