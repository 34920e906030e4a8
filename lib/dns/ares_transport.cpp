#include "dns/ares_transport.hpp"

#include <ares.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <new>
#include <utility>
#include <vector>

#include "base/child.hpp"

namespace postern::dns {
namespace {

class AresTransport;

struct Sent {
  AresTransport& by;
  Receiver& receiver;
  std::uint64_t token;
  std::size_t first;         // the server that was asked first
  std::uint16_t identifier;  // of the query
  unsigned code = 0;         // of an answer that c-ares passed over: it says then only that there was none
};

// The one that c-ares has left out is the best reason there is.
Answer::Failure failure_of(int status, unsigned code) {
  if (code != 0) return failure_of_code(code);
  switch (status) {
    case ARES_ETIMEOUT: return Answer::Failure::timed_out;
    case ARES_EBADRESP: return Answer::Failure::malformed;
    case ARES_ENOMEM: return Answer::Failure::no_memory;
    default: return Answer::Failure::no_server;
  }
}

ares_socket_t open_socket(int family, int type, int protocol, void*) {
  const int socket = ::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  const int yes = 1;
  if (socket >= 0 && type == SOCK_STREAM) ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return socket;
}

int close_socket(ares_socket_t socket, void*) { return ::close(socket); }

int connect_socket(ares_socket_t socket, const sockaddr* to, ares_socklen_t octets, void*) {
  return ::connect(socket, to, octets);
}

ares_ssize_t receive(ares_socket_t socket, void* into, size_t octets, int flags, sockaddr* from,
                     ares_socklen_t* from_octets, void* transport);

ares_ssize_t send_pieces(ares_socket_t socket, const iovec* pieces, int count, void*) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);
  message.msg_iovlen = static_cast<std::size_t>(count);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

constexpr ares_socket_functions socket_functions{.asocket = open_socket,
                                                 .aclose = close_socket,
                                                 .aconnect = connect_socket,
                                                 .arecvfrom = receive,
                                                 .asendv = send_pieces};

timeval timeval_of(base::Interval interval) {
  const auto microseconds = std::chrono::ceil<std::chrono::microseconds>(interval).count();
  return {.tv_sec = microseconds / 1'000'000, .tv_usec = microseconds % 1'000'000};
}

// One descriptor for all sockets of c-ares: an epoll(7) of its own, which can be waited for itself.
//
// c-ares 1.18 begins each question with the first server of a channel, and the servers of a channel that is at work cannot change:
// a first one that is silent would cost each question its wait. So there is a channel for each server to begin with, made when it
// is first wanted, and questions go to the one that begins with the server that answered last. Now and then one begins with the
// first again, which the operator prefers.
class AresTransport final : public Transport {
 public:
  AresTransport(base::Descriptor epoll, const Servers& servers, std::chrono::milliseconds first_attempt, unsigned tries)
      : epoll_(std::move(epoll)), servers_(servers), first_attempt_(first_attempt), tries_(tries) {
    for (std::size_t i = 0; i < servers_.endpoints.size(); ++i)
      channels_.push_back({.epoll = epoll_.number(), .first = i});
  }
  ~AresTransport() override {
    for (const Channel& each : channels_)
      if (each.ares != nullptr) ::ares_destroy(each.ares);
  }

  // A status of c-ares. Of the channel that begins with that server.
  [[nodiscard]] int open(std::size_t first);

  void send(std::span<const std::uint8_t> query, std::uint64_t token, Receiver& receiver) override;
  void process() override;
  [[nodiscard]] int descriptor() const override { return epoll_.number(); }
  [[nodiscard]] base::Interval until_next(base::Interval bound) const override;

  static void heard(void* of, int status, int timeouts, unsigned char* message, int octets);
  void received(std::span<const std::uint8_t> datagram);

 private:
  struct Channel {
    int epoll;
    std::size_t first;
    ares_channel ares = nullptr;
  };
  static constexpr unsigned questions_of_another = 100;  // until one tries the first server again

  static void on_socket_state(void* of, ares_socket_t socket, int readable, int writable);
  [[nodiscard]] int set_servers(const Channel& channel) const;
  [[nodiscard]] std::size_t choose();

  base::Descriptor epoll_;
  Servers servers_;
  std::chrono::milliseconds first_attempt_;
  unsigned tries_;
  std::vector<Channel> channels_;  // by the server that each begins with; it does not grow
  std::size_t preferred_ = 0;
  unsigned sent_to_another_ = 0;
  std::map<std::uint16_t, Sent*> on_their_way_;  // for their codes
};

int AresTransport::open(std::size_t first) {
  static const int library = ::ares_library_init(ARES_LIB_INIT_NONE);
  if (library != ARES_SUCCESS) return library;
  Channel& channel = channels_[first];
  ares_options options{};
  in_addr placeholder{};  // replaced at once; without one the system's servers would be read
  char no_file[] = "", dns_alone[] = "b", root[] = ".";
  char* domains[] = {root};
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  options.timeout = static_cast<int>(first_attempt_.count());
  options.tries = static_cast<int>(tries_);
  options.ndots = 1;
  options.servers = &placeholder;
  options.nservers = 1;
  options.domains = domains;
  options.ndomains = 1;
  options.lookups = dns_alone;
  options.sock_state_cb = on_socket_state;
  options.sock_state_cb_data = &channel;
  options.resolvconf_path = no_file;
  const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_SERVERS |
                   ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE |
                   ARES_OPT_RESOLVCONF;
  if (const int status = ::ares_init_options(&channel.ares, &options, mask); status != ARES_SUCCESS) {
    channel.ares = nullptr;
    return status;
  }
  ::ares_set_socket_functions(channel.ares, &socket_functions, this);
  const int status = set_servers(channel);
  if (status != ARES_SUCCESS) ::ares_destroy(std::exchange(channel.ares, nullptr));
  return status;
}

int AresTransport::set_servers(const Channel& channel) const {
  const std::size_t count = servers_.endpoints.size();
  std::vector<ares_addr_port_node> nodes(count);
  for (std::size_t i = 0; i < count; ++i) {
    const base::Endpoint& endpoint = servers_.endpoints[(channel.first + i) % count];
    const std::span<const std::uint8_t> octets = endpoint.address.octets();
    nodes[i].next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
    nodes[i].family = endpoint.address.is_ipv4() ? AF_INET : AF_INET6;
    std::memcpy(&nodes[i].addr, octets.data(), octets.size());
    nodes[i].udp_port = nodes[i].tcp_port = endpoint.port;
  }
  return ::ares_set_servers_ports(channel.ares, nodes.data());
}

// The first one can be asked; what cannot be made for another leaves the first.
std::size_t AresTransport::choose() {
  std::size_t first = preferred_;
  if (first != 0 && ++sent_to_another_ >= questions_of_another) first = 0;
  if (first == 0) sent_to_another_ = 0;
  const bool can_be_asked = channels_[first].ares != nullptr || open(first) == ARES_SUCCESS;
  return can_be_asked ? first : 0;
}

void AresTransport::send(std::span<const std::uint8_t> query, std::uint64_t token, Receiver& receiver) {
  const std::size_t first = choose();
  const auto identifier = static_cast<std::uint16_t>(query[0] << 8U | query[1]);
  auto* const sent = new (std::nothrow)
      Sent{.by = *this, .receiver = receiver, .token = token, .first = first, .identifier = identifier};
  if (sent == nullptr) return receiver.heard_nothing(token, Answer::Failure::no_memory);
  try {
    on_their_way_[identifier] = sent;
  } catch (const std::bad_alloc&) {  // then only its code is not known
  }
  ::ares_send(channels_[first].ares, query.data(), static_cast<int>(query.size()), heard, sent);
}

void AresTransport::heard(void* of, int status, int timeouts, unsigned char* message, int octets) {
  const std::unique_ptr<Sent> sent(static_cast<Sent*>(of));
  AresTransport& by = sent->by;
  const auto known = by.on_their_way_.find(sent->identifier);
  if (known != by.on_their_way_.end() && known->second == sent.get()) by.on_their_way_.erase(known);
  if (status != ARES_SUCCESS) return sent->receiver.heard_nothing(sent->token, failure_of(status, sent->code));
  by.preferred_ = (sent->first + static_cast<std::size_t>(timeouts)) % by.servers_.endpoints.size();
  sent->receiver.heard(sent->token, {message, static_cast<std::size_t>(octets)});
}

// Only its code is taken from it here, for the log: c-ares and lib/dns/message.cpp judge the rest.
void AresTransport::received(std::span<const std::uint8_t> datagram) {
  constexpr std::size_t header_octets = 12;
  constexpr unsigned servfail = 2, notimp = 4, refused = 5;
  if (datagram.size() < header_octets) return;
  const unsigned code = datagram[3] & 0x0FU;
  const auto found = on_their_way_.find(static_cast<std::uint16_t>(datagram[0] << 8U | datagram[1]));
  if (found != on_their_way_.end() && (code == servfail || code == notimp || code == refused))
    found->second->code = code;
}

ares_ssize_t receive(ares_socket_t socket, void* into, size_t octets, int flags, sockaddr* from,
                     ares_socklen_t* from_octets, void* transport) {
  const ares_ssize_t got = ::recvfrom(socket, into, octets, flags, from, from_octets);
  if (got > 0 && from != nullptr)  // a datagram
    static_cast<AresTransport*>(transport)->received(
        {static_cast<const std::uint8_t*>(into), static_cast<std::size_t>(got)});
  return got;
}

// The socket, and which channel it is of.
std::uint64_t packed(std::size_t channel, ares_socket_t socket) {
  return std::uint64_t{channel} << 32U | static_cast<std::uint32_t>(socket);
}

// A socket that cannot be watched hears nothing, and its queries time out.
void AresTransport::on_socket_state(void* of, ares_socket_t socket, int readable, int writable) {
  const auto& channel = *static_cast<Channel*>(of);
  epoll_event event{.events = (readable != 0 ? EPOLLIN : 0U) | (writable != 0 ? EPOLLOUT : 0U),
                    .data = {.u64 = packed(channel.first, socket)}};
  if (event.events == 0)
    ::epoll_ctl(channel.epoll, EPOLL_CTL_DEL, socket, nullptr);
  else if (::epoll_ctl(channel.epoll, EPOLL_CTL_MOD, socket, &event) != 0)
    ::epoll_ctl(channel.epoll, EPOLL_CTL_ADD, socket, &event);
}

void AresTransport::process() {
  std::array<epoll_event, 2 * max_servers> events;
  const int ready = ::epoll_wait(epoll_.number(), events.data(), events.size(), 0);
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const auto socket = static_cast<ares_socket_t>(event.data.u64 & 0xFFFFFFFFU);
    const bool can_be_read = (event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
    const bool can_be_written = (event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0;
    ::ares_process_fd(channels_[event.data.u64 >> 32U].ares, can_be_read ? socket : ARES_SOCKET_BAD,
                      can_be_written ? socket : ARES_SOCKET_BAD);
  }
  for (const Channel& each : channels_)
    if (each.ares != nullptr) ::ares_process_fd(each.ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

base::Interval AresTransport::until_next(base::Interval bound) const {
  for (const Channel& each : channels_) {
    if (each.ares == nullptr) continue;
    timeval longest = timeval_of(bound), next{};
    const timeval* const found = ::ares_timeout(each.ares, &longest, &next);
    bound = std::min<base::Interval>(bound,
                                     std::chrono::seconds(found->tv_sec) + std::chrono::microseconds(found->tv_usec));
  }
  return bound;
}

// c-ares waits twice as long in each round of all servers as in the one before.
std::chrono::milliseconds first_attempt(base::Interval patience, std::size_t servers, unsigned tries) {
  const auto parts = static_cast<std::int64_t>(servers * ((std::size_t{1} << tries) - 1));
  const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(patience) / parts;
  return std::max(part, std::chrono::milliseconds(1));
}

}  // namespace

std::expected<std::unique_ptr<Transport>, std::string> make_ares_transport(const Servers& servers,
                                                                           base::Interval patience, unsigned tries) {
  const auto refuse = [](const std::string& why) { return std::unexpected("cannot ask the DNS: " + why); };
  if (servers.endpoints.empty()) return refuse("no server is named");
  base::Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.is_open()) return refuse(std::strerror(errno));
  tries = std::clamp(tries, 1U, 8U);
  auto transport = std::make_unique<AresTransport>(std::move(epoll), servers,
                                                   first_attempt(patience, servers.endpoints.size(), tries), tries);
  const int status = transport->open(0);
  if (status != ARES_SUCCESS) return refuse(::ares_strerror(status));
  return transport;
}

}  // namespace postern::dns
