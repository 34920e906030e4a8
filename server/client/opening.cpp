#include "server/client/opening.hpp"

#include <algorithm>
#include <utility>

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

// A client that is not let in is told so in clear, under the settings of its class only where that class is why.
OpeningWant turn_away(const Client& client, Event event, std::string_view text) {
  client.context.metrics.connection_refused(refusal_of(event));
  return session(event, text);
}

OpeningWant refuse(Client& client, Event event) {
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
Event enter(Client& client) {
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
    case Stage::greet: break;
  }
  const bool speaks = stream.is_readable() && client.served->start.drops_early_talkers;
  return speaks ? session(Event::connect_early_talker) : OpeningWant{};
}

OpeningWant Opening::time_passed(Client& client, Stream& stream) {
  switch (stage_) {
    case Stage::proxy: return refuse(client, Event::connect_malformed_proxy);
    case Stage::judging:
      client.journal().trouble("the class of this client could not be judged in time: a file that it names is slow");
      return refuse(client, Event::connect_rules_unreadable);
    case Stage::handshake: give_up_handshake(client); return close("close");
    case Stage::greet: break;
  }
  // As in the original: what came before the greeting of a delayed service is never served.
  discard_early_input(stream, client.context.input);
  return session(Event::connect_ready);
}

// Soon the client can be told, and in TLS 1.3 it may think so already: its Finished is on its way.
OpeningWant Opening::shut_down(const Client& client) const {
  if (stage_ == Stage::greet) return session(Event::shutting_down);
  if (client.context.must_end) return close("shutdown");
  return {.limit = seconds(spec::max_shutdown_handshake_seconds)};
}

// The header alone is taken off the socket: what is behind it is the client's, and may be the first record of TLS. If it
// were read here, nobody could say later whether it had come in clear.
OpeningWant Opening::read_proxy_header(Client& client, Stream& stream) {
  if (!stream.is_readable()) return {};
  const std::span<char> room = std::span(client.context.input).first(max_proxy_header_octets + 1);
  const loop::Transfer seen = stream.channel().peek(room);
  const ProxyHeader header = parse_proxy_header({room.data(), seen.octets});
  const bool is_partial = header.kind == ProxyHeader::Kind::partial;
  const bool has_ended = is_partial && (seen.progress == loop::Progress::closed || stream.has_hung_up());
  if (header.kind == ProxyHeader::Kind::malformed || has_ended) {
    client.journal().trouble(has_ended ? "the proxy left before its header was whole" : describe(header.problem));
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
  const bool has_class = rule.standing == config::ClientRule::Standing::allowed ||
                         rule.standing == config::ClientRule::Standing::not_found;
  if (has_class) client.served = context.find_class(client.listener.index, rule.value);
  Event first = enter(client);  // of all that is true, what stands first in spec/events.toml
  if (has_class && client.served == nullptr && client.is_admitted) {
    stage_ = Stage::judging;
    return {.kind = Kind::judge, .limit = longest_judgement, .text = rule.value};
  }
  if (rule.standing == config::ClientRule::Standing::denied) first = std::min(first, Event::connect_denied);
  if (rule.standing == config::ClientRule::Standing::unreadable) {
    client.journal().trouble("the tcprules cannot be read: make them again with tcprules");
    first = std::min(first, Event::connect_rules_unreadable);
  }
  return let_in(client, stream, first);
}

OpeningWant Opening::judged(Client& client, Stream& stream, std::shared_ptr<const ServiceProfile> served) {
  client.served = std::move(served);
  if (client.served == nullptr) return refuse(client, Event::exhausted);
  const bool guesses = standing_of(client) == limits::ClientTable::Standing::guesses;
  return let_in(client, stream, guesses ? Event::connect_client_guesses : Event::connect_ready);
}

// first   what its rule and the limits say
OpeningWant Opening::let_in(Client& client, Stream& stream, Event first) {
  const Listing* const listing =
      client.served != nullptr && client.served->listing ? &*client.served->listing : nullptr;
  if (listing != nullptr && listing->event <= first) return turn_away(client, listing->event, listing->text);
  if (first != Event::connect_ready) return refuse(client, first);
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
  if (start.greet_delay_seconds == 0) return session(Event::connect_ready);
  stage_ = Stage::greet;
  return {.limit = seconds(start.greet_delay_seconds)};
}

}  // namespace postern::server
