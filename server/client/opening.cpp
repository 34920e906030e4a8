#include "server/client/opening.hpp"

#include <algorithm>
#include <utility>

#include "config/settings_env.hpp"
#include "config/tcp_rule.hpp"
#include "server/client/entrance.hpp"
#include "server/client/handshake.hpp"
#include "server/client/proxy_header.hpp"
#include "server/loop_context.hpp"

namespace postern::server {

using Kind = OpeningWant::Kind;
using spec::Event;
using std::chrono::seconds;

namespace {

OpeningWant close(std::string_view how) { return {.kind = Kind::close, .text = how}; }

OpeningWant session(Event first, std::string_view text = {}) {
  return {.kind = Kind::session, .first = first, .text = text};
}

// None: its rule says nothing of it.
std::optional<bool> expects_tls(std::string_view class_value) {
  std::optional<bool> expects;
  config::TcpRuleItems items(class_value);
  while (const auto item = items.next())
    if (item->kind == config::TcpRuleItem::Kind::sets && item->name == "SSL")
      expects = config::is_tls_first(item->value);
  return expects;
}

// A client that is not let in gets its reply in clear, under the settings of its class only where that class is the reason.
OpeningWant turn_away(const Client& client, Event event, std::string_view text) {
  client.context.metrics.connection_refused(refusal_of(event, client.service().settings_and_facts));
  return session(event, text);
}

OpeningWant refuse(Client& client, Event event) {
  if (client.served != nullptr && !client.expects_tls) client.expects_tls = client.served->is_implicit_tls();
  client.served = client.context.find_class(client.listener.index, {});
  return turn_away(client, event, {});
}

// deviation D22: the second gate holds only where a guess could be made.
limits::ClientTable::Standing standing_of(const Client& client) {
  LoopContext& context = client.context;
  const bool is_shut = client.served != nullptr && client.served->offers_auth() &&
                       context.guesses.is_shut(client.remote.address, context.loop.now());
  return is_shut ? limits::ClientTable::Standing::guesses : limits::ClientTable::Standing::clean;
}

// One that waits for its class counts, too: as many may wait as may be served.
Event count_in(Client& client) {
  LoopContext& context = client.context;
  const limits::Admission admission =
      context.clients.admit(client.remote.address, context.loop.now(), standing_of(client));
  client.is_admitted = admission == limits::Admission::ok;
  if (client.is_admitted) context.metrics.session_opened();
  return event_of(admission);
}

void discard_early_input(Stream& stream, std::span<char> room) {
  constexpr int most_pieces = 64;
  for (int piece = 0; piece < most_pieces; ++piece)
    if (stream.channel().read(room).progress != loop::Progress::done) return;
}

}  // namespace

OpeningWant Opening::begin(Client& client, Stream& stream) {
  if (client.listener.has_proxy) return {.limit = seconds(spec::max_proxy_header_seconds)};
  return admit(client, stream);
}

OpeningWant Opening::advance(Client& client, Stream& stream) {
  switch (stage_) {
    case Stage::proxy: return read_proxy_header(client, stream);
    case Stage::judging: return {};
    case Stage::handshake: return go_on(client, stream, continue_handshake(client, stream));
    case Stage::dns:
    case Stage::greet: break;
  }
  // Asked of the channel: after a TLS handshake the stream is readable until somebody has read.
  const bool speaks = client.served->start.drops_early_talkers && stream.is_readable() && stream.channel().has_input();
  if (speaks) return session(Event::connect_early_talker);
  return stage_ == Stage::dns ? hear_dns(client, stream) : OpeningWant{};
}

OpeningWant Opening::time_passed(Client& client, Stream& stream) {
  switch (stage_) {
    case Stage::proxy: return refuse(client, Event::connect_malformed_proxy);
    case Stage::judging:
      client.journal().trouble("the class of this client could not be judged in time: a file that it names is slow");
      return refuse(client, Event::connect_rules_unreadable);
    case Stage::handshake: give_up_handshake(client); return close("close");
    case Stage::dns: return session(Event::connect_ready);  // silence is no listing, and no name
    case Stage::greet: break;
  }
  // As in the original: what the client sends before a delayed greeting is dropped.
  discard_early_input(stream, client.context.input);
  return hear_dns(client, stream);
}

// Soon a reply can be sent, and a TLS 1.3 client may expect one already: its Finished is on its way.
OpeningWant Opening::shut_down(const Client& client) const {
  if (stage_ == Stage::greet || stage_ == Stage::dns) return session(Event::shutting_down);
  if (client.context.must_end) return close("shutdown");
  return {.limit = seconds(spec::max_shutdown_handshake_seconds)};
}

// By the settings of its listener, where its class is not known. In a handshake nothing can be said.
void Opening::run_out(const Client& client, Stream& stream) const {
  if (stage_ == Stage::handshake) return;
  const bool is_in = stage_ == Stage::greet || stage_ == Stage::dns;
  const Event event = is_in ? Event::exhausted : Event::connect_exhausted;
  const engine::Service service = client.service();
  if (!is_in) client.context.metrics.connection_refused(refusal_of(event, service.settings_and_facts));
  std::string_view reply = client.context.refuse(client.journal(), service, event);
  if (!reply.empty()) static_cast<void>(stream.send_now(reply));
}

// The header alone is taken off the socket: what follows it is the client's, and may be the first record of TLS. If it
// were read here, it would be unknown later whether it came in clear.
OpeningWant Opening::read_proxy_header(Client& client, Stream& stream) {
  if (!stream.is_readable()) return {};
  const std::span<char> room = std::span(client.context.input).first(max_proxy_header_octets + 1);
  const loop::Transfer seen = stream.channel().peek(room);
  const ProxyHeader header = parse_proxy_header({room.data(), seen.octets});
  const bool is_partial = header.kind == ProxyHeader::Kind::partial;
  const bool has_ended = is_partial && (seen.progress == loop::Progress::closed || stream.has_hung_up());
  if (header.kind == ProxyHeader::Kind::malformed || has_ended) {
    client.journal().trouble(has_ended ? "the proxy left before its header was complete" : describe(header.problem));
    return refuse(client, Event::connect_malformed_proxy);
  }
  // or else: until more has come
  stream.set_readable(!is_partial && (seen.octets > header.consumed || stream.has_hung_up()));
  if (is_partial) return {};
  if (header.consumed != 0) static_cast<void>(stream.channel().read(room.first(header.consumed)));
  if (header.kind == ProxyHeader::Kind::proxied) client.speaks_for(header.source, header.destination);
  return admit(client, stream);
}

OpeningWant Opening::admit(Client& client, Stream& stream) {
  LoopContext& context = client.context;
  const config::ClientRule rule = context.find_rule(client.listener.index, client.remote.address);
  const Event by_rule = event_of(rule.standing);
  const bool has_class = by_rule == Event::connect_ready;
  if (has_class) client.served = context.find_class(client.listener.index, rule.value);
  const bool is_sound = client.served != nullptr && client.served->start.event == Event::connect_ready;
  if (!is_sound) client.expects_tls = expects_tls(rule.value);
  Event first = count_in(client);  // of all that is true, what stands first in spec/events.toml
  if (has_class && client.served == nullptr && client.is_admitted) {
    stage_ = Stage::judging;
    return {.kind = Kind::judge, .limit = longest_judgement, .text = rule.value};
  }
  if (by_rule == Event::connect_rules_unreadable)
    client.journal().trouble("the tcprules cannot be read: make them again with tcprules");
  if (!has_class) first = std::min(first, by_rule);
  return let_in(client, stream, first);
}

OpeningWant Opening::judged(Client& client, Stream& stream, std::shared_ptr<const ServiceProfile> served) {
  client.served = std::move(served);
  if (client.served == nullptr) return refuse(client, Event::connect_exhausted);
  const bool guesses = standing_of(client) == limits::ClientTable::Standing::guesses;
  return let_in(client, stream, guesses ? Event::connect_client_guesses : Event::connect_ready);
}

// first   what its rule and the limits say
OpeningWant Opening::let_in(Client& client, Stream& stream, Event first) {
  const Listing* const listing = client.served != nullptr ? listing_before(*client.served, first) : nullptr;
  if (listing != nullptr) return turn_away(client, listing->event, listing->text);
  if (first != Event::connect_ready) return refuse(client, first);
  const bool may_ask =
      client.context.snapshot->policies->settings().looks_up_names || !client.served->start.dns_lists.empty();
  if (may_ask) return {.kind = Kind::ask_dns};
  return enter(client, stream);
}

OpeningWant Opening::enter(Client& client, Stream& stream) {
  if (!client.served->is_implicit_tls()) return greet(client, stream);
  stage_ = Stage::handshake;
  OpeningWant want = go_on(client, stream, begin_handshake(client, stream));
  if (want.kind == Kind::wait && is_handshake()) want.limit = longest_handshake(client);
  return want;
}

OpeningWant Opening::go_on(Client& client, Stream& stream, std::optional<Event> handshake) {
  if (!handshake) return {};
  return *handshake == Event::handshake_done ? greet(client, stream) : close("close");
}

OpeningWant Opening::greet(Client& client, Stream& stream) {
  const config::Start& start = client.served->start;
  if (client.context.is_shutting_down) return session(Event::shutting_down);
  if (start.event != Event::connect_ready) return session(start.event);
  if (start.drops_early_talkers && stream.channel().has_input()) return session(Event::connect_early_talker);
  if (start.greet_delay_seconds == 0) return hear_dns(client, stream);
  stage_ = Stage::greet;
  return {.limit = seconds(start.greet_delay_seconds)};
}

// For the greeting, where the operator wants that.
OpeningWant Opening::hear_dns(const Client& client, Stream& stream) {
  const config::Start& start = client.served->start;
  const bool awaits_name = client.confirmed_name != nullptr && client.confirmed_name->is_awaited();
  const bool asks_lists = client.dns_lists != nullptr && start.dnsbl_at_connect;
  const ask::DnsVerdict* const verdict = asks_lists ? client.dns_lists->verdict() : nullptr;
  if (awaits_name || (asks_lists && verdict == nullptr)) {
    stage_ = Stage::dns;
    return {.limit = seconds(2 * spec::max_dns_seconds + 1)};  // questions end before
  }
  if (stage_ == Stage::dns && start.greet_delay_seconds != 0)
    discard_early_input(stream, client.context.input);  // the answers took longer than the delay
  if (verdict != nullptr && verdict->is_listed) return session(Event::connect_dns_listed, verdict->words);
  return session(Event::connect_ready);
}

}  // namespace postern::server
