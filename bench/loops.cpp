// What an event loop itself costs: a stub that greets, answers EHLO and QUIT by their first letter, and checks nothing.
//   loops own PORT             on loop::Loop
//   loops libevent PORT        on libevent 2.1 (Debian: libevent-dev), one event a client
//   loops tls PORT PEM         on loop::Loop, inside TLS from the first octet: the least that OpenSSL lets a server do
// One thread; serves until it is killed. bench/README.md has figures; docs/decisions/0006-event-loop.md draws from them.
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string_view>

#include "loop/channel.hpp"
#include "loop/loop.hpp"
#include "tls/certificates.hpp"

namespace {

using namespace postern;
using loop::Channel;
using loop::Loop;
using loop::Progress;
using loop::Timer;
using loop::Transfer;
using loop::Watcher;
using tls::Certificates;

// Begins again with each command, as that of a server does.
constexpr std::chrono::seconds patience{300};
constexpr timeval libevent_patience{.tv_sec = 300, .tv_usec = 0};
constexpr std::string_view greeting = "220 stub\r\n", hello = "250 stub\r\n", bye = "221 stub\r\n";

int listen_on(const char* port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 || ::listen(socket, 4096) != 0) {
    std::perror("loops: cannot listen");
    std::exit(1);
  }
  return socket;
}

std::string_view answer_to(char first) { return first == 'Q' ? bye : hello; }

// ---- on loop::Loop

class Client final : public Watcher, public Timer {
 public:
  Client(Loop& loop, base::Descriptor socket, const Certificates* certificates)
      : loop_(loop), channel_(std::move(socket)), is_in_handshake_(certificates != nullptr) {
    if (certificates != nullptr) static_cast<void>(channel_.start_tls(*certificates));
    loop.arm(*this, patience);
    static_cast<void>(loop.watch(channel_.number(), EPOLLIN | EPOLLRDHUP | EPOLLET, *this));
    if (!is_in_handshake_) static_cast<void>(channel_.write(greeting));
  }
  void on_ready(std::uint32_t) override {
    if (is_in_handshake_) {
      if (const Progress progress = channel_.handshake(); progress != Progress::done)
        return progress == Progress::closed ? leave() : void();
      is_in_handshake_ = false;
      static_cast<void>(channel_.write(greeting));
    }
    loop_.arm(*this, patience);
    std::array<char, 4096> octets;
    const Transfer got = channel_.read(octets);
    if (got.progress == Progress::closed) return leave();
    if (got.progress == Progress::again) return;
    static_cast<void>(channel_.write(answer_to(octets[0])));
    if (octets[0] == 'Q') leave();
  }
  void on_time() override { leave(); }

 private:
  void leave() {
    if (channel_.has_tls()) channel_.end_output();
    channel_.close();
    loop_.dispose(std::unique_ptr<Watcher>(this));
  }

  Loop& loop_;
  Channel channel_;
  bool is_in_handshake_;
};

class Door final : public Watcher {
 public:
  Door(Loop& loop, int socket, const Certificates* certificates)
      : loop_(loop), socket_(socket), certificates_(certificates) {}
  void on_ready(std::uint32_t) override {
    for (int i = 0; i < 64; ++i) {
      base::Descriptor client(::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!client.is_open()) return;
      new Client(loop_, std::move(client), certificates_);
    }
  }

 private:
  Loop& loop_;
  int socket_;
  const Certificates* certificates_;
};

int serve_on_own(int socket, const Certificates* certificates) {
  const auto loop = Loop::make();
  if (!loop) return 1;
  Door door(**loop, socket, certificates);
  static_cast<void>((*loop)->watch(socket, EPOLLIN, door));
  (*loop)->run();
  return 0;
}

// ---- on libevent

struct LibeventClient {
  event* readable;
};

void serve_libevent_client(evutil_socket_t socket, short, void* argument) {
  auto* const client = static_cast<LibeventClient*>(argument);
  event_add(client->readable, &libevent_patience);
  std::array<char, 4096> octets;
  const ssize_t got = ::recv(socket, octets.data(), octets.size(), 0);
  if (got > 0) {
    const std::string_view answer = answer_to(octets[0]);
    static_cast<void>(!::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL));
  }
  if (got > 0 && octets[0] != 'Q') return;
  event_free(client->readable);
  ::close(socket);
  delete client;
}

void accept_for_libevent(evutil_socket_t socket, short, void* base) {
  for (int i = 0; i < 64; ++i) {
    const int number = ::accept4(socket, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (number < 0) return;
    auto* const client = new LibeventClient{};
    client->readable =
        event_new(static_cast<event_base*>(base), number, EV_READ | EV_PERSIST, serve_libevent_client, client);
    event_add(client->readable, &libevent_patience);
    static_cast<void>(!::send(number, greeting.data(), greeting.size(), MSG_NOSIGNAL));
  }
}

int serve_on_libevent(int socket) {
  event_base* const base = event_base_new();
  event* const door = event_new(base, socket, EV_READ | EV_PERSIST, accept_for_libevent, base);
  event_add(door, nullptr);
  event_base_dispatch(base);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::string_view way = argc > 2 ? argv[1] : "";
  if (way == "own") return serve_on_own(listen_on(argv[2]), nullptr);
  if (way == "libevent") return serve_on_libevent(listen_on(argv[2]));
  if (way == "tls" && argc > 3) {
    const auto certificates =
        Certificates::load({.certificate_path = argv[3], .ciphers = {}, .now_seconds = std::time(nullptr)}, {});
    if (certificates) return serve_on_own(listen_on(argv[2]), certificates->get());
    std::fprintf(stderr, "loops: %s\n", certificates.error().c_str());
    return 1;
  }
  std::fputs("usage: loops own|libevent PORT, or loops tls PORT PEM\n", stderr);
  return 2;
}
