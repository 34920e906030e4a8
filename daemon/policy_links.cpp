#include "daemon/policy_links.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "ask/auth_environment.hpp"
#include "base/blocking_client.hpp"
#include "config/tcpserver_env.hpp"
#include "spec/limits.hpp"

namespace postern::daemon {
namespace {

using State = base::ClientProtocol::State;
using Kind = base::StreamFailure::Kind;

std::uint64_t nanoseconds_of_the_wall() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

unsigned whole_seconds_until(base::Deadline end) {
  return static_cast<unsigned>(base::milliseconds_until(end) + 999) / 1000;
}

}  // namespace

PolicyLinks::PolicyLinks(const config::Start& start, const base::Environment& environment, const Transport& transport,
                         const observe::Journal& journal)
    : start_(start), environment_(environment), transport_(transport), journal_(journal) {
  if (start.policy_services.empty()) return;
  name_ = ask::policy_session_name(nanoseconds_of_the_wall());
  links_.resize(start.policy_services.size());
}

ask::PolicyClient PolicyLinks::client(const engine::Session& session, std::string message_id) const {
  const config::Peer peer = config::read_peer(environment_);
  return {.address = std::string(peer.remote_ip),
          .port = std::string(peer.remote_port),
          .host = std::string(peer.remote_host),
          .server_address = std::string(peer.local_ip),
          .server_port = std::string(peer.local_port),
          .tls_version = std::string(transport_.tls_version()),
          .tls_cipher = std::string(transport_.tls_cipher()),
          .session = name_,
          .user = ask::authenticated_user(session, environment_),
          .message_id = std::move(message_id)};
}

engine::Answer PolicyLinks::ask(const engine::Session& session, const engine::Answer& found, std::string message_id) {
  ask::PolicyInquiry& inquiry =
      inquiry_.emplace(start_, session, found, client(session, std::move(message_id)), memory_);
  const base::Deadline end = base::after_seconds(spec::max_policy_seconds);
  while (const config::PolicyService* const service = inquiry.next()) {
    const auto now = std::chrono::steady_clock::now();
    inquiry.hear(ask(service->address, base::end_of_share(now, end, inquiry.still_to_ask())));
  }
  for (const ask::PolicyRemark& remark : inquiry.remarks()) journal_.policy(remark, inquiry.recipient());
  if (!fields_.add(session.transactions(), inquiry.header_fields()))
    journal_.trouble("policy services want more header fields than one message gets: the last ones are left out");
  return inquiry.answer();
}

PolicyLinks::Link& PolicyLinks::link_to(const base::SocketAddress& service) {
  const auto first = std::ranges::find(start_.policy_services, service.text,
                                       [](const config::PolicyService& each) { return each.address.text; });
  return links_[static_cast<std::size_t>(first - start_.policy_services.begin())];
}

ask::PolicyAnswer PolicyLinks::ask(const base::SocketAddress& service, base::Deadline end) {
  Link& link = link_to(service);
  const bool is_open =
      link.conversation != nullptr && link.conversation->state() == State::idle && base::is_quiet(link.socket);
  if (is_open && carry(link, service.text, end)) return link.conversation->take_answer();
  link = {};
  if (base::milliseconds_until(end) == 0) return {.trouble = ask::policy_trouble({.kind = Kind::timed_out})};
  auto socket = base::connect_stream(service, std::min(whole_seconds_until(end), spec::max_policy_connect_seconds));
  if (!socket) return {.trouble = ask::policy_trouble({.kind = Kind::unreachable, .error = socket.error()})};
  link = {.socket = std::move(*socket),
          .conversation = std::make_unique<ask::PolicyConversation>(std::chrono::seconds(spec::max_policy_seconds))};
  static_cast<void>(carry(link, service.text, end));
  return link.conversation->take_answer();
}

// False: it ended before an octet of the answer came.
bool PolicyLinks::carry(Link& link, std::string_view service, base::Deadline end) const {
  link.conversation->begin(inquiry_->request(), std::chrono::steady_clock::now());
  base::carry(*link.conversation, link.socket, end, service);
  return !link.conversation->may_repeat();
}

}  // namespace postern::daemon
