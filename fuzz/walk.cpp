#include "fuzz/walk.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/event.hpp"
#include "fuzz/session_input.hpp"

namespace postern::fuzz {
namespace {

using spec::Event;
namespace bit = spec::bit;

enum class Limits : std::uint8_t { none, two_recipients, no_recipients, no_room, asks_at_data };
// What a walk wears out before it looks for something new.
enum class Patience : std::uint8_t { whole, errors_spent, auth_attempts_spent };

struct Sample {
  Event event;
  std::string octets;
};

std::string repeated(std::string_view text, unsigned times) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

// What a client sends for such an event to happen; 0xF7 stands for a long line.
const std::vector<Sample>& samples() {
  static const std::vector<Sample> all{
      {Event::line_bare_lf, "\n"},
      {Event::line_too_long, "\xF7\r\n"},
      {Event::line_control_octet, "NOOP \x01\r\n"},
      {Event::argument_missing, "EHLO\r\n"},
      {Event::argument_not_allowed, "QUIT x\r\n"},
      {Event::helo, "HELO c\r\n"},
      {Event::ehlo, "EHLO c\r\n"},
      {Event::mail_valid, "MAIL FROM:<>\r\n"},
      {Event::mail_with_auth, "MAIL FROM:<> AUTH=<>\r\n"},
      {Event::mail_malformed, "MAIL\r\n"},
      {Event::mail_too_big, "MAIL FROM:<> SIZE=101\r\n"},
      {Event::rcpt_valid, "RCPT TO:<c@d>\r\n"},
      {Event::rcpt_malformed, "RCPT\r\n"},
      {Event::rcpt_too_many, "RCPT TO:<c@d>\r\n"},
      {Event::data, "DATA\r\n"},
      {Event::data_no_room, "DATA\r\n"},
      {Event::data_to_be_judged, "DATA\r\n"},
      {Event::rset, "RSET\r\n"},
      {Event::noop, "NOOP\r\n"},
      {Event::vrfy, "VRFY x\r\n"},
      {Event::expn, "EXPN x\r\n"},
      {Event::help, "HELP\r\n"},
      {Event::quit, "QUIT\r\n"},
      {Event::http_request, "GET / HTTP/1.1\r\n"},
      {Event::unknown, "X\r\n"},
      {Event::starttls, "STARTTLS\r\n"},
      {Event::starttls_parameter, "STARTTLS x\r\n"},
      {Event::auth_plain, "AUTH PLAIN\r\n"},
      {Event::auth_plain_response, "AUTH PLAIN AHQAcA==\r\n"},
      {Event::auth_login, "AUTH LOGIN\r\n"},
      {Event::auth_login_username, "AUTH LOGIN dA==\r\n"},
      {Event::auth_malformed, "AUTH LOGIN =!\r\n"},
      {Event::auth_unknown_mechanism, "AUTH X\r\n"},
      {Event::response_malformed, "!\r\n"},
      {Event::response_cancelled, "*\r\n"},
      {Event::response_bare_lf, "\n"},
      {Event::response_too_long, repeated("\xF7", 7) + "\r\n"},
      {Event::data_end_complete, ".\r\n"},
      {Event::data_end_bare_cr_or_lf, "\n\r\n.\r\n"},
      {Event::data_end_nul, std::string("\0\r\n.\r\n", 6)},
      {Event::data_end_too_big, repeated("x", 101) + "\r\n.\r\n"},
      {Event::data_end_too_many_hops, repeated("Received:\r\n", spec::max_hops) + ".\r\n"},
  };
  return all;
}

// Of a body that is kept: how it goes on into eternity, and that it is meant.
std::string for_ever(std::string_view body) {
  const std::string begun = std::string(body) + "\n";  // it is refused already
  unsigned sum = 0;
  for (const char octet : begun) sum += static_cast<unsigned char>(octet);
  return begun + '\xF6' + static_cast<char>(sum % 256);
}

class Walk {
 public:
  Walk(const spec::Model& model, const Transitions& taken, spec::Guards settings_and_facts, Limits limits,
       Patience most, unsigned seed)
      : model_(model), taken_(taken), limits_(limits), wears_out_(most), state_(seed * 2654435761U + 1) {
    guards_ = spec::start(settings_and_facts);
    input_.script.settings_and_facts = settings_and_facts;
    input_.script.databytes = limits == Limits::none ? 0 : 100;
    input_.cut = {testing::Cut::How::in_pieces, limits == Limits::no_recipients  ? 7U
                                                : limits == Limits::no_room      ? 6U
                                                : limits == Limits::asks_at_data ? 4U
                                                                                 : 5U};
    input_.script.parts.emplace_back();
    patient_steps_ = below(16);
  }

  // The session, when it took something new.
  std::optional<std::string> play() {
    for (unsigned steps = 0; steps < 64 && !guards_.has(bit::waiting_end); ++steps) {
      if (steps >= patient_steps_ && guards_.has(bit::waiting_command)) wear_out();
      const std::optional<Event> event = choose();
      if (!event) break;
      take(*event);
    }
    return good_for_;
  }

 private:
  unsigned below(std::size_t bound) {
    state_ ^= state_ << 13U, state_ ^= state_ >> 17U, state_ ^= state_ << 5U;
    return static_cast<unsigned>(state_ % bound);
  }

  [[nodiscard]] spec::Guards guards_at_decision() const {
    spec::Guards guards = guards_;
    guards.set(bit::errors_spent, errors_ >= spec::max_errors);
    guards.set(bit::auth_attempts_spent, auth_attempts_ >= spec::max_auth_attempts);
    return guards;
  }
  [[nodiscard]] bool is_new(Event event) const { return !taken_.has(guards_at_decision(), event); }
  [[nodiscard]] bool closes(Event event) const {
    const spec::PolicyRow& row = *engine::decide(guards_at_decision(), event);
    return engine::after(row, guards_).has(bit::waiting_end);
  }

  [[nodiscard]] bool leads_on(Event event) const {
    const spec::PolicyRow& row = *engine::decide(guards_at_decision(), event);
    return spec::reply_row(row.reply).code < 400 && !(engine::after(row, guards_) == guards_);
  }

  [[nodiscard]] std::vector<Event> possible() const {
    const spec::Variable& waiting = model_.variables[model_.waiting_variable()];
    std::vector<Event> events;
    for (std::size_t i = 0; i < model_.events.size(); ++i) {
      const auto is_now = [&](std::size_t value) { return guards_.has(spec::bit_of(waiting, value)); };
      if (std::ranges::any_of(model_.events[i].waiting, is_now) && can_happen(static_cast<Event>(i)))
        events.push_back(static_cast<Event>(i));
    }
    return events;
  }
  [[nodiscard]] bool can_happen(Event event) const {
    const bool is_full = recipients_ >= (limits_ == Limits::none            ? spec::max_recipients
                                         : limits_ == Limits::no_recipients ? 0U
                                                                            : 2U);
    if (audit::is_outcome_of_a_look_up(event)) return input_.script.fates.size() < fate_count;
    if (event == Event::response_too_long) return !has_been_long_;
    if (event == Event::data_end_too_big || event == Event::mail_too_big) return limits_ != Limits::none;
    if (event == Event::data_no_room) return limits_ == Limits::no_room;
    if (event == Event::data_to_be_judged) return limits_ == Limits::asks_at_data;
    if (event == Event::data) return limits_ != Limits::no_room && limits_ != Limits::asks_at_data;
    if (event == Event::rcpt_valid) return !is_full;
    return event == Event::rcpt_too_many ? is_full : true;
  }

  // Something new that goes on, else something new that ends, else mostly what the server likes, which leads deep.
  std::optional<Event> choose() {
    std::array<std::vector<Event>, 4> ranks;
    const bool is_polite = below(4) != 0;
    for (const Event event : possible()) {
      const bool ends = closes(event), is_unknown = is_new(event);
      if (!is_unknown && ends) continue;
      ranks[is_unknown ? (ends ? 1 : 0) : is_polite && leads_on(event) ? 2 : 3].push_back(event);
    }
    for (const auto& events : ranks) {
      if (!events.empty()) return events[below(events.size())];
    }
    return {};
  }

  void wear_out() {
    const bool is_by_auth = wears_out_ == Patience::auth_attempts_spent;
    if (wears_out_ == Patience::whole) return;
    while (!guards_at_decision().has(is_by_auth ? bit::auth_attempts_spent : bit::errors_spent) &&
           guards_.has(bit::waiting_command))
      take(is_by_auth ? Event::auth_unknown_mechanism : Event::unknown);
  }

  void take(Event event) {
    const bool was_new = is_new(event);
    const spec::PolicyRow& row = *engine::decide(guards_at_decision(), event);
    write(event);
    guards_ = engine::after(row, guards_);
    const spec::CountsOf counts = spec::counts_of(event);
    if (spec::reply_row(row.reply).is_mistake) ++errors_;
    if (counts.forgives_mistakes) errors_ = 0;
    if (counts.is_auth_attempt) ++auth_attempts_;
    if (row.effect == spec::Effect::add_recipient) ++recipients_;
    if (guards_.has(bit::transaction_none)) recipients_ = 0;
    if (was_new) good_for_ = write_session_input(input_);
    if (was_new && event == Event::data_without_end)
      *good_for_ = good_for_->substr(0, head_octets) + for_ever(good_for_->substr(head_octets));
  }

  void write(Event event) {
    const auto sample = std::ranges::find(samples(), event, &Sample::event);
    testing::Part& part = input_.script.parts.back();
    if (event == Event::response_valid) {
      part.octets += guards_.has(bit::waiting_plain_response) ? "AHQAcA==\r\n" : "dA==\r\n";
    } else if (sample != samples().end()) {
      part.octets += sample->octets;
      has_been_long_ |= event == Event::line_too_long || event == Event::response_too_long;
    } else if (audit::is_outcome_of_a_look_up(event)) {
      std::uint8_t fate = 0;
      while (fate < 15 && testing::outcome_for(guards_, fate) != event) ++fate;
      input_.script.fates.push_back(fate);
    } else if (guards_.has(bit::waiting_connect)) {
      input_.start = event;
    } else if (event != Event::data_without_end) {
      part.then = event;
      input_.script.parts.emplace_back();
    }
  }

  const spec::Model& model_;
  const Transitions& taken_;
  Limits limits_;
  Patience wears_out_;
  std::uint32_t state_;
  unsigned patient_steps_ = 0;
  spec::Guards guards_;
  SessionInput input_;
  std::optional<std::string> good_for_;
  std::size_t recipients_ = 0;
  std::uint32_t errors_ = 0, auth_attempts_ = 0;
  bool has_been_long_ = false;
};

}  // namespace

void walk(const spec::Model& model, const Transitions& all, const Transitions& taken,
          const std::function<void(const std::string&)>& keep) {
  constexpr std::array facts_and_settings{bit::SSL,          bit::FORCE_TLS,           bit::DENY_TLS,    bit::AUTH,
                                          bit::REQUIRE_AUTH, bit::ALLOW_INSECURE_AUTH, bit::certificate, bit::backend,
                                          bit::relay_client, bit::local_only};
  for (unsigned round = 0; round < 3000 && taken.missing_of(all) != 0; ++round) {
    for (unsigned number = 0; number < 1U << facts_and_settings.size(); ++number) {
      spec::Guards guards;
      for (std::size_t i = 0; i < facts_and_settings.size(); ++i)
        guards.set(facts_and_settings[i], (number >> i & 1U) != 0);
      Walk one(model, taken, guards, static_cast<Limits>(round % 5), static_cast<Patience>(round / 5 % 3),
               round * 1024 + number);
      if (const auto session = one.play()) keep(*session);
    }
  }
}

}  // namespace postern::fuzz
