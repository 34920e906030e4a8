#include "deliver/lmtp/link.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace postern::deliver {
namespace {

using Kind = LmtpTrouble::Kind;

constexpr std::size_t read_octets = 4096;

// SO_SNDTIMEO bounds connect(2) for both families, also where a Unix socket waits for a place in the backlog, which
// poll(2) cannot wait for.
std::expected<base::Descriptor, int> connect_to(const config::LmtpAddress& address, unsigned max_seconds) {
  base::Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return std::unexpected(errno);
  const timeval patience{.tv_sec = static_cast<time_t>(max_seconds), .tv_usec = 0};
  if (::setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
    return std::unexpected(errno);
  const auto* name = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::connect(socket.number(), name, address.octets) != 0)
    return std::unexpected(errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno);
  if (::fcntl(socket.number(), F_SETFL, O_NONBLOCK) != 0) return std::unexpected(errno);
  const int yes = 1;  // small commands leave at once; a Unix socket knows no such option and needs none
  static_cast<void>(::setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes));
  return socket;
}

std::string_view sentence_of(Kind kind) {
  switch (kind) {
    case Kind::unreachable: return "no connection";
    case Kind::unwilling: return "not greeted as LMTP is";
    case Kind::timed_out: return "timed out";
    case Kind::closed: return "connection closed";
    case Kind::garbage: return "no valid reply";
    case Kind::unread: break;
  }
  return "own temporary file";
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

std::string describe(LmtpTrouble trouble) {
  std::string text(sentence_of(trouble.kind));
  if (trouble.error == 0) return text;
  const char* symbol = ::strerrorname_np(trouble.error);
  return text + ", " + (symbol != nullptr ? symbol : "error");
}

std::expected<LmtpLink, LmtpTrouble> LmtpLink::open(const config::LmtpAddress& address, std::string_view host,
                                                    const LmtpTimeouts& timeouts) {
  auto socket = connect_to(address, timeouts.connect_seconds);
  if (!socket) return std::unexpected(LmtpTrouble{Kind::unreachable, socket.error()});
  LmtpLink link(std::move(*socket));
  if (const auto trouble = link.greet(host, timeouts)) return std::unexpected(*trouble);
  return link;
}

// A mail cluster that does not speak LMTP, or not now, has said nothing about our message, whatever its code is.
std::optional<LmtpTrouble> LmtpLink::greet(std::string_view host, const LmtpTimeouts& timeouts) {
  const auto greeting = receive(base::after_seconds(timeouts.reply_seconds));
  if (!greeting) return greeting.error();
  if (greeting->code != 220) return LmtpTrouble{Kind::unwilling};
  if (const auto trouble = send("LHLO " + std::string(host) + "\r\n", timeouts.reply_seconds)) return trouble;
  const auto offers = receive(base::after_seconds(timeouts.reply_seconds));
  if (!offers) return offers.error();
  if (offers->code != 250) return LmtpTrouble{Kind::unwilling};
  note_offers(offers->text);
  return std::nullopt;
}

// RFC 5321 4.1.1.1: the first line is the domain, each other one a keyword and its parameters.
void LmtpLink::note_offers(std::string_view lines) {
  for (std::size_t end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n')) {
    lines.remove_prefix(end + 1);
    const std::string_view keyword = lines.substr(0, lines.find_first_of(" \n"));
    has_pipelining_ |= equal_ignoring_case(keyword, "PIPELINING");
    has_8bitmime_ |= equal_ignoring_case(keyword, "8BITMIME");
    has_size_ |= equal_ignoring_case(keyword, "SIZE");
  }
}

bool LmtpLink::wait(short events, base::Deadline deadline) const {
  for (int left = base::milliseconds_until(deadline); left > 0; left = base::milliseconds_until(deadline)) {
    pollfd watched{.fd = socket_.number(), .events = events, .revents = 0};
    if (::poll(&watched, 1, left) > 0) return true;
  }
  return false;
}

std::optional<LmtpTrouble> LmtpLink::send(std::string_view octets, unsigned max_seconds) {
  while (!octets.empty()) {
    const ssize_t sent = ::send(socket_.number(), octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      octets.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait(POLLOUT, base::after_seconds(max_seconds))) return LmtpTrouble{Kind::timed_out};
    } else if (errno != EINTR) {
      return LmtpTrouble{Kind::closed, errno};
    }
  }
  return std::nullopt;
}

std::optional<LmtpTrouble> LmtpLink::read_more(base::Deadline deadline) {
  std::array<char, read_octets> octets;
  for (;;) {
    const ssize_t got = ::recv(socket_.number(), octets.data(), octets.size(), 0);
    if (got > 0) unread_.append(octets.data(), static_cast<std::size_t>(got));
    if (got > 0) return std::nullopt;
    if (got == 0) return LmtpTrouble{Kind::closed};
    if (errno == EAGAIN && !wait(POLLIN, deadline)) return LmtpTrouble{Kind::timed_out};
    if (errno != EAGAIN && errno != EINTR) return LmtpTrouble{Kind::closed, errno};
  }
}

std::expected<std::string, LmtpTrouble> LmtpLink::receive_line(base::Deadline deadline) {
  std::size_t end = unread_.find("\r\n");
  while (end == std::string::npos && unread_.size() < max_lmtp_reply_line_octets) {
    if (const auto trouble = read_more(deadline)) return std::unexpected(*trouble);
    end = unread_.find("\r\n");
  }
  if (end == std::string::npos || end + 2 > max_lmtp_reply_line_octets)
    return std::unexpected(LmtpTrouble{Kind::garbage});
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 2);
  return line;
}

std::expected<LmtpReply, LmtpTrouble> LmtpLink::receive(base::Deadline deadline) {
  LmtpReply reply;
  for (std::size_t lines = 0; lines < max_lmtp_reply_lines; ++lines) {
    const auto line = receive_line(deadline);
    if (!line) return std::unexpected(line.error());
    const auto parsed = parse_lmtp_reply_line(*line);
    if (!parsed || (lines > 0 && parsed->code != reply.code)) break;  // RFC 5321 4.2.1: each line has the same code
    reply.code = parsed->code;
    if (lines > 0) reply.text += '\n';
    if (reply.text.size() + parsed->text.size() < max_lmtp_reply_octets) reply.text += parsed->text;
    if (parsed->is_last) return reply;
  }
  return std::unexpected(LmtpTrouble{Kind::garbage});
}

bool LmtpLink::is_quiet() const {
  pollfd watched{.fd = socket_.number(), .events = POLLIN | POLLRDHUP, .revents = 0};
  return socket_.is_open() && unread_.empty() && ::poll(&watched, 1, 0) == 0;
}

void LmtpLink::quit() {
  constexpr std::string_view last_word = "QUIT\r\n";
  static_cast<void>(::send(socket_.number(), last_word.data(), last_word.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  socket_.close();
}

}  // namespace postern::deliver
