// From accept to the greeting: the PROXY header, whether the client is let in, implicit TLS, the delay before 220; and the
// handshake of STARTTLS, which is the same.
#include <algorithm>
#include <utility>

#include "server/connection.hpp"
#include "server/policies.hpp"
#include "server/proxy_header.hpp"

namespace postern::server {

using spec::Event;
using std::chrono::seconds;

namespace {

observe::TlsVersion version_of(std::string_view name) {
  if (name == "TLSv1.3") return observe::TlsVersion::tls_1_3;
  return name == "TLSv1.2" ? observe::TlsVersion::tls_1_2 : observe::TlsVersion::none;
}

}  // namespace

// The header alone is taken off the socket: what is behind it is the client's, and may be the first record of TLS. If it
// were read here, nobody could say later whether it had come in clear.
void Connection::read_proxy_header() {
  if (!is_readable_) return;
  const std::span<char> room = std::span(context_.input).first(max_proxy_header_octets + 1);
  const loop::Transfer seen = channel_.peek(room);
  const ProxyHeader header = parse_proxy_header({room.data(), seen.octets});
  const bool is_partial = header.kind == ProxyHeader::Kind::partial;
  const bool has_ended = is_partial && (seen.progress == loop::Progress::closed || has_hung_up_);
  if (header.kind == ProxyHeader::Kind::malformed || has_ended) {
    context_.journal_of(remote_, number_)
        .trouble(has_ended ? "the proxy left before its header was whole" : describe(header.problem));
    return refuse(Event::connect_malformed_proxy);
  }
  is_readable_ = !is_partial && (seen.octets > header.consumed || has_hung_up_);  // or else: until more has come
  if (is_partial) return;
  if (header.consumed != 0) static_cast<void>(channel_.read(room.first(header.consumed)));
  if (header.kind == ProxyHeader::Kind::proxied) {
    remote_ = header.source;
    local_ = header.destination;
    knows_local_ = true;
  }
  admit();
}

void Connection::admit() {
  const config::ClientRule rule = context_.find_rule(door_.listener, remote_.address);
  const bool has_class = rule.standing == config::ClientRule::Standing::allowed ||
                         rule.standing == config::ClientRule::Standing::not_found;
  if (has_class) begin_session(rule.value);
  const limits::Admission admission = context_.clients.admit(remote_.address, context_.loop.now(), standing());
  is_admitted_ = admission == limits::Admission::ok;
  if (is_admitted_) context_.metrics.session_opened();
  Event first = limits::event_of(admission);  // of all that is true, what stands first in spec/events.toml
  if (rule.standing == config::ClientRule::Standing::denied) first = std::min(first, Event::connect_denied);
  if (has_class && served_->listing) first = std::min(first, served_->listing->event);
  if (rule.standing == config::ClientRule::Standing::unreadable) {
    context_.journal_of(remote_, number_).trouble("the tcprules cannot be read: make them again with tcprules");
    first = std::min(first, Event::connect_rules_unreadable);
  }
  if (has_class && served_->listing && first == served_->listing->event)
    return turn_away(first, served_->listing->text);
  if (first != Event::connect_ready) return refuse(first);
  if (served_->is_implicit_tls()) return begin_handshake();
  greet();
}

// deviation D22: the second gate holds only where a guess could be made.
limits::ClientTable::Standing Connection::standing() const {
  const bool is_shut =
      served_ != nullptr && served_->offers_auth() && context_.guesses.is_shut(remote_.address, context_.loop.now());
  return is_shut ? limits::ClientTable::Standing::guesses : limits::ClientTable::Standing::clean;
}

void Connection::begin_session(std::string_view class_value) {
  served_ = context_.policies->find(door_.listener, class_value);
  session_.emplace(served_->service(), *context_.workspace);
  session_->set_room(*this);
  patience_began_ = context_.loop.now();
}

// A client that is not let in is told so in clear, under the settings of its class only where that class is why. Where the table says nothing, since TLS would come first, it is closed.
void Connection::refuse(Event event) {
  begin_session({});
  turn_away(event, {});
}

void Connection::turn_away(Event event, std::string_view text) {
  context_.metrics.connection_refused(refusal_of(event));
  const engine::Step step = session().report(event, text);
  if (step.code == 0 && event != Event::connect_malformed_proxy) {
    context_.metrics.rule_hit(step.rule);
    journal_of_decisions().refusal(step, session());
    return die("close");
  }
  phase_ = Phase::serving;
  take(step);
}

void Connection::greet() {
  const config::Start& start = served_->start;
  if (context_.is_shutting_down) return greet_now(Event::shutting_down);
  if (start.event != Event::connect_ready) return greet_now(start.event);
  const bool speaks = start.drops_early_talkers && channel_.has_input();
  if (speaks) return greet_now(Event::connect_early_talker);
  if (start.greet_delay_seconds == 0) return greet_now(Event::connect_ready);
  phase_ = Phase::greet;
  wait_at_most(seconds(start.greet_delay_seconds));
}

// As in the original: what came before the greeting of a delayed service is never served.
void Connection::greet_now(Event event) {
  if (phase_ == Phase::greet && event == Event::connect_ready) discard_early_input();
  phase_ = Phase::serving;
  is_greeted_ = true;
  patience_began_ = context_.loop.now();
  take(session().report(event));
  serve();
}

void Connection::discard_early_input() {
  constexpr int most_pieces = 64;
  for (int piece = 0; piece < most_pieces; ++piece)
    if (channel_.read(context_.input).progress != loop::Progress::done) return;
}

void Connection::begin_handshake() {
  starts_tls_ = false;
  phase_ = Phase::handshake;
  const bool is_possible = served_->certificates != nullptr && context_.has_memory();
  tls::TlsSession tls = is_possible ? served_->certificates->open_session(channel_.number()) : nullptr;
  if (tls == nullptr) {
    context_.journal_of(remote_, number_).trouble("TLS cannot begin: no certificate, or no memory");
    return handshake_ended(Event::handshake_failed);
  }
  channel_.start_tls(std::move(tls));
  const unsigned most = context_.is_shutting_down ? spec::max_shutdown_handshake_seconds : spec::max_handshake_seconds;
  wait_at_most(seconds(std::min(served_->start.timeout_seconds, most)));
  continue_handshake();
}

void Connection::continue_handshake() {
  const loop::Progress progress = channel_.handshake();
  is_readable_ = progress == loop::Progress::done;  // OpenSSL may hold what came behind the handshake
  if (progress == loop::Progress::again) return watch_output(channel_.wants_output());
  watch_output(false);
  if (progress == loop::Progress::done) return handshake_ended(Event::handshake_done);
  const Event event = loop::Channel::has_lost_client() ? Event::eof : Event::handshake_failed;
  context_.journal_of(remote_, number_).trouble(loop::Channel::take_failure());
  handshake_ended(event);
}

void Connection::handshake_ended(Event event) {
  const bool is_done = event == Event::handshake_done;
  context_.metrics.tls_handshake(is_done ? version_of(channel_.tls_version()) : observe::TlsVersion::none,
                                 is_done ? observe::TlsResult::done : observe::TlsResult::failed);
  if (is_done) context_.journal_of(remote_, number_).tls(channel_.tls_version(), channel_.tls_cipher());
  if (!is_greeted_) return is_done ? greet() : die("close");
  phase_ = Phase::serving;
  patience_began_ = context_.loop.now();
  take(session().report(event));
  serve();
}

void Connection::handshake_timed_out() {
  context_.metrics.tls_handshake(observe::TlsVersion::none, observe::TlsResult::failed);
  context_.journal_of(remote_, number_).trouble("the TLS handshake took too long");
  if (!is_greeted_) return die("close");
  phase_ = Phase::serving;
  take(session().report(context_.is_shutting_down ? Event::shutting_down : Event::timeout));
}

}  // namespace postern::server
