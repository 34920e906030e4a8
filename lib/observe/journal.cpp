#include "observe/journal.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "spec/effect_names.hpp"
#include "spec/options.hpp"
#include "spec/policy_row.hpp"

namespace postern::observe {
namespace {

namespace bit = spec::bit;

std::string_view digit(bool value) { return value ? "1" : "0"; }

std::string_view name_of(config::BackendKind kind) {
  switch (kind) {
    case config::BackendKind::check_program: return "check-program";
    case config::BackendKind::auth_cdb: return "auth-cdb";
    case config::BackendKind::none: break;
  }
  return "none";
}

std::string_view name_of(filter::Verdict::Kind kind) {
  switch (kind) {
    case filter::Verdict::Kind::accept: return "accept";
    case filter::Verdict::Kind::refuse: return "refuse";
    case filter::Verdict::Kind::defer: return "defer";
    case filter::Verdict::Kind::discard: return "discard";
    case filter::Verdict::Kind::failed: break;
  }
  return "failed";
}

std::string_view without_line_end(std::string_view reply) { return reply.substr(0, reply.find('\r')); }

void add_settings(LogLine& line, const config::Start& start) {
  const spec::Guards g = start.settings_and_facts;
  line.field("policy", spec::policy_hash().substr(0, 16));
  for (const spec::SettingOption& setting : spec::setting_options)
    line.field(spec::name_of(setting.option), digit(g.has(setting.bit)));
  // The certificate of STARTTLS. Elsewhere nobody asks for it, and 0 would look like one that is missing.
  if (!g.has(bit::SSL | bit::DENY_TLS)) line.field("certificate", digit(g.has(bit::certificate)));
  line.field("backend", name_of(start.backend))
      .field("relay_client", digit(g.has(bit::relay_client)))
      .field("hand_over", way_out_of(start.hand_over))
      .field("local_only", digit(g.has(bit::local_only)))
      .number("databytes", start.databytes)
      .number("timeout", start.timeout_seconds);
  for (const config::InForce& each : config::asked_in_force(start)) line.field(each.name, each.value);
}

// Of the mail that it is about.
void add_mail(LogLine& line, const engine::RefusedMail& mail) {
  if (mail.octets) line.number("octets", *mail.octets);
  if (mail.recipients != 0) line.number("recipients", mail.recipients);
  if (mail.reverse_path) line.client("from", *mail.reverse_path);
  if (mail.forward_path) line.client("to", *mail.forward_path);
}

}  // namespace

std::string_view way_out_of(config::HandOverKind kind) {
  switch (kind) {
    case config::HandOverKind::queue_program: return "queue-program";
    case config::HandOverKind::maildir: return "maildir";
    case config::HandOverKind::discard: return "discard";
    case config::HandOverKind::lmtp: return "lmtp";
    case config::HandOverKind::none: break;
  }
  return "none";
}

SessionEnd end_of(const engine::Conversation& conversation) {
  return {.errors = conversation.session().counters().errors,
          .lost_replies = conversation.lost_replies(),
          .stray_reports = conversation.stray_reports()};
}

LogLine Journal::line(std::string_view event) const {
  LogLine line(event, voice_);
  if (!session_.empty()) line.field("session", session_);
  line.client("client", client_);
  return line;
}

void Journal::name_listener(LogLine& line) const {
  if (!listener_.empty()) line.field("listener", listener_);
}

void Journal::start(const config::Start& start) const {
  for (const std::string& sentence : start.problems) LogLine("config", voice_).note(sentence).write();
  for (const std::string& sentence : start.warnings) warning(sentence);
  LogLine line = this->line("start");
  add_settings(line, start);
  line.write();
}

void Journal::settings(const config::Start& start, const std::vector<config::InForce>& of_server) const {
  LogLine line("start", voice_);
  name_listener(line);
  add_settings(line, start);
  for (const config::InForce& each : of_server) line.field(each.name, each.value);
  line.write();
}

void Journal::refusal(const engine::Step& step, const RefusedBy& by) const {
  LogLine line = this->line("refuse");
  line.field("rule", spec::name_of(step.rule));
  // Where the rule says nothing to the client there is no reply to show, only what has happened.
  if (step.code == 0)
    line.field("cause", spec::name_of(step.event));
  else
    line.field("reply", without_line_end(step.reply));
  // One that takes a recipient may be followed by a refusal that is the policy's own.
  if (step.before.has(bit::waiting_for_answer)) {
    if (!by.name.empty()) line.field("said_by", by.name);
    if (!by.words.empty()) line.field("said", by.words);
    if (!by.why.empty()) line.field("why", by.why);
  }
  name_listener(line);
  if (by.id.number != 0) line.field("id", by.id.text());
  if (step.refused != nullptr) add_mail(line, *step.refused);
  if (const std::string_view reason = spec::reason_of(step.rule); !reason.empty()) line.note(reason);
  line.write();
}

void Journal::decision(const engine::Step& step) const {
  std::array<char, 16> room{};
  char* const end = std::to_chars(room.data(), room.data() + room.size(), step.before.bits, 16).ptr;
  LogLine line = this->line("decision");
  line.field("cause", spec::name_of(step.event))
      .field("state", {room.data(), static_cast<std::size_t>(end - room.data())})
      .field("rule", spec::name_of(step.rule))
      .field("effect", spec::name_of(step.effect));
  if (step.code != 0) line.field("reply", without_line_end(step.reply));
  line.write();
}

void Journal::sent(std::string_view replies) const {
  bool is_first_line = true;
  for (std::size_t end = 0; (end = replies.find("\r\n")) != std::string_view::npos; replies.remove_prefix(end + 2)) {
    const std::string_view text = replies.substr(0, end);
    if (is_first_line) this->line("sent").field("reply", text).write();
    is_first_line = text.size() < 4 || text[3] != '-';
  }
}

void Journal::credentials(const ask::CheckResult& result, std::string_view username) const {
  LogLine line = this->line("auth");
  line.field("result", result.verdict == ask::Verdict::accepted   ? "accepted"
                       : result.verdict == ask::Verdict::rejected ? "rejected"
                                                                  : "broken")
      .client("user", username);
  name_listener(line);
  if (!result.detail.empty()) line.field("why", result.detail);
  line.write();
}

void Journal::gated(std::string_view username) const {
  LogLine line = this->line("auth");
  line.field("result", "gated").client("user", username);
  name_listener(line);
  line.write();
}

void Journal::message(deliver::MessageId id, const deliver::Outcome& outcome, const engine::Session& session) const {
  LogLine line = this->line("message");
  line.field("result", engine::name_of(outcome.result));
  if (id.number != 0) line.field("id", id.text());
  line.number("octets", session.stored_octets())
      .number("recipients", session.envelope().recipients())
      .client("from", session.envelope().reverse_path())
      .client("to", session.envelope().first_recipient())
      .field("verdict", outcome.verdict);
  if (const std::string_view mailbox = session.envelope().auth_mailbox(); !mailbox.empty())
    line.client("mail_auth", mailbox);
  name_listener(line);
  if (!outcome.cause.empty()) line.field("why", outcome.cause);
  line.write();
  if (session.envelope().recipients() > 1) further_recipients(id, engine::name_of(outcome.result), session.envelope());
}

// Without them nobody could tell from the log whether a recipient's message came.
void Journal::further_recipients(deliver::MessageId id, std::string_view result,
                                 const engine::Envelope& envelope) const {
  std::string_view rest = envelope.octets();  // F sender NUL, T recipient NUL, ..., NUL
  const auto take = [&rest] {
    const std::string_view one = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(one.size() + 1);
    return one;
  };
  take();
  take();
  while (rest.size() > 1) {
    LogLine line = this->line("recipient");
    line.field("result", result);
    if (id.number != 0) line.field("id", id.text());
    line.client("to", take().substr(1)).write();
  }
}

void Journal::gate(const Gate& gate) const {
  line("gate").field("kind", gate.kind).field("change", gate.change).number("number", gate.number).write();
}

void Journal::shadow(const Difference& difference) const {
  LogLine line = this->line("shadow");
  name_listener(line);
  line.field("rule", difference.rule)
      .field("would", difference.would)
      .field("cause", difference.cause)
      .number("number", difference.number)
      .write();
}

void Journal::dns_listed(const ask::DnsVerdict& verdict, std::uint64_t threshold) const {
  line("dns_listed")
      .number("score", static_cast<std::uint64_t>(verdict.score))
      .number("threshold", threshold)
      .field("lists", verdict.detail)
      .write();
}

void Journal::named(std::string_view name) const { line("name").client("name", name).write(); }

void Journal::policy(const ask::PolicyRemark& remark, std::string_view recipient) const {
  using Kind = ask::PolicyRemark::Kind;
  const bool is_trouble = remark.kind == Kind::silent || remark.kind == Kind::malformed;
  LogLine line = this->line(is_trouble ? "trouble" : "policy");
  if (!recipient.empty()) line.client("to", recipient);
  line.field("service", remark.service);
  switch (remark.kind) {
    case Kind::said: line.field("action", remark.text); break;
    case Kind::silent: line.note("the policy service does not answer: " + remark.text); break;
    case Kind::malformed: line.note("the policy service answers what is no answer: " + remark.text); break;
    case Kind::waived:
      line.note(std::string("it has not judged this ") + (recipient.empty() ? "message" : "recipient") +
                ", which is taken: POSTERN_POLICY_FAILURE=accept");
      break;
    case Kind::too_late:
      line.field("action", remark.text).note("at DATA the header has begun: ask for fields at RCPT or at the end");
      break;
    case Kind::no_field: line.field("action", remark.text).note("this is no header field, and is left out"); break;
  }
  line.write();
}

void Journal::filtered(deliver::MessageId id, const filter::Remark& remark) const {
  const bool has_failed = remark.verdict == filter::Verdict::Kind::failed;
  LogLine line = this->line(has_failed ? "trouble" : "filter");
  if (id.number != 0) line.field("id", id.text());
  line.field("filter", remark.filter)
      .field("verdict", name_of(remark.verdict))
      .number("ms", static_cast<std::uint64_t>(std::max<std::int64_t>(remark.took.count(), 0)));
  if (has_failed)
    line.note("the filter has failed: " + remark.cause);
  else if (!remark.cause.empty())
    line.field("said", remark.cause);
  line.write();
}

void Journal::tls(std::string_view version, std::string_view cipher) const {
  line("tls").field("version", version).field("cipher", cipher).write();
}

void Journal::warning(std::string_view sentence) const { LogLine("warning", voice_).note(sentence).write(); }

void Journal::trouble(std::string_view sentence) const { line("trouble").note(sentence).write(); }

void Journal::end(std::string_view how, const SessionEnd& end) const {
  LogLine line = this->line("end");
  line.field("by", how).number("errors", end.errors);
  if (end.lost_replies != 0) line.number("unsent", end.lost_replies);
  if (end.stray_reports != 0) line.number("stray_reports", end.stray_reports);
  line.write();
}

}  // namespace postern::observe
