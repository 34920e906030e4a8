#include "cli/judge_talk.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace postern::cli {
namespace {

using audit::Answer;

// `250-text`, `250 text` or `250`; 0: no line of a reply.
unsigned code_of(std::string_view line) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool is_reply = line.size() >= 3 && std::ranges::all_of(line.substr(0, 3), is_digit) && line[0] >= '1' &&
                        line[0] <= '5' && (line.size() == 3 || line[3] == ' ' || line[3] == '-');
  if (!is_reply) return 0;
  return static_cast<unsigned>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
}

bool goes_on(std::string_view line) { return line.size() > 3 && line[3] == '-'; }

}  // namespace

std::string JudgeTalk::open(bool tls_first) {
  close();
  auto connected = base::connect_stream(server_, patience_seconds_);
  if (!connected) return server_.text + " cannot be reached: " + std::strerror(connected.error());
  socket_ = std::move(*connected);
  return tls_first ? start_tls() : std::string();
}

void JudgeTalk::close() {
  session_.reset();
  socket_.close();
  unread_.clear();
}

std::string JudgeTalk::start_tls() {
  if (!unread_.empty()) return "octets in clear came after the reply to STARTTLS";
  session_.emplace();
  return session_->shake_hands(socket_.number(), name_, base::after_seconds(patience_seconds_));
}

void JudgeTalk::say(std::string_view octets) {
  const base::Deadline deadline = base::after_seconds(patience_seconds_);
  if (session_)
    session_->write_all(octets, deadline);
  else
    write_clear(octets, deadline);
}

// A connection that has failed is found out by reading.
void JudgeTalk::write_clear(std::string_view octets, base::Deadline deadline) const {
  while (!octets.empty()) {
    const ssize_t sent = ::send(socket_.number(), octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      octets.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    pollfd watched{.fd = socket_.number(), .events = POLLOUT, .revents = 0};
    const int left = base::milliseconds_until(deadline);
    if (errno != EAGAIN || left <= 0 || ::poll(&watched, 1, left) <= 0) return;
  }
}

tls::Read JudgeTalk::read_clear(std::span<char> room, base::Deadline deadline) const {
  for (;;) {
    const ssize_t got = ::recv(socket_.number(), room.data(), room.size(), 0);
    if (got > 0) return {tls::Read::Kind::octets, static_cast<std::size_t>(got)};
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) return {tls::Read::Kind::end, 0};
    pollfd watched{.fd = socket_.number(), .events = POLLIN, .revents = 0};
    const int left = base::milliseconds_until(deadline);
    if (left <= 0 || ::poll(&watched, 1, left) == 0) return {tls::Read::Kind::late, 0};
  }
}

tls::Read JudgeTalk::read_more(base::Deadline deadline) {
  std::array<char, 1024> room;
  const tls::Read got = session_ ? session_->read_some(room, deadline) : read_clear(room, deadline);
  unread_.append(room.data(), got.size);
  return got;
}

JudgeTalk::Line JudgeTalk::read_line(std::string& line, base::Deadline deadline) {
  for (;;) {
    const std::size_t end = unread_.find('\n');
    if (end != std::string::npos) {
      line = unread_.substr(0, end);
      if (line.ends_with('\r')) line.pop_back();
      unread_.erase(0, end + 1);
      return Line::whole;
    }
    if (unread_.size() > max_reply_line_octets) return Line::endless;
    const tls::Read got =
        base::milliseconds_until(deadline) <= 0 ? tls::Read{tls::Read::Kind::late, 0} : read_more(deadline);
    if (got.kind == tls::Read::Kind::late) return Line::late;
    if (got.kind == tls::Read::Kind::end) return Line::end;
  }
}

Answer JudgeTalk::hear(std::chrono::milliseconds patience) {
  const auto began = std::chrono::steady_clock::now();
  Answer answer{.kind = Answer::Kind::garbage, .code = 0, .lines = {}, .took = {}};
  for (bool is_over = false; !is_over && answer.lines.size() < max_reply_lines;) {
    std::string line;
    const Line read = read_line(line, began + patience);
    is_over = read != Line::whole || !goes_on(line);
    if (read == Line::whole) {
      answer.code = code_of(line);
      if (answer.code == 0)
        is_over = true;
      else if (is_over)
        answer.kind = Answer::Kind::reply;
      answer.lines.push_back(line.substr(0, max_reply_line_octets));
    }
    if (read == Line::end) answer.kind = Answer::Kind::closed;
    if (read == Line::late) answer.kind = Answer::Kind::silence;
    if (read == Line::endless) answer.lines.push_back(unread_.substr(0, 100) + "... (a line without end)");
  }
  if (!answer.is_reply()) answer.code = 0;
  answer.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  return answer;
}

}  // namespace postern::cli
