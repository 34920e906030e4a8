#include "observe/http_endpoint.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include "base/network.hpp"
#include "base/port_holder.hpp"

namespace postern::observe {
namespace {

constexpr int pause_without_descriptors_ms = 100;
constexpr std::string_view plain_text = "text/plain; charset=utf-8";

std::string_view phrase_of(unsigned status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
  }
}

// RFC 9110 6.6.1, 5.6.7: `Tue, 15 Nov 1994 08:12:31 GMT`; no locale is set here.
std::string date() {
  const time_t now = ::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 40> room;
  return {room.data(), ::strftime(room.data(), room.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

enum class Body : std::uint8_t { sent, left_out };

std::string to_octets(const HttpReply& reply, Body body = Body::sent) {
  std::string octets = "HTTP/1.1 " + std::to_string(reply.status) + ' ' + std::string(phrase_of(reply.status));
  octets += "\r\nDate: " + date() + "\r\nContent-Type: " + std::string(reply.content_type);
  octets += "\r\nContent-Length: " + std::to_string(reply.body.size());
  if (reply.status == 405) octets += "\r\nAllow: GET, HEAD";
  octets += "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
  return body == Body::sent ? octets + reply.body : octets;
}

std::string refusal(unsigned status) { return to_octets({status, plain_text, std::string(phrase_of(status)) + '\n'}); }

std::string remedy_for(int error, const std::string& address, std::uint16_t port) {
  const auto at = base::parse_address(address);
  if (error != EADDRINUSE || !at) return {};
  const auto holder = base::holder_of({.address = *at, .port = port});
  return ": " + (holder ? base::describe(*holder) : "another program") + " has it; stop that, or choose another port";
}

std::string trouble(const std::string& address, std::uint16_t port, const std::string& why) {
  return "cannot serve HTTP on " + address + " port " + std::to_string(port) + ": " + why;
}

}  // namespace

std::expected<base::Descriptor, std::string> listen_for_http(const std::string& address, std::uint16_t port) {
  const addrinfo wanted{.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0)
    return std::unexpected(trouble(address, port, "write a numeric address, as 127.0.0.1 or ::1"));
  base::Descriptor listening(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  const bool is_done =
      listening.is_open() && ::setsockopt(listening.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      ::bind(listening.number(), found->ai_addr, found->ai_addrlen) == 0 && ::listen(listening.number(), 16) == 0;
  const int error = errno;
  ::freeaddrinfo(found);
  if (!is_done) return std::unexpected(trouble(address, port, ::strerror(error) + remedy_for(error, address, port)));
  return listening;
}

HttpEndpoint::HttpEndpoint(base::Descriptor listening, HttpPages& pages)
    : listening_(std::move(listening)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), pages_(pages) {
  clients_.reserve(max_http_connections);
}

HttpEndpoint::~HttpEndpoint() { stop(); }

std::expected<void, std::string> HttpEndpoint::start() {
  if (!wake_.is_open()) return std::unexpected("cannot serve HTTP: no descriptor left (raise the limit of open files)");
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the thread that waits for them
  const auto body = [](void* self) -> void* {
    static_cast<HttpEndpoint*>(self)->run();
    return nullptr;
  };
  const int error = ::pthread_create(&thread_, nullptr, body, this);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return std::unexpected(std::string("cannot start a thread for HTTP: ") + ::strerror(error));
  is_running_ = true;
  return {};
}

void HttpEndpoint::stop() {
  if (!is_running_) return;
  ::eventfd_write(wake_.number(), 1);
  ::pthread_join(thread_, nullptr);
  is_running_ = false;
}

std::uint16_t HttpEndpoint::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  void* octets = &address;
  if (::getsockname(listening_.number(), static_cast<sockaddr*>(octets), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? static_cast<sockaddr_in6*>(octets)->sin6_port
                                             : static_cast<sockaddr_in*>(octets)->sin_port);
}

int HttpEndpoint::wait() {
  std::array<pollfd, max_http_connections + 2> waiting{};
  waiting[0] = {.fd = wake_.number(), .events = POLLIN, .revents = 0};
  waiting[1] = {.fd = listening_.number(), .events = POLLIN, .revents = 0};
  int milliseconds = -1;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const short events = clients_[i].state == Client::State::writing ? POLLOUT : POLLIN;
    waiting[i + 2] = {.fd = clients_[i].socket.number(), .events = events, .revents = 0};
    const int left = base::milliseconds_until(clients_[i].deadline);
    milliseconds = milliseconds < 0 ? left : std::min(milliseconds, left);
  }
  ::poll(waiting.data(), clients_.size() + 2, milliseconds);
  return waiting[0].revents;
}

void HttpEndpoint::run() {
  ::pthread_setname_np(::pthread_self(), "postern-http");
  while (wait() == 0) {
    for (Client& client : clients_) {
      try {
        serve(client);
      } catch (const std::bad_alloc&) {
        client.state = Client::State::done;
      }
    }
    std::erase_if(clients_, [](const Client& client) { return client.state == Client::State::done; });
    accept_clients();
  }
  clients_.clear();
}

// Clients stand in the order in which they came. Whose page is on its way comes last.
void HttpEndpoint::give_up_oldest() {
  const auto oldest =
      std::ranges::find_if(clients_, [](const Client& client) { return client.state != Client::State::writing; });
  clients_.erase(oldest != clients_.end() ? oldest : clients_.begin());
}

// One turn gives up one client at most: each has been looked at several times before it is the oldest.
void HttpEndpoint::accept_clients() {
  bool may_give_up = clients_.size() == max_http_connections;
  while (clients_.size() < max_http_connections || may_give_up) {
    base::Descriptor socket(::accept4(listening_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.is_open()) {
      // Out of descriptors the socket stays readable: without a pause the thread would spin until one is free.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        ::poll(nullptr, 0, pause_without_descriptors_ms);
      return;
    }
    if (clients_.size() == max_http_connections) {
      give_up_oldest();
      may_give_up = false;
    }
    clients_.push_back({.socket = std::move(socket), .deadline = base::after_seconds(max_http_seconds)});
  }
}

void HttpEndpoint::serve(Client& client) {
  if (client.state == Client::State::reading || client.state == Client::State::draining) read_request(client);
  if (client.state == Client::State::writing) write_reply(client);
  if (base::milliseconds_until(client.deadline) == 0) client.state = Client::State::done;
}

void HttpEndpoint::read_request(Client& client) {
  std::array<char, 4096> room;
  const ssize_t got = ::recv(client.socket.number(), room.data(), room.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) client.state = Client::State::done;
  if (client.state != Client::State::reading) return;
  client.request.append(room.data(), static_cast<std::size_t>(got));
  const auto parsed = parse_http_request(std::string_view(client.request).substr(0, max_http_request_octets));
  if (parsed)
    client.reply = *parsed ? reply_to(**parsed) : refusal(parsed->error());
  else if (client.request.size() >= max_http_request_octets)
    client.reply = refusal(431);  // RFC 6585 5
  if (!client.reply.empty()) client.state = Client::State::writing;
}

std::string HttpEndpoint::reply_to(const HttpRequest& request) {
  const bool is_head = request.method == "HEAD";  // RFC 9110 9.3.2: as GET, without the body
  if (request.method != "GET" && !is_head) return refusal(405);
  return to_octets(pages_.page(request), is_head ? Body::left_out : Body::sent);
}

// Ends its side and drains the other before it closes: a close over unread octets would be a reset, and could take away
// the reply that is still on its way (RFC 9112 9.6).
void HttpEndpoint::write_reply(Client& client) {
  const std::string_view rest = std::string_view(client.reply).substr(client.sent);
  const ssize_t sent = ::send(client.socket.number(), rest.data(), rest.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) client.state = Client::State::done;
    return;
  }
  client.sent += static_cast<std::size_t>(sent);
  if (client.sent < client.reply.size()) return;
  ::shutdown(client.socket.number(), SHUT_WR);
  client.state = Client::State::draining;
}

}  // namespace postern::observe
