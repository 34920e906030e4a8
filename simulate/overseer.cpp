#include "simulate/overseer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace postern::simulate {

namespace bit = spec::bit;
using spec::Effect;
using spec::Event;

namespace {

// Its line holds credentials, or may.
constexpr bool is_secret(std::string_view name) { return name.starts_with("auth.") || name.starts_with("response."); }

const std::array<bool, spec::event_count>& secret_events() {
  static const auto all = [] {
    std::array<bool, spec::event_count> are_secret{};
    for (std::size_t i = 0; i < are_secret.size(); ++i) are_secret[i] = is_secret(spec::name_of(static_cast<Event>(i)));
    return are_secret;
  }();
  return all;
}

}  // namespace

void Overseer::begin(Stage& stage, std::uint32_t life, bool is_recording) {
  stage_ = &stage;
  life_ = life;
  before_.reset();
  course_.begin();
  owed_.clear(), delayed_.clear(), heard_.clear();
  window_ = {};
  progress_ = stage.now;
  has_seen_secret_ = is_forgiving_ = false;
  is_recording_ = is_recording;
}

void Overseer::judge(const engine::Note& note) {
  const engine::Step& step = note.step;
  progress_ = stage_->now;
  const testing::Decision decision{std::exchange(before_, std::nullopt).value_or(step.before),
                                   step.event,
                                   step.rule,
                                   step.code,
                                   step.effect,
                                   note.session.guards()};
  complain(stage_->judge.complaint(decision));
  complain(course_.take(decision));
  for (const testing::SessionLaw& law : testing::all_session_laws)
    if (!law.is_kept({decision, step, note.session})) complain(law.name);
  (step.effect == Effect::delay ? delayed_ : owed_) += step.reply;
  if (secret_events()[static_cast<std::size_t>(step.event)]) has_seen_secret_ = true;
  if (step.effect == Effect::begin_message) window_ = {.began = stage_->now};
  check_end_of_server(step);
  check_too_slow(step);
  if (step.consumed == 0) record({.kind = audit::ItemKind::event, .octets = {}, .event = step.event});
}

// deviation D23: a message in hand is not broken off by an end that can wait.
void Overseer::check_end_of_server(const engine::Step& step) {
  const bool may_end = stage_->end >= ServerEnd::at_once || !step.before.has(bit::waiting_mail_data);
  if (step.event == Event::shutting_down && !may_end) complain("a shut-down ends a message in hand");
}

void Overseer::check_too_slow(const engine::Step& step) {
  if (step.event != Event::too_slow || !step.before.has(bit::waiting_mail_data)) return;
  const std::uint64_t wanted = std::uint64_t{stage_->patience.min_octets_per_second} * stage_->patience.window_seconds;
  if (window_.least >= wanted) complain("mail data that comes fast enough is called too slow");
}

void Overseer::check_replies(std::string_view added) {
  if (std::exchange(is_forgiving_, false)) return;
  if (added != owed_) complain("what is said is not what was decided");
}

void Overseer::count_mail_data(std::size_t octets, bool is_exact) {
  window_.most += octets;
  if (is_exact) window_.least += octets;
  if (octets != 0) progress_ = stage_->now;
}

void Overseer::check_patience(bool is_mail_data, bool waits) {
  const engine::Patience& patience = stage_->patience;
  if (!waits) return;
  if (stage_->now >= progress_ + engine::seconds(patience.silence_seconds)) complain("silence goes on for ever");
  if (!is_mail_data || stage_->now < window_.began + engine::seconds(patience.window_seconds)) return;
  if (window_.most < std::uint64_t{patience.min_octets_per_second} * patience.window_seconds)
    complain("mail data comes too slowly, and may");
  window_ = {.began = stage_->now};
}

void Overseer::record(audit::Item item) {
  if (is_recording_) heard_.push_back(std::move(item));
}

}  // namespace postern::simulate
