#include "server/client/handshake.hpp"

#include <algorithm>
#include <utility>

#include "server/loop_context.hpp"

namespace postern::server {

using spec::Event;

namespace {

observe::TlsVersion version_of(std::string_view name) {
  if (name == "TLSv1.3") return observe::TlsVersion::tls_1_3;
  return name == "TLSv1.2" ? observe::TlsVersion::tls_1_2 : observe::TlsVersion::none;
}

Event failed(const Client& client, Event event) {
  client.context.metrics.tls_handshake(observe::TlsVersion::none, observe::TlsResult::failed);
  return event;
}

}  // namespace

std::optional<Event> begin_handshake(const Client& client, Stream& stream) {
  const auto& certificates = client.served->certificates;
  const bool is_possible = certificates != nullptr && client.context.has_memory();
  if (!is_possible || !stream.channel().start_tls(*certificates)) {
    client.journal().trouble("TLS cannot begin: no certificate, or no memory");
    return failed(client, Event::handshake_failed);
  }
  return stream.is_readable() ? continue_handshake(client, stream) : std::nullopt;  // the client has yet to begin it
}

std::optional<Event> continue_handshake(const Client& client, Stream& stream) {
  loop::Channel& channel = stream.channel();
  const loop::Progress progress = channel.handshake();
  stream.set_readable(progress == loop::Progress::done && channel.may_have_input());  // what came after the handshake
  if (progress == loop::Progress::again) return std::nullopt;
  if (progress == loop::Progress::closed) {
    const Event event = loop::Channel::has_lost_client() ? Event::eof : Event::handshake_failed;
    client.journal().trouble(loop::Channel::take_failure());
    return failed(client, event);
  }
  client.context.metrics.tls_handshake(version_of(channel.tls_version()), observe::TlsResult::done);
  client.journal().tls(channel.tls_version(), channel.tls_cipher());
  return Event::handshake_done;
}

void give_up_handshake(const Client& client) {
  static_cast<void>(failed(client, Event::timeout));
  client.journal().trouble("the TLS handshake took too long");
}

base::Interval longest_handshake(const Client& client) {
  const bool is_short = client.context.is_shutting_down;
  const unsigned most = is_short ? spec::max_shutdown_handshake_seconds : spec::max_handshake_seconds;
  return std::chrono::seconds(std::min(client.served->start.timeout_seconds, most));
}

}  // namespace postern::server
