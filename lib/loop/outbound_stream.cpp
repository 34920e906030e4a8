#include "loop/outbound_stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <new>

namespace postern::loop {
namespace {

using Kind = base::StreamFailure::Kind;
using State = base::ClientProtocol::State;

constexpr std::uint32_t all_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::size_t read_octets = 16UZ * 1024;
constexpr int pieces_a_turn = 16;

}  // namespace

int OutboundStream::connect(base::Interval patience) {
  connect_by_ = loop_.now() + patience;
  socket_ = base::Descriptor(::socket(address_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_.is_open()) return errno;
  const int yes = 1;  // small commands leave at once; a Unix socket knows no such option and needs none
  static_cast<void>(::setsockopt(socket_.number(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes));
  return try_to_connect();
}

// EAGAIN means a Unix socket whose backlog is full: no event says when there is room.
int OutboundStream::try_to_connect() {
  const auto* name = reinterpret_cast<const sockaddr*>(&address_.storage);
  const int error = ::connect(socket_.number(), name, address_.octets) == 0 ? 0 : errno;
  if (error == EAGAIN) {
    loop_.arm(*this, base::Interval{});
    return 0;
  }
  if (error != 0 && error != EINPROGRESS) return error;
  if (const int unwatched = loop_.watch(socket_.number(), all_events, *this); unwatched != 0) return unwatched;
  is_watched_ = true;
  loop_.arm(*this, connect_by_ - loop_.now());
  return 0;
}

void OutboundStream::finish_connecting(std::uint32_t events) {
  if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
  int error = 0;
  socklen_t octets = sizeof error;
  if (::getsockopt(socket_.number(), SOL_SOCKET, SO_ERROR, &error, &octets) != 0) error = errno;
  if (error != 0) return on_unreachable(error);
  disarm();
  phase_ = Phase::idle;
  on_connected();
}

// Its octets go in a turn of their own: so one that submits request after request never calls itself.
void OutboundStream::serve() {
  ++requests_;
  phase_ = Phase::busy;
  begin_request();
  loop_.change(socket_.number(), all_events, *this);  // reports again that it can be written to
}

void OutboundStream::begin_request() {
  try {
    begin(loop_.now());
    loop_.arm(*this, protocol_.deadline() - loop_.now());
  } catch (const std::bad_alloc&) {
    protocol_.fail({.kind = Kind::closed, .error = ENOMEM, .address = address_.text});
  }
}

void OutboundStream::on_ready(std::uint32_t events) {
  switch (phase_) {
    case Phase::connecting: return finish_connecting(events);
    case Phase::busy: try { carry();
      } catch (const std::bad_alloc&) {
        protocol_.fail({.kind = Kind::closed, .error = ENOMEM, .address = address_.text});
      }
      return end_if_over();
    case Phase::idle:
      if (!is_quiet()) on_idle_end();
      return;
    case Phase::closed: return;
  }
}

void OutboundStream::on_time() {
  switch (phase_) {
    case Phase::connecting:
      if (loop_.now() >= connect_by_) return on_unreachable(ETIMEDOUT);
      if (const int error = try_to_connect(); error != 0) return on_unreachable(error);
      return;
    case Phase::busy: return fail(Kind::timed_out);
    case Phase::idle: return on_idle_end();
    case Phase::closed: return;
  }
}

void OutboundStream::carry() {
  for (int pieces = 0; protocol_.state() == State::busy; ++pieces) {
    // What is there is reported again, after the others had their turn.
    if (pieces == pieces_a_turn) return loop_.change(socket_.number(), all_events, *this);
    const bool has_received = receive();
    const bool has_sent = protocol_.state() == State::busy && send();
    if (!has_received && !has_sent) return;
  }
}

void OutboundStream::end_if_over() {
  if (protocol_.state() == State::busy) return loop_.arm(*this, protocol_.deadline() - loop_.now());
  disarm();
  phase_ = Phase::idle;
  on_ended();
}

void OutboundStream::fail(Kind kind, int error) {
  protocol_.fail({.kind = kind, .error = error, .address = address_.text});
  end_if_over();
}

// False: nothing more is there.
bool OutboundStream::receive() {
  std::array<char, read_octets> octets;
  const ssize_t got = ::recv(socket_.number(), octets.data(), octets.size(), 0);
  if (got > 0) {
    protocol_.receive({octets.data(), static_cast<std::size_t>(got)}, loop_.now());
    return true;
  }
  const int error = got == 0 ? 0 : errno;
  if (error == EINTR) return true;
  if (error != EAGAIN) protocol_.fail({.kind = Kind::closed, .error = error, .address = address_.text});
  return false;
}

// A server may say why and close: read that, although nothing can be sent to it any more.
bool OutboundStream::send() {
  const std::string_view octets = protocol_.output();
  if (octets.empty()) return false;
  const ssize_t sent = ::send(socket_.number(), octets.data(), octets.size(), MSG_NOSIGNAL);
  if (sent >= 0) {
    protocol_.sent(static_cast<std::size_t>(sent), loop_.now());
    return true;
  }
  const int error = errno;
  if (error == EAGAIN || error == EINTR) return error == EINTR;
  for (int pieces = 0; pieces < pieces_a_turn && protocol_.state() == State::busy && receive(); ++pieces) {
  }
  if (protocol_.state() == State::busy)
    protocol_.fail({.kind = Kind::closed, .error = error, .address = address_.text});
  return false;
}

bool OutboundStream::is_quiet() const {
  char octet = 0;
  const ssize_t got = ::recv(socket_.number(), &octet, 1, MSG_PEEK);
  return got < 0 && (errno == EAGAIN || errno == EINTR);
}

void OutboundStream::rest(base::Interval age) { loop_.arm(*this, age); }

void OutboundStream::close() {
  const std::string_view octets = requests_ == 0 ? "" : protocol_.farewell();
  if (!octets.empty()) static_cast<void>(::send(socket_.number(), octets.data(), octets.size(), MSG_NOSIGNAL));
  disarm();
  if (is_watched_) loop_.forget(socket_.number());
  socket_.close();
  phase_ = Phase::closed;
}

}  // namespace postern::loop
