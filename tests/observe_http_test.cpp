#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "observe/http_endpoint.hpp"
#include "observe/http_pages.hpp"

namespace postern::observe {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

unsigned status_of(std::string_view octets) {
  const auto parsed = parse_http_request(octets);
  return !parsed ? 0 : *parsed ? 200 : parsed->error();
}

TEST(HttpRequest, is_read_to_its_empty_line) {
  const std::string text =
      "GET /metrics?x=/y HTTP/1.1\r\nHost: a\r\naCCept: \t text/plain;q=0.5 \r\nAccept: b\r\nX: \r\n\r\nbody";
  const auto parsed = parse_http_request(text);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ("GET", (*parsed)->method);
  EXPECT_EQ("/metrics", (*parsed)->path);
  EXPECT_EQ("text/plain;q=0.5", (*parsed)->accept);
  for (std::size_t octets = 0; octets < text.size() - 4; ++octets) EXPECT_EQ(0U, status_of(text.substr(0, octets)));
}

// RFC 9112 3.2.2: a server must accept the whole URI as a request target
TEST(HttpRequest, names_its_path_by_a_whole_uri_too) {
  const auto path_of = [](const std::string& target) -> std::string {
    const std::string text = "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
    const auto parsed = parse_http_request(text);
    return parsed && *parsed ? std::string((*parsed)->path) : "refused";
  };
  EXPECT_EQ("/metrics", path_of("http://127.0.0.1:9925/metrics"));
  EXPECT_EQ("/metrics", path_of("HTTP://localhost/metrics?x=http://b/c"));
  EXPECT_EQ("/", path_of("http://localhost"));
  EXPECT_EQ("/", path_of("http://localhost?x=/y"));
  for (const std::string target : {"http://", "http:///metrics", "https://a/metrics", "http:/metrics", "ftp://a/", "*"})
    EXPECT_EQ("refused", path_of(target)) << target;
}

TEST(HttpRequest, malformed_ones_are_400) {  // RFC 9112 3, 5.1, 5.2; RFC 9110 5.6.2
  for (const std::string line :
       {"", "GET", "GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "G(T / HTTP/1.1", "GET x HTTP/1.1",
        "GET / a HTTP/1.1", "GET /\x01 HTTP/1.1", "GET / http/1.1", "GET /\nx HTTP/1.1", "GET /\xff HTTP/1.1"})
    EXPECT_EQ(400U, status_of(line + "\r\nHost: a\r\n\r\n")) << line;
  for (const std::string field : {"x", ": x", "a b: x", "a : x", " folded: x", "a: b\nc: d", "a: b\rc"})
    EXPECT_EQ(400U, status_of("GET / HTTP/1.1\r\nHost: a\r\n" + field + "\r\n\r\n")) << field;
  EXPECT_EQ(400U, status_of("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"sv));
}

TEST(HttpRequest, needs_one_host_since_1_1) {  // RFC 9112 3.2
  EXPECT_EQ(400U, status_of("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(400U, status_of("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"));
  EXPECT_EQ(200U, status_of("GET / HTTP/1.0\r\n\r\n"));
}

TEST(HttpRequest, other_versions_are_505) {
  EXPECT_EQ(505U, status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(505U, status_of("GET / HTTP/1.10\r\nHost: a\r\n\r\n"));
}

class Endpoint : public ::testing::Test {
 protected:
  void SetUp() override {
    auto listening = listen_for_http("127.0.0.1", 0);
    ASSERT_TRUE(listening) << listening.error();
    endpoint_ = std::make_unique<HttpEndpoint>(std::move(*listening), pages_);
    ASSERT_TRUE(endpoint_->start());
  }

  [[nodiscard]] base::Descriptor connected() const {
    base::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{.sin_family = AF_INET,
                        .sin_port = htons(endpoint_->port()),
                        .sin_addr = {htonl(INADDR_LOOPBACK)},
                        .sin_zero = {}};
    const void* octets = &address;
    EXPECT_EQ(0, ::connect(socket.number(), static_cast<const sockaddr*>(octets), sizeof address));
    timeval patience{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return socket;
  }
  static void say(const base::Descriptor& socket, std::string_view octets) {
    EXPECT_EQ(static_cast<ssize_t>(octets.size()), ::send(socket.number(), octets.data(), octets.size(), MSG_NOSIGNAL));
  }
  static std::string all_of(const base::Descriptor& socket) {
    std::string said;
    std::array<char, 4096> room;
    ssize_t got = 0;
    while ((got = ::recv(socket.number(), room.data(), room.size(), 0)) > 0)
      said.append(room.data(), static_cast<std::size_t>(got));
    return got == 0 ? said : said + "<no end: " + std::to_string(errno) + ">";
  }
  [[nodiscard]] std::string asked(std::string_view octets) const {
    const base::Descriptor socket = connected();
    say(socket, octets);
    return all_of(socket);
  }
  [[nodiscard]] std::string got(const std::string& path, const std::string& fields = "") const {
    return asked("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n");
  }

  Metrics metrics_{1, {}};
  std::atomic<Phase> phase_ = Phase::starting;
  MonitoringPages pages_{metrics_, {.version = "1.2.3", .policy = "abc"}, phase_};
  std::unique_ptr<HttpEndpoint> endpoint_;
};

TEST_F(Endpoint, shows_metrics_in_the_format_that_is_wanted) {
  metrics_.shard(0).session_opened();
  const std::string classic = got("/metrics");
  EXPECT_TRUE(classic.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << classic;
  EXPECT_TRUE(classic.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_TRUE(classic.contains("\r\nConnection: close\r\n"));
  EXPECT_TRUE(classic.contains("\npostern_sessions_total 1\n"));
  EXPECT_TRUE(classic.contains("\nprocess_open_fds "));
  const std::size_t body = classic.find("\r\n\r\n") + 4;
  EXPECT_TRUE(classic.contains("\r\nContent-Length: " + std::to_string(classic.size() - body) + "\r\n"));
  const std::string open = got("/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n");
  EXPECT_TRUE(open.contains("\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
  EXPECT_TRUE(open.ends_with("# EOF\n"));
}

TEST_F(Endpoint, is_ready_only_between_start_and_stop) {
  EXPECT_TRUE(got("/readyz").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_TRUE(got("/readyz").ends_with("\r\n\r\nstarting\n"));
  EXPECT_TRUE(got("/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
  phase_ = Phase::ready;
  EXPECT_TRUE(got("/readyz").starts_with("HTTP/1.1 200 OK\r\n"));
  phase_ = Phase::stopping;
  EXPECT_TRUE(got("/readyz").ends_with("\r\n\r\nstopping\n"));
}

TEST_F(Endpoint, has_no_other_page_and_no_other_method) {
  for (const std::string path : {"/", "/metrics/", "/metricsx", "/../etc/passwd", "//metrics"})
    EXPECT_TRUE(got(path).starts_with("HTTP/1.1 404 Not Found\r\n")) << path;
  for (const std::string method : {"POST", "PUT", "DELETE", "CONNECT", "get", "OPTIONS"}) {
    const std::string said = asked(method + " /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_TRUE(said.starts_with("HTTP/1.1 405 Method Not Allowed\r\n")) << method;  // RFC 9110 15.5.6
    EXPECT_TRUE(said.contains("\r\nAllow: GET, HEAD\r\n"));
  }
}

TEST_F(Endpoint, answers_head_without_a_body) {  // RFC 9110 9.3.2
  const std::string said = asked("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(said.contains("\r\nContent-Length: 6\r\n"));
  EXPECT_TRUE(said.ends_with("\r\n\r\n"));
}

TEST_F(Endpoint, tells_what_is_wrong_with_a_request) {
  EXPECT_TRUE(asked("GET /metrics\r\n\r\n").starts_with("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_TRUE(asked("GET / HTTP/3.0\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 505 HTTP Version Not Supported\r\n"));
  const std::string long_head = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(4 * max_http_request_octets, 'x');
  EXPECT_TRUE(asked(long_head).starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));  // RFC 6585 5
}

TEST_F(Endpoint, reads_a_request_in_pieces) {
  const base::Descriptor socket = connected();
  for (const char octet : std::string_view("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")) {
    say(socket, {&octet, 1});
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(all_of(socket).ends_with("alive\n"));
}

TEST_F(Endpoint, a_reply_survives_octets_that_nobody_reads) {  // RFC 9112 9.6
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(asked("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(100000, 'x')).ends_with("alive\n"));
}

TEST_F(Endpoint, silent_clients_do_not_stop_others) {
  std::vector<base::Descriptor> silent;
  for (std::size_t i = 0; i + 1 < max_http_connections; ++i) silent.push_back(connected());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(got("/healthz").ends_with("alive\n"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(max_http_seconds) / 2);
}

// Three times as many as there are places, and more than wait in the backlog beside them.
TEST_F(Endpoint, more_silent_clients_than_places_keep_nobody_out) {
  std::vector<base::Descriptor> silent;
  for (std::size_t i = 0; i < 4 * max_http_connections; ++i) silent.push_back(connected());
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(got("/healthz").ends_with("alive\n"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(max_http_seconds) / 2);
  EXPECT_EQ("", all_of(silent.front())) << "the oldest gave its place";
}

TEST_F(Endpoint, who_was_there_before_the_silent_ones_is_answered) {
  const base::Descriptor slow = connected();
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
  say(slow, request.substr(0, 10));
  std::vector<base::Descriptor> silent;
  for (std::size_t i = 0; i + 1 < max_http_connections; ++i) silent.push_back(connected());
  say(slow, request.substr(10));
  EXPECT_TRUE(all_of(slow).starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(got("/healthz").ends_with("alive\n"));
}

TEST_F(Endpoint, a_slow_client_is_closed_after_its_time) {
  const base::Descriptor slow = connected();
  say(slow, "GET /healthz HT");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ("", all_of(slow));
  EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(max_http_seconds) - 2s);
}

TEST_F(Endpoint, stops_whatever_its_clients_do) {
  const base::Descriptor silent = connected();
  EXPECT_TRUE(got("/healthz").ends_with("alive\n"));
  endpoint_->stop();
  EXPECT_EQ("", all_of(silent));
  endpoint_->stop();
}

TEST_F(Endpoint, leaves_signals_to_others) {
  // The thread of the endpoint has all of them blocked: one sent to the process reaches us.
  sigset_t usr1, before;
  ::sigemptyset(&usr1);
  ::sigaddset(&usr1, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &usr1, &before);
  ::kill(::getpid(), SIGUSR1);
  EXPECT_TRUE(got("/healthz").ends_with("alive\n"));
  const timespec patience{.tv_sec = 10, .tv_nsec = 0};
  EXPECT_EQ(SIGUSR1, ::sigtimedwait(&usr1, nullptr, &patience));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(ListenForHttp, tells_why_it_cannot) {
  const auto named = listen_for_http("localhost", 9125);
  ASSERT_FALSE(named);
  EXPECT_EQ("cannot serve HTTP on localhost port 9125: write a numeric address, as 127.0.0.1 or ::1", named.error());
  const auto first = listen_for_http("127.0.0.1", 0);
  ASSERT_TRUE(first);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  void* octets = &address;
  ASSERT_EQ(0, ::getsockname(first->number(), static_cast<sockaddr*>(octets), &size));
  const auto second = listen_for_http("127.0.0.1", ntohs(address.sin_port));
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().contains(": Address already in use")) << second.error();
}

}  // namespace
}  // namespace postern::observe
