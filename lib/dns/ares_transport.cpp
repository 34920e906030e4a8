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
#include <new>
#include <vector>

#include "base/child.hpp"

namespace postern::dns {
namespace {

struct Sent {
  Receiver& receiver;
  std::uint64_t token;
};

Answer::Failure failure_of(int status) {
  switch (status) {
    case ARES_ETIMEOUT: return Answer::Failure::timed_out;
    case ARES_EBADRESP: return Answer::Failure::malformed;
    case ARES_ENOMEM: return Answer::Failure::no_memory;
    default: return Answer::Failure::no_server;
  }
}

void heard(void* of, int status, int, unsigned char* message, int octets) {
  const std::unique_ptr<Sent> sent(static_cast<Sent*>(of));
  if (status == ARES_SUCCESS)
    sent->receiver.heard(sent->token, {message, static_cast<std::size_t>(octets)});
  else
    sent->receiver.heard_nothing(sent->token, failure_of(status));
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
                     ares_socklen_t* from_octets, void*) {
  return ::recvfrom(socket, into, octets, flags, from, from_octets);
}

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
class AresTransport final : public Transport {
 public:
  explicit AresTransport(base::Descriptor epoll) : epoll_(std::move(epoll)) {}
  ~AresTransport() override {
    if (channel_ != nullptr) ::ares_destroy(channel_);
  }

  // A status of c-ares.
  [[nodiscard]] int open(const Servers& servers, std::chrono::milliseconds first_attempt, unsigned tries);

  void send(std::span<const std::uint8_t> query, std::uint64_t token, Receiver& receiver) override;
  void process() override;
  [[nodiscard]] int descriptor() const override { return epoll_.number(); }
  [[nodiscard]] base::Interval until_next(base::Interval bound) const override;

 private:
  static void on_socket_state(void* self, ares_socket_t socket, int readable, int writable);
  [[nodiscard]] int set_servers(const Servers& servers);

  base::Descriptor epoll_;
  ares_channel channel_ = nullptr;
};

int AresTransport::open(const Servers& servers, std::chrono::milliseconds first_attempt, unsigned tries) {
  static const int library = ::ares_library_init(ARES_LIB_INIT_NONE);
  if (library != ARES_SUCCESS) return library;
  ares_options options{};
  in_addr placeholder{};  // replaced at once; without one the system's servers would be read
  char no_file[] = "", dns_alone[] = "b", root[] = ".";
  char* domains[] = {root};
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  options.timeout = static_cast<int>(first_attempt.count());
  options.tries = static_cast<int>(tries);
  options.ndots = 1;
  options.servers = &placeholder;
  options.nservers = 1;
  options.domains = domains;
  options.ndomains = 1;
  options.lookups = dns_alone;
  options.sock_state_cb = on_socket_state;
  options.sock_state_cb_data = this;
  options.resolvconf_path = no_file;
  const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_SERVERS |
                   ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE |
                   ARES_OPT_RESOLVCONF;
  if (const int status = ::ares_init_options(&channel_, &options, mask); status != ARES_SUCCESS) return status;
  ::ares_set_socket_functions(channel_, &socket_functions, nullptr);
  return set_servers(servers);
}

int AresTransport::set_servers(const Servers& servers) {
  std::vector<ares_addr_port_node> nodes(servers.endpoints.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const base::Endpoint& endpoint = servers.endpoints[i];
    const std::span<const std::uint8_t> octets = endpoint.address.octets();
    nodes[i].next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
    nodes[i].family = endpoint.address.is_ipv4() ? AF_INET : AF_INET6;
    std::memcpy(&nodes[i].addr, octets.data(), octets.size());
    nodes[i].udp_port = nodes[i].tcp_port = endpoint.port;
  }
  return ::ares_set_servers_ports(channel_, nodes.data());
}

void AresTransport::send(std::span<const std::uint8_t> query, std::uint64_t token, Receiver& receiver) {
  auto* const sent = new (std::nothrow) Sent{.receiver = receiver, .token = token};
  if (sent == nullptr) return receiver.heard_nothing(token, Answer::Failure::no_memory);
  ::ares_send(channel_, query.data(), static_cast<int>(query.size()), heard, sent);
}

// A socket that cannot be watched hears nothing, and its queries time out.
void AresTransport::on_socket_state(void* self, ares_socket_t socket, int readable, int writable) {
  const int epoll = static_cast<AresTransport*>(self)->epoll_.number();
  epoll_event event{.events = (readable != 0 ? EPOLLIN : 0U) | (writable != 0 ? EPOLLOUT : 0U), .data = {.fd = socket}};
  if (event.events == 0)
    ::epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nullptr);
  else if (::epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) != 0)
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

void AresTransport::process() {
  std::array<epoll_event, 2 * max_servers> events;
  const int ready = ::epoll_wait(epoll_.number(), events.data(), events.size(), 0);
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const bool can_be_read = (event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
    const bool can_be_written = (event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0;
    ::ares_process_fd(channel_, can_be_read ? event.data.fd : ARES_SOCKET_BAD,
                      can_be_written ? event.data.fd : ARES_SOCKET_BAD);
  }
  ::ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

base::Interval AresTransport::until_next(base::Interval bound) const {
  timeval longest = timeval_of(bound), next{};
  const timeval* const found = ::ares_timeout(channel_, &longest, &next);
  return std::chrono::seconds(found->tv_sec) + std::chrono::microseconds(found->tv_usec);
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
  auto transport = std::make_unique<AresTransport>(std::move(epoll));
  tries = std::clamp(tries, 1U, 8U);
  const int status = transport->open(servers, first_attempt(patience, servers.endpoints.size(), tries), tries);
  if (status != ARES_SUCCESS) return refuse(::ares_strerror(status));
  return transport;
}

}  // namespace postern::dns
