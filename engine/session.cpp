#include "engine/session.hpp"

#include "engine/policy.hpp"

namespace postern::engine {

using grammar::Line;
using grammar::LineKind;
using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

namespace {

constexpr std::uint64_t waits_for_response =
    bit::waiting_plain_response | bit::waiting_username | bit::waiting_password;

// What may be added to a recipient after it was checked: a host for an address literal, and the value of RELAYCLIENT.
constexpr std::size_t rewriting_octets = 2 * spec::max_host_octets;

class NoRoom final : public Room {
 public:
  [[nodiscard]] bool reserve() override { return false; }
};

}  // namespace

Room& no_room() {
  static NoRoom none;
  return none;
}

Session::Session(const Service& service, Workspace& workspace)
    : guards_(spec::start(service.settings_and_facts)), service_(service), workspace_(&workspace) {}

bool Session::is_at_rest() const {
  return guards_.has(bit::transaction_none) && !guards_.has(waits_for_response | bit::waiting_credentials);
}

void Session::resume_after_starttls(Counters counters) {
  counters_ = counters;
  guards_.bits = (guards_.bits & ~bit::waiting_connect) | bit::waiting_handshake;
}

void Session::set_limits(std::uint64_t databytes, std::size_t max_recipients) {
  service_.databytes = databytes;
  service_.max_recipients = max_recipients;
}

Step Session::step(std::string_view unread, std::span<char> scratch) {
  if (guards_.has(bit::waiting_mail_data)) return step_mail_data(unread, scratch);
  if (guards_.has(bit::waiting_command)) return step_command(unread);
  if (guards_.has(waits_for_response)) return step_response(unread);
  return {};
}

Step Session::step_command(std::string_view unread) {
  const Line line = lines_.next(unread, spec::max_auth_line_octets);
  switch (line.kind) {
    case LineKind::partial: return {.consumed = line.consumed};
    case LineKind::bare_lf: return apply(Event::line_bare_lf, line.consumed);
    case LineKind::too_long: return apply(Event::line_too_long, line.consumed);
    case LineKind::complete: break;
  }
  std::string_view auth_mailbox;
  const Event event = command_event(line.text, auth_mailbox);
  Step step = apply(event, line.consumed, auth_mailbox);
  // RFC 3207 4.2: what is sent in clear after STARTTLS is dropped here, so no caller can forget it.
  if (step.effect == Effect::start_tls) step.consumed = unread.size();
  return step;
}

Event Session::command_event(std::string_view text, std::string_view& auth_mailbox) {
  mailbox_octets_ = no_path;
  const auto parsed = grammar::parse_command(text);
  const bool is_auth_line = parsed ? parsed->verb == grammar::Verb::auth : parsed.error().verb == grammar::Verb::auth;
  if (!is_auth_line && text.size() + 2 > spec::max_command_line_octets) return Event::line_too_long;
  LineFacts facts{.line = text,
                  .databytes = service_.databytes,
                  .asks_at_data = service_.asks_at_data,
                  .strict_addresses = service_.strict_addresses};
  if (parsed && (parsed->verb == grammar::Verb::mail || parsed->verb == grammar::Verb::rcpt)) {
    facts.mailbox_octets = grammar::write_mailbox(parsed->path, workspace_->mailbox);
    mailbox_octets_ = static_cast<std::uint16_t>(facts.mailbox_octets);
    workspace_->declared_octets = parsed->parameters.size_octets;
    facts.has_room_for_recipient = workspace_->envelope.recipients() < service_.max_recipients &&
                                   workspace_->envelope.has_room(facts.mailbox_octets + rewriting_octets);
  }
  const bool is_data = parsed && parsed->verb == grammar::Verb::data && parsed->argument.empty();
  if (is_data && service_.room != nullptr) facts.has_room_for_message = service_.room->reserve();
  if (parsed && is_auth_line && !parsed->initial_response.empty()) {
    facts.initial_response = mechanism_of(parsed->mechanism) == Mechanism::plain
                                 ? workspace_->sasl.take_plain(parsed->initial_response)
                                 : workspace_->sasl.take_username(parsed->initial_response);
  }
  if (parsed) auth_mailbox = parsed->parameters.auth_mailbox;
  const Event event = event_of(parsed, facts);
  if (event == Event::helo || event == Event::ehlo) keep_client_name(parsed->argument);
  return event;
}

void Session::keep_client_name(std::string_view name) {
  client_name_octets_ = static_cast<std::uint16_t>(name.copy(client_name_.data(), spec::max_host_octets));
}

Step Session::step_response(std::string_view unread) {
  const Line line = lines_.next(unread, spec::max_auth_line_octets);
  switch (line.kind) {
    case LineKind::partial: return {.consumed = line.consumed, .holds_secret = true};
    case LineKind::bare_lf: return apply(Event::response_bare_lf, line.consumed);
    case LineKind::too_long: return apply(Event::response_too_long, line.consumed);
    case LineKind::complete: break;
  }
  return apply(response_event(line.text), line.consumed);
}

Event Session::response_event(std::string_view text) {
  const ResponseKind kind = guards_.has(bit::waiting_plain_response) ? workspace_->sasl.take_plain(text)
                            : guards_.has(bit::waiting_username)     ? workspace_->sasl.take_username(text)
                                                                     : workspace_->sasl.take_password(text);
  switch (kind) {
    case ResponseKind::valid: return Event::response_valid;
    case ResponseKind::cancelled: return Event::response_cancelled;
    case ResponseKind::absent:
    case ResponseKind::malformed: break;
  }
  return Event::response_malformed;
}

bool Session::is_refused_already() const {
  return mail_data_.saw_bare_cr() || mail_data_.saw_bare_lf() || mail_data_.saw_nul() ||
         (service_.databytes != 0 && stored_octets_ > service_.databytes);
}

Event Session::data_end_event() const {
  if (mail_data_.saw_bare_cr() || mail_data_.saw_bare_lf()) return Event::data_end_bare_cr_or_lf;
  if (mail_data_.saw_nul()) return Event::data_end_nul;
  if (mail_data_.hops() >= spec::max_hops) return Event::data_end_too_many_hops;
  return is_refused_already() ? Event::data_end_too_big : Event::data_end_complete;
}

Step Session::step_mail_data(std::string_view unread, std::span<char> scratch) {
  const grammar::DecodedPiece piece = mail_data_.decode(unread, scratch);
  stored_octets_ += piece.written;
  if (is_refused_already()) discarded_octets_ += piece.consumed;
  Step step{.consumed = piece.consumed};
  if (piece.ended) {
    step = apply(data_end_event(), piece.consumed);
  } else if (discarded_octets_ > spec::max_discarded_octets) {
    step = apply(Event::data_without_end, piece.consumed);
  }
  if (!is_refused_already()) step.data = {scratch.data(), piece.written};
  return step;
}

Step Session::report(Event event, std::string_view text, std::string_view words) {
  return apply(event, 0, text, words);
}

Step Session::apply(Event event, std::size_t consumed, std::string_view text, std::string_view words) {
  const bool is_answer = guards_.has(waits_for_response);
  spec::Guards before = guards_;
  before.set(bit::errors_spent, counters_.errors >= spec::max_errors);
  before.set(bit::auth_attempts_spent, counters_.auth_attempts >= spec::max_auth_attempts);
  const spec::PolicyRow* const decides = decide(before, event);
  if (decides == nullptr) return stray(event);
  const spec::PolicyRow& row = *decides;
  guards_ = after(row, before);
  const bool is_refused = spec::reply_row(row.reply).code >= 400;
  const bool is_refused_unjudged = is_refused && names_user(event);
  const UserMark refused_user = is_refused_unjudged ? mark_of(workspace_->sasl.username()) : 0;
  // Before a transaction that ends is forgotten: the octets stay where they are until the next step.
  if (is_refused) workspace_->refused = refused_mail(event, before);
  perform(row, event, text);
  count(row.reply, event);
  const std::string_view verdict = event == Event::recipient_client_listed ? words : text;  // its text is an address
  const Fills fills{.host = service_.host, .verdict = verdict, .size_octets = service_.databytes};
  return {.consumed = consumed,
          .is_decision = true,
          .holds_secret = is_answer || is_auth(event),
          .before = before,
          .event = event,
          .rule = row.rule,
          .effect = row.effect,
          .words = row.reply,
          .code = spec::reply_row(row.reply).code,
          .reply = workspace_->replies.write(row.reply, fills, guards_),
          .data = {},
          .refused_user = refused_user,
          .refused = is_refused ? &workspace_->refused : nullptr};
}

RefusedMail Session::refused_mail(Event event, spec::Guards before) const {
  RefusedMail mail;
  const Envelope& envelope = workspace_->envelope;
  const bool is_of_rcpt = is_rcpt(event) || before.has(bit::waiting_recipient);
  if (is_mail(event)) {
    if (names_path()) mail.reverse_path = mailbox();
    if (event == Event::mail_too_big) mail.octets = workspace_->declared_octets;
    return mail;
  }
  if (!before.has(bit::transaction_none)) mail.reverse_path = envelope.reverse_path();
  if (is_of_rcpt && names_path()) mail.forward_path = mailbox();
  if (!is_of_rcpt && envelope.recipients() != 0) {
    mail.forward_path = envelope.first_recipient();
    mail.recipients = envelope.recipients();
  }
  if (before.has(bit::waiting_mail_data | bit::waiting_hand_over)) mail.octets = stored_octets_;
  return mail;
}

std::string_view Session::write(spec::Reply reply) {
  const Fills fills{.host = service_.host, .verdict = {}, .size_octets = service_.databytes};
  return workspace_->replies.write(reply, fills, guards_);
}

void Session::count(spec::Reply reply, Event event) {
  const spec::CountsOf counts = spec::counts_of(event);
  if (spec::reply_row(reply).is_mistake) ++counters_.errors;
  if (counts.forgives_mistakes) counters_.errors = 0;
  if (counts.is_auth_attempt) ++counters_.auth_attempts;
  if (event == Event::recipient_unknown) ++counters_.unknown_recipients;
}

// A late answer authenticates no client, and opens no transaction.
Step Session::stray(Event event) {
  ++stray_reports_;
  return {.event = event};
}

void Session::perform(const spec::PolicyRow& row, Event event, std::string_view text) {
  // Forgetting is no effect of its own: no transaction, no envelope; no greeting, no name (RFC 3207 4.2).
  if (guards_.has(bit::transaction_none)) workspace_->envelope.clear();
  if (guards_.has(bit::greeting_none)) client_name_octets_ = 0;
  if (!guards_.has(bit::waiting_password | bit::waiting_credentials)) workspace_->sasl.wipe();
  if (row.effect == Effect::begin_transaction) {
    workspace_->envelope.begin(mailbox(), workspace_->declared_octets);
    ++transactions_;
  }
  // RFC 4954 5: of a client that is not authenticated AUTH= is as good as `<>`.
  if (row.effect == Effect::begin_transaction && guards_.has(bit::authentication_done))
    workspace_->envelope.keep_auth_mailbox(text);
  if (row.effect == Effect::add_recipient) static_cast<void>(workspace_->envelope.add(text));
  if (row.effect == Effect::begin_message) {
    mail_data_ = {};
    stored_octets_ = discarded_octets_ = 0;
  }
  if (event == Event::handshake_done) lines_.forget();
}

}  // namespace postern::engine
