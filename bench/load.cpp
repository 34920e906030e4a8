// An SMTP client that loads a server on 127.0.0.1: one thread on epoll, many sessions at once.
//   load PORT [NAME=VALUE...]
//   mode=message   messages over sessions (the default)      sessions=50   at once
//   mode=ehlo      connect, EHLO, QUIT                       messages=1000 in all; else sessions in all
//   mode=unknown   EHLO, MAIL, a RCPT that is refused, QUIT
//   mode=listed    connect, and 5yz in the greeting's place
//   mode=idle      EHLO, then silence: prints READY, holds   a_session=1   messages in each session
//                  until its input ends                      size=1024     octets of a message
//   tls=none|starttls|implicit, each a full handshake        rate=0        messages a second, whatever the server does;
//   from=ADDRESS   of the first client: 100 clients with addresses of this machine, in turn
//   pipelined=1    MAIL, RCPT and DATA in one write, text                  0: as fast as it answers
//                  and the next group in another             seconds=60    at most
// Prints one line of JSON: what was done in what time, failures, its own CPU, and latencies in microseconds. `command` is
// from a command to its reply (a group has one beginning), `stored` from the last octet of the text to its reply, `message`
// from MAIL to that reply; with a rate `message` begins when it was due, so that a server that stalls is not spared.
#include "bench/load.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace postern::bench {
namespace {

// What a reply answers.
enum class Asked : unsigned char { connect, ehlo, starttls, mail, rcpt, data, text, quit };

constexpr std::string_view group[] = {"MAIL FROM:<from@sender.example>\r\n", "RCPT TO:<user@example.test>\r\n",
                                      "DATA\r\n"};

std::string text_of(long size) {
  std::string text = "From: <from@sender.example>\r\nTo: <user@example.test>\r\nSubject: load\r\n\r\n";
  while (static_cast<long>(text.size()) < size) {
    const long rest = std::min(72L, size - static_cast<long>(text.size()));
    text += rest > 2 ? std::string(static_cast<std::size_t>(rest) - 2, 'x') + "\r\n" : "\r\n";
  }
  return text + ".\r\n";
}

}  // namespace

class Session {
 public:
  explicit Session(Load& load) : load_(load) {
    if (load.options.rate == 0) ++load.begun;
    ++load.open;
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (in_addr from{}; ::inet_pton(AF_INET, load.options.from.c_str(), &from) == 1) {
      constexpr std::uint32_t clients = 100;
      sockaddr_in own{};
      own.sin_family = AF_INET;
      own.sin_addr.s_addr = htonl(ntohl(from.s_addr) + static_cast<std::uint32_t>(load.begun) % clients);
      static_cast<void>(::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof own));
    }
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(load.options.port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 && errno != EINPROGRESS) {
      fail("cannot connect");
      return;
    }
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = this}};
    ::epoll_ctl(load.epoll, EPOLL_CTL_ADD, socket_, &event);
    expect(Asked::connect);
    if (load.options.tls == "implicit") begin_tls();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    if (socket_ >= 0) ::close(socket_);
  }

  void on_ready() {
    if (is_over_) return;
    if (is_in_handshake_ && !continue_handshake()) return;
    flush();
    while (!is_over_ && read()) {
    }
  }

  // With a rate: `due` has one for us.
  void take_due_now() {
    take_due();
    flush();
  }

 private:
  struct Reply {
    Asked asked;
    Time since;
  };

  void expect(Asked asked) { expected_.push_back({asked, Clock::now()}); }

  void ask(Asked asked, std::string_view octets) {
    expect(asked);
    output_ += octets;
  }

  void begin_tls() {
    tls_.reset(SSL_new(load_.tls.get()));
    SSL_set_fd(tls_.get(), socket_);
    is_in_handshake_ = true;
    handshake_began_ = load_.now;
  }

  bool continue_handshake() {
    const int result = SSL_connect(tls_.get());
    if (result == 1) {
      is_in_handshake_ = false;
      is_encrypted_ = true;
      load_.totals.handshake.add(handshake_began_, Clock::now());
      if (load_.options.tls == "starttls") ask(Asked::ehlo, "EHLO bench.sender.example\r\n");
      return true;
    }
    const int error = SSL_get_error(tls_.get(), result);
    const bool is_connecting = error == SSL_ERROR_SYSCALL && (errno == ENOTCONN || errno == EAGAIN);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE && !is_connecting) fail("handshake");
    return false;
  }

  bool read() {
    std::array<char, 4096> octets;
    const long got =
        tls_ ? SSL_read(tls_.get(), octets.data(), octets.size()) : ::recv(socket_, octets.data(), octets.size(), 0);
    if (got <= 0) {
      const bool waits = tls_ ? SSL_get_error(tls_.get(), static_cast<int>(got)) == SSL_ERROR_WANT_READ
                              : got < 0 && (errno == EAGAIN || errno == ENOTCONN);
      if (!waits) fail("closed early");
      return false;
    }
    input_.append(octets.data(), static_cast<std::size_t>(got));
    take_lines();
    flush();
    return !is_in_handshake_;
  }

  void take_lines() {
    std::size_t begin = 0;
    for (std::size_t end; !is_over_ && (end = input_.find('\n', begin)) != std::string::npos; begin = end + 1)
      if (end - begin >= 4 && input_[begin + 3] != '-') take_reply(input_[begin]);
    input_.erase(0, begin);
  }

  void take_reply(char digit) {
    if (expected_.empty()) return fail("a reply to nothing");
    const Reply reply = expected_.front();
    expected_.pop_front();
    if (digit != wanted(reply.asked)) return fail(digit == '5' ? "refused" : "not refused");
    const Time now = Clock::now();
    if (reply.asked == Asked::text)
      load_.totals.stored.add(reply.since, now);
    else if (reply.asked != Asked::connect)
      load_.totals.command.add(reply.since, now);
    go_on(reply.asked, now);
  }

  [[nodiscard]] char wanted(Asked asked) const {
    const bool is_refused = (asked == Asked::rcpt && load_.options.mode == "unknown") ||
                            (asked == Asked::connect && load_.options.mode == "listed");
    return is_refused ? '5' : asked == Asked::data ? '3' : '2';
  }

  void go_on(Asked answered, Time now) {
    if (load_.options.mode == "listed") return served();
    switch (answered) {
      case Asked::connect: return ask(Asked::ehlo, "EHLO bench.sender.example\r\n");
      case Asked::ehlo:
        if (load_.options.tls == "starttls" && !is_encrypted_) return ask(Asked::starttls, "STARTTLS\r\n");
        return greeted();
      case Asked::starttls: begin_tls(); return static_cast<void>(continue_handshake());
      case Asked::mail: return load_.options.is_pipelined ? void() : ask(Asked::rcpt, group[1]);
      case Asked::rcpt:
        if (load_.options.mode == "unknown") return ask(Asked::quit, "QUIT\r\n");
        return load_.options.is_pipelined ? void() : ask(Asked::data, group[2]);
      case Asked::data: return send_text();
      case Asked::text:
        ++load_.totals.messages;
        load_.totals.message.add(message_began_, now);
        if (load_.options.is_pipelined) return;
        return next_message();
      case Asked::quit: return served();
    }
  }

  void served() {
    ++load_.totals.sessions;
    end();
  }

  void greeted() {
    if (load_.options.mode == "idle") {
      ++load_.totals.sessions;
      return;
    }
    if (load_.options.mode == "ehlo") return ask(Asked::quit, "QUIT\r\n");
    next_message();
  }

  void next_message() {
    if (load_.options.rate == 0) {
      const bool is_last = sent_ == load_.options.a_session || load_.begun >= load_.options.messages;
      if (sent_ != 0 && is_last) return ask(Asked::quit, "QUIT\r\n");
      if (sent_ != 0) ++load_.begun;
      return begin_message(load_.now);
    }
    if (!load_.due.empty()) return take_due();
    load_.bored.push_back(this);
  }

  void take_due() {
    const Time since = load_.due.front();
    load_.due.pop_front();
    begin_message(since);
  }

  void begin_message(Time since) {
    group_began_ = since;
    ++sent_;
    ask(Asked::mail, group[0]);
    if (!load_.options.is_pipelined) return;
    ask(Asked::rcpt, group[1]);
    ask(Asked::data, group[2]);
  }

  void send_text() {
    message_began_ = group_began_;
    ask(Asked::text, load_.text);
    if (load_.options.is_pipelined) next_message();
  }

  void flush() {
    const bool is_text = !expected_.empty() && expected_.front().asked == Asked::text;
    while (!is_over_ && !is_in_handshake_ && sent_octets_ < output_.size()) {
      const std::string_view rest = std::string_view(output_).substr(sent_octets_);
      if (is_text) expected_.front().since = Clock::now();  // before the write: the reply may come while it lasts
      const long sent = tls_ ? SSL_write(tls_.get(), rest.data(), static_cast<int>(rest.size()))
                             : ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // EPOLLOUT comes, or an end that read() sees
      sent_octets_ += static_cast<std::size_t>(sent);
    }
    output_.clear();
    sent_octets_ = 0;
  }

  void fail(const char* why) {
    ++load_.totals.failures;
    std::fprintf(stderr, "load: %s\n", why);
    end();
  }

  void end() {
    is_over_ = true;
    std::erase(load_.bored, this);
    load_.ended.push_back(this);
  }

  Load& load_;
  int socket_ = -1;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, SSL_free};
  bool is_in_handshake_ = false, is_encrypted_ = false, is_over_ = false;
  long sent_ = 0;  // messages begun in this session
  std::deque<Reply> expected_;
  std::string output_, input_;
  std::size_t sent_octets_ = 0;  // of output_
  Time handshake_began_, group_began_, message_began_;
};

namespace {

// The messages that have become due; how long until the next one is.
std::chrono::nanoseconds let_due(Load& load, Time start) {
  constexpr std::chrono::nanoseconds longest{100'000'000};
  if (load.options.rate == 0) return longest;
  const auto interval = std::chrono::nanoseconds(1'000'000'000 / load.options.rate);
  while (load.begun < load.options.messages && start + interval * load.begun <= load.now)
    load.due.push_back(start + interval * load.begun++);
  while (!load.due.empty() && !load.bored.empty()) {
    Session* const session = load.bored.back();
    load.bored.pop_back();
    session->take_due_now();
  }
  return load.begun < load.options.messages ? start + interval * load.begun - load.now : longest;
}

void bury_the_ended(Load& load) {
  load.open -= static_cast<long>(load.ended.size());
  for (const Session* session : load.ended) delete session;
  load.ended.clear();
}

void run(Load& load) {
  constexpr std::chrono::milliseconds settling{500};  // with a rate: sessions are opened first
  const Time start = Clock::now(), end = start + std::chrono::seconds(load.options.seconds);
  std::array<epoll_event, 256> events;
  for (load.now = start; !load.is_over() && load.now < end; load.now = Clock::now()) {
    while (load.may_open()) new Session(load);
    const auto wait = let_due(load, start + settling);
    const timespec time{.tv_sec = 0, .tv_nsec = std::clamp<long>(wait.count(), 0, 999'999'999)};
    const int ready = ::epoll_pwait2(load.epoll, events.data(), events.size(), &time, nullptr);
    load.now = Clock::now();
    for (int i = 0; i < ready; ++i) static_cast<Session*>(events[static_cast<std::size_t>(i)].data.ptr)->on_ready();
    bury_the_ended(load);
  }
}

void hold() {
  std::printf("READY\n");
  std::fflush(stdout);
  char octet = 0;
  static_cast<void>(!::read(STDIN_FILENO, &octet, 1));
}

void print(Load& load, double seconds) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) { return double(time.tv_sec) + 1e-6 * double(time.tv_usec); };
  Totals& totals = load.totals;
  std::printf("{\"messages\": %ld, \"sessions\": %ld, \"failures\": %ld, \"seconds\": %.4f, \"cpu_seconds\": %.4f",
              totals.messages, totals.sessions, totals.failures, seconds, of(usage.ru_utime) + of(usage.ru_stime));
  totals.command.print("command");
  totals.stored.print("stored");
  totals.message.print("message");
  totals.handshake.print("handshake");
  std::printf("}\n");
}

bool set(Options& options, std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = word.substr(0, equals), value = word.substr(equals + 1);
  if (name == "mode") return options.mode = value, true;
  if (name == "from") return options.from = value, true;
  if (name == "tls") return options.tls = value, true;
  if (name == "pipelined") return options.is_pipelined = value == "1", true;
  const std::map<std::string_view, long*> numbers{{"sessions", &options.sessions},   {"messages", &options.messages},
                                                  {"a_session", &options.a_session}, {"size", &options.size},
                                                  {"rate", &options.rate},           {"seconds", &options.seconds}};
  const auto found = numbers.find(name);
  return found != numbers.end() && std::from_chars(value.begin(), value.end(), *found->second).ec == std::errc();
}

}  // namespace
}  // namespace postern::bench

int main(int argc, char** argv) {
  using namespace postern::bench;
  Load load;
  const std::string_view port = argc > 1 ? argv[1] : "";
  bool is_understood = std::from_chars(port.begin(), port.end(), load.options.port).ec == std::errc();
  for (int i = 2; i < argc; ++i) is_understood = is_understood && set(load.options, argv[i]);
  if (!is_understood) {
    std::fputs("usage: load PORT [NAME=VALUE...]: the names are at the top of bench/load.cpp\n", stderr);
    return 2;
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  std::signal(SIGPIPE, SIG_IGN);
  if (load.is_idle()) load.options.messages = load.options.sessions;
  load.text = text_of(load.options.size);
  load.tls.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_mode(load.tls.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  load.epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const Time start = Clock::now();
  run(load);
  if (load.is_idle()) hold();
  print(load, std::chrono::duration<double>(Clock::now() - start).count());
  return load.totals.failures == 0 ? 0 : 1;
}
