#include "daemon/connection.hpp"

#include <string.h>
#include <time.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <new>
#include <utility>
#include <variant>

#include "ask/auth_environment.hpp"
#include "ask/recipient_probe.hpp"
#include "ask/userdb.hpp"
#include "config/tcpserver_env.hpp"
#include "deliver/filtered_message.hpp"
#include "deliver/lmtp/lmtp.hpp"
#include "deliver/lmtp/probe.hpp"

namespace postern::daemon {

using engine::Want;
using spec::Effect;
using spec::Event;
using Kind = Want::Kind;
namespace bit = spec::bit;

namespace {

constexpr std::int64_t nanoseconds_a_second = 1'000'000'000;

engine::Time now() {
  timespec at{};
  ::clock_gettime(CLOCK_MONOTONIC, &at);
  return {at.tv_sec * nanoseconds_a_second + at.tv_nsec};
}

void sleep_until(engine::Time end) {
  const timespec at{.tv_sec = end.nanoseconds / nanoseconds_a_second,
                    .tv_nsec = end.nanoseconds % nanoseconds_a_second};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

engine::Service with_room(engine::Service service, engine::Room& room) {
  service.room = &room;
  return service;
}

class ConnectionFacts final : public ask::Facts {
 public:
  ConnectionFacts(const Parts& parts, const engine::Session& session, DomainListing& domains)
      : parts_(parts), session_(session), domains_(domains) {}

  [[nodiscard]] const engine::Session& session() const override { return session_; }
  [[nodiscard]] const config::Start& start() const override { return parts_.start; }
  [[nodiscard]] const base::Environment& environment() override { return parts_.environment; }
  [[nodiscard]] std::span<char* const> check_program() override { return parts_.check_program; }
  [[nodiscard]] std::string local_ip() override { return std::string(config::read_peer(parts_.environment).local_ip); }
  [[nodiscard]] std::string_view relay_value() override { return parts_.environment.value_of("RELAYCLIENT"); }
  [[nodiscard]] ask::DnsStanding dns_standing(ask::Waits waits) override {
    const bool may_wait = waits == ask::Waits::yes;
    const ask::DnsVerdict* of_client = nullptr;
    if (parts_.dns_listing != nullptr)
      of_client = may_wait ? &parts_.dns_listing->verdict() : parts_.dns_listing->known();
    return {.verdict = may_wait ? domains_.verdict(session_, of_client) : of_client};
  }

 private:
  const Parts& parts_;
  const engine::Session& session_;
  DomainListing& domains_;
};

// standing   of the finding, which it outlives
ask::Finding ask_probe(ask::Source source, const Parts& parts, const engine::Session& session,
                       std::string_view recipient, limits::RecipientStanding& standing) try {
  standing = source == ask::Source::userdb
                 ? ask::ask_userdb_by_waiting(*parts.start.userdb, recipient)
                 : deliver::probe_by_waiting(parts.message.for_cluster()->cluster(), recipient);
  if (!standing.trouble.empty()) parts.journal.trouble(standing.trouble);
  ask::Finding finding = ask::probe_finding(source, standing.event, recipient, parts.start, session);
  finding.words = standing.words;
  finding.trouble = standing.trouble;
  return finding;
} catch (const std::bad_alloc&) {
  parts.journal.trouble("no memory to ask who has a mailbox");
  return {.answer = engine::nobody_answers(engine::Question::recipient)};
}

deliver::Introduction introduction(const Parts& parts, const engine::Session& session) {
  const config::Peer peer = config::read_peer(parts.environment);
  return {.client = {.address = std::string(peer.remote_ip),
                     .port = std::string(peer.remote_port),
                     .helo = std::string(session.client_name()),
                     .user = ask::authenticated_user(session, parts.environment),
                     .tls_version = std::string(parts.transport.tls_version()),
                     .tls_cipher = std::string(parts.transport.tls_cipher()),
                     .server_address = std::string(peer.local_ip),
                     .server_port = std::string(peer.local_port)},
          .reverse_path_parameters = deliver::parameters_of(session.envelope()),
          .host = std::string(config::host_name(parts.start))};
}

}  // namespace

// The transport has patience of its own: a time limit for each read and write.
Connection::Connection(const engine::Service& service, std::optional<engine::Counters> counters, Parts parts)
    : Output(output_),
      parts_(parts),
      talk_(with_room(service, *this), engine::Patience{}, counters),
      domain_listing_(parts.start, parts.environment, parts.journal),
      message_(parts.message) {}

void Connection::run(Event first, std::string_view text) {
  try {
    for (Want want = happen(first, text); want.kind != Kind::end;) want = satisfy(want);
  } catch (const std::bad_alloc&) {
    run_out_of_memory();
  }
  flush();
}

Want Connection::satisfy(const Want& want) {
  switch (want.kind) {
    case Kind::octets: return read_and_feed();
    case Kind::room: flush(); return feed();
    case Kind::answer: return answer(want);
    case Kind::pause:
      flush();
      sleep_until(talk_.deadline());
      if (const Want next = talk_.time_passed(now(), *this); next.kind != Kind::octets) return next;
      return feed();
    case Kind::tls: return begin_tls();
    case Kind::opening:
    case Kind::end: break;
  }
  return talk_.want();
}

Want Connection::feed() {
  const Want want =
      talk_.feed(std::span(input_).subspan(unread_.begin, unread_.end - unread_.begin), decoded_, now(), *this);
  unread_.begin += want.consumed;
  return want;
}

Want Connection::read_and_feed() {
  flush();
  if (talk_.want().kind == Kind::end) return talk_.want();
  const std::size_t unread = unread_.end - unread_.begin;
  std::memmove(input_.data(), input_.data() + unread_.begin, unread);
  // Half a line may be half a password: where it stood nothing may stay of it.
  if (unread > 0) explicit_bzero(input_.data() + unread, unread_.begin);
  unread_.end = unread;
  unread_.begin = 0;
  const ReadResult result = parts_.transport.read(std::span(input_).subspan(unread_.end));
  switch (result.io) {
    case Io::done: unread_.end += result.octets; break;
    case Io::closed: return happen(Event::eof);
    case Io::timed_out: return happen(Event::timeout);
  }
  return feed();
}

Want Connection::happen(Event event, std::string_view text) {
  make_room();
  return talk_.happen(event, now(), *this, text);
}

// Nothing here allocates.
void Connection::run_out_of_memory() {
  has_run_out_ = true;
  message_.abandon();
  make_room();
  const bool is_silent = !session().guards().has(spec::waiting_for(Event::exhausted));
  if (is_silent) parts_.journal.trouble("no memory for this client");  // while the outcome of some work was waited for
  static_cast<void>(talk_.run_out(now(), *this));
}

void Connection::note(const engine::Note& note) {
  if (parts_.start.logs_decisions) parts_.journal.decision(note.step);
  observe::RefusedBy by = std::exchange(said_by_, {});
  if (note.step.before.has(bit::waiting_mail_data)) by.id = id_;
  if (note.step.code >= 400) parts_.journal.refusal(note.step, by);
}

// A message that does not fit into memory is forgotten, and deferred at its end.
std::span<char> Connection::room_for_mail_data(std::size_t octets, std::span<char> scratch) try {
  return message_.is_begun() ? message_.room(octets) : scratch;
} catch (const std::bad_alloc&) {
  message_.abandon();
  return scratch;
}

void Connection::keep(std::string_view mail_data) try {
  if (message_.is_begun()) message_.append(mail_data);
} catch (const std::bad_alloc&) {
  message_.abandon();
}

void Connection::make_room() {
  if (!has_room()) flush();
}

void Connection::flush() {
  if (send_replies()) return;
  talk_.end();  // nobody would read a reply
  message_.abandon();
}

bool Connection::send_replies() {
  const std::string_view unsent = replies();
  const bool is_sent = unsent.empty() || parts_.transport.write(unsent) == Io::done;
  if (!is_sent) talk_.lose(unsent);
  if (is_sent && parts_.start.logs_decisions) parts_.journal.sent(unsent);
  clear();
  return is_sent;
}

// In a handshake the server can send no reply.
Want Connection::begin_tls() try {
  flush();
  if (talk_.want().kind != Kind::tls) return talk_.want();
  parts_.tls.start_tls(session().counters());
  return happen(Event::handshake_failed);
} catch (const std::bad_alloc&) {
  has_run_out_ = true;
  parts_.journal.trouble("no memory to begin TLS");
  return happen(Event::handshake_failed);
}

Want Connection::answer(const Want& want) {
  if (want.question != engine::Question::hand_over) return ask(want);
  const std::optional<deliver::Outcome> finished = finish_message();
  const deliver::Outcome& outcome = finished ? *finished : no_memory_;
  said_by_ = {.name = observe::way_out_of(parts_.start.hand_over), .why = outcome.cause, .id = id_};
  if (deliver::FilteredMessage* const filtered = parts_.message.for_filters()) {
    const filter::Judgement& judgement = filtered->judgement();
    for (const filter::Remark& remark : judgement.remarks) parts_.journal.filtered(id_, remark);
    said_by_.name = deliver::decided_by(judgement, said_by_.name);
  }
  parts_.journal.message(id_, outcome, session());
  return tell(want.ticket, engine::answer_of(outcome.result, outcome.verdict));
}

// A client that pipelines has its replies before programs, services or lists are waited for: its patience is for one command
// (RFC 5321 4.5.3.2.3), and nobody is asked for one that has left.
Want Connection::ask(const Want& want) {
  const bool is_message = want.question == engine::Question::message;
  const bool may_wait =
      is_message || (want.question == engine::Question::recipient && ask::recipients_wait(parts_.start));
  if (may_wait && !send_replies()) {
    static_cast<void>(talk_.answer(want.ticket, engine::nobody_answers(want.question), now(), *this));
    talk_.lose(replies());
    clear();
    talk_.end();
    return talk_.want();
  }
  if (is_message) return tell(want.ticket, ask_policy_services(want, ask::message_without_services));
  ConnectionFacts facts(parts_, session(), domain_listing_);
  std::optional<ask::Asked> asked;
  try {
    asked = ask::ask(want.question, facts, parts_.recipients);
  } catch (const std::bad_alloc&) {
    constexpr std::string_view why = "no memory to answer what this client asks";
    parts_.journal.trouble(why);
    said_by_ = {.why = why};
    return tell(want.ticket, engine::nobody_answers(want.question));
  }
  const auto* const inquiry = std::get_if<std::unique_ptr<ask::Inquiry>>(&*asked);
  if (inquiry != nullptr) (*inquiry)->run();
  // Never NotYet: dns_standing() waits itself.
  ask::Finding finding = inquiry != nullptr ? (*inquiry)->finding() : std::get<ask::Finding>(*asked);
  if (!finding.trouble.empty()) parts_.journal.trouble(finding.trouble);
  if (finding.credentials != nullptr) take_credentials(*finding.credentials, finding.environment_pairs);
  limits::RecipientStanding standing;
  for (auto probe = ask::next_probe(finding, parts_.start, session()); probe;
       probe = ask::next_probe(finding, parts_.start, session(), probe))
    finding = ask_probe(*probe, parts_, session(), finding.answer.text, standing);
  said_by_ = {.name = finding.said_by, .words = finding.words, .why = finding.trouble};
  if (ask::asks_policy_services(finding, parts_.start, session()))
    return tell(want.ticket, ask_policy_services(want, finding.answer));
  return tell(want.ticket, finding.answer);
}

engine::Answer Connection::ask_policy_services(const Want& want, const engine::Answer& found) try {
  const bool is_message = want.question == engine::Question::message;
  const engine::Answer answer = parts_.policy.ask(session(), found, is_message ? id_.text() : std::string());
  said_by_ = {
      .name = parts_.policy.said_by(), .why = parts_.policy.why(), .id = is_message ? id_ : deliver::MessageId{}};
  return answer;
} catch (const std::bad_alloc&) {
  constexpr std::string_view why = "no memory to ask policy services";
  parts_.journal.trouble(why);
  said_by_ = {.why = why};
  return engine::nobody_answers(want.question);
}

// What an authenticated client may do must not be half known: memory that ends there ends the session.
void Connection::take_credentials(const ask::CheckResult& result, std::string_view pairs) {
  if (result.verdict == ask::Verdict::accepted) {
    ask::enter_auth_environment(parts_.environment, session().username(), pairs);
    const config::SizeAndRecipients limits = config::read_limits(parts_.start, parts_.environment);
    talk_.set_limits(limits.databytes, limits.max_recipients);
  }
  parts_.journal.credentials(result, session().username());
}

Want Connection::tell(engine::Ticket ticket, const engine::Answer& answer) {
  make_room();
  const Want next = talk_.answer(ticket, answer, now(), *this);
  return next.kind == Kind::octets ? feed() : next;  // lines that came together with the last one are there already
}

deliver::TraceFacts Connection::trace_facts() const {
  const config::Peer peer = config::read_peer(parts_.environment);
  const engine::SessionTrace trace = engine::trace_of(session());
  return {.remote_host = peer.remote_host,
          .remote_info = parts_.start.hides_user && trace.is_authenticated ? std::string_view() : peer.remote_info,
          .remote_ip = peer.remote_ip,
          .local_host = peer.local_host.empty() ? config::host_name(parts_.start) : peer.local_host,
          .session = trace,
          .tls_version = parts_.transport.tls_version(),
          .tls_cipher = parts_.transport.tls_cipher()};
}

// Before DATA is answered. Where there is no transaction with a recipient the policy refuses it anyway.
bool Connection::reserve() try {
  if (!session().guards().has(bit::transaction_rcpt)) return true;
  id_ = ids_.next(std::time(nullptr));
  // RFC 7208 9.1: what policy services say stands above our own Received.
  std::string fields(parts_.policy.header_fields(session().transactions()));
  fields += deliver::received_field(trace_facts(), id_);
  if (deliver::FilteredMessage* const filtered = parts_.message.for_filters())
    filtered->introduce(introduction(parts_, session()));
  const std::string lack = message_.begin(id_, fields, session().envelope().reverse_path());
  if (lack.empty()) return true;
  parts_.journal.trouble(lack);
  message_.abandon();
  return false;
} catch (const std::bad_alloc&) {
  parts_.journal.trouble("no memory for a message");
  message_.abandon();
  return false;
}

// None if there was no memory for it.
std::optional<deliver::Outcome> Connection::finish_message() try {
  if (!message_.is_begun()) return std::nullopt;
  const bool is_gone = parts_.transport.has_left({input_.data() + unread_.begin, unread_.end - unread_.begin});
  if (is_gone) message_.abandon();
  return is_gone ? deliver::withdrawn() : message_.finish(session().envelope().octets());
} catch (const std::bad_alloc&) {
  message_.abandon();
  return std::nullopt;
}

}  // namespace postern::daemon
