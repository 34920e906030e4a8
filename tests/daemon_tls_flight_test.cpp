// How many writes TLS makes, how long a session takes, and what the settings of a context do.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/tls_meeting.hpp"

namespace {
using namespace postern::daemon;
using namespace postern::tls;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

// The server writes to a socket that keeps each write apart, so that its writes can be counted.
struct CountedMeeting {
  Ends to_server;
  Ends to_client{SOCK_SEQPACKET};
  ClientContext context;
  Client client;
  TlsTransport::Accepted accepted = std::unexpected(HandshakeFailure{Io::done, "never tried"});
  std::vector<std::size_t> writes;  // the octets of each

  CountedMeeting(const TlsContext& server_context, int version) : context(make_client(version)) {
    client.reset(SSL_new(context.get()));
    SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client.get());
    std::thread server(
        [&] { accepted = TlsTransport::accept(server_context, {to_server.ours, to_client.ours}, patient); });
    while (SSL_do_handshake(client.get()) != 1) {
      send_all();
      receive();
    }
    send_all();
    server.join();
  }

  void send_all() {
    std::array<char, 65536> octets{};
    const int count = BIO_read(SSL_get_wbio(client.get()), octets.data(), octets.size());
    if (count <= 0) return;
    EXPECT_EQ(::write(to_server.theirs, octets.data(), static_cast<std::size_t>(count)), count);
  }

  void receive() {
    std::array<char, 65536> octets{};
    const ssize_t count = ::recv(to_client.theirs, octets.data(), octets.size(), 0);
    ASSERT_GT(count, 0);
    writes.push_back(static_cast<std::size_t>(count));
    BIO_write(SSL_get_rbio(client.get()), octets.data(), static_cast<int>(count));
  }
};

TEST(TlsTransport, a_flight_is_one_write_and_so_are_all_replies_together) {
  const TlsContext context = load(long_chain_file());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CountedMeeting meeting(context, version);
    ASSERT_TRUE(meeting.accepted);
    const std::size_t flights = version == TLS1_3_VERSION ? 1 : 2;
    EXPECT_EQ(meeting.writes.size(), flights);
    EXPECT_GT(meeting.writes.front(), 6000U) << "longer than the buffer that OpenSSL gathers a flight in";
    std::string replies;
    for (int i = 0; i < 2000; ++i) replies += "250 ok (#2.0.0)\r\n";
    EXPECT_EQ((*meeting.accepted)->write(replies), Io::done);
    (*meeting.accepted)->finish();
    meeting.receive();
    std::string heard;
    while (heard.size() < replies.size()) {
      const std::string part = read_once(meeting.client);
      if (part.empty()) break;
      heard += part;
    }
    EXPECT_EQ(heard, replies);
    meeting.receive();
    EXPECT_EQ(meeting.writes.size(), flights + 2) << "replies, close_notify";
  }
}

std::string load_error(const std::string& path, const std::string& ciphers) {
  const auto context = TlsContext::load({.certificate_path = path, .ciphers = ciphers, .now_seconds = now_seconds()});
  return context ? std::string() : context.error();
}

std::string chosen_with(const std::string& ciphers, int version) {
  const TlsContext context = load(ecdsa_file(), ciphers);
  const Meeting meeting(context, make_client(version));
  return meeting.accepted ? std::string((*meeting.accepted)->tls_cipher()) : std::string();
}

TEST(TlsContext, the_operator_chooses_the_ciphers) {  // seed: TLSCIPHERS
  EXPECT_EQ(chosen_with("ECDHE-ECDSA-AES128-GCM-SHA256", TLS1_2_VERSION), "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_EQ(chosen_with("ECDHE-ECDSA-AES128-GCM-SHA256", TLS1_3_VERSION), "TLS_AES_256_GCM_SHA384");
  EXPECT_EQ(chosen_with("TLS_AES_128_GCM_SHA256", TLS1_3_VERSION), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(chosen_with("TLS_AES_128_GCM_SHA256", TLS1_2_VERSION), "") << "only TLS 1.3 was named";
  const std::string both = "TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
  EXPECT_EQ(chosen_with(both, TLS1_3_VERSION), "TLS_CHACHA20_POLY1305_SHA256");
  EXPECT_EQ(chosen_with(both, TLS1_2_VERSION), "ECDHE-ECDSA-AES256-GCM-SHA384");
  EXPECT_EQ(chosen_with("HIGH:!aNULL:!MD5", TLS1_2_VERSION), "ECDHE-ECDSA-AES256-GCM-SHA384");
}

TEST(TlsContext, ciphers_that_select_nothing_are_an_error) {
  for (const std::string ciphers :
       {"NOSUCH", ":", "eNULL", "aNULL@SECLEVEL=0", "TLS_NO_SUCH_SUITE", "!ALL", "TLS_AES_128_GCM_SHA256:NOSUCH"}) {
    EXPECT_TRUE(load_error(ecdsa_file(), ciphers).starts_with("TLSCIPHERS")) << ciphers;
  }
}

TEST(TlsContext, a_file_that_is_not_there_is_an_error_with_its_name) {
  EXPECT_EQ(load_error("/nowhere/servercert.pem", {}),
            "/nowhere/servercert.pem: no usable certificate: No such file or directory");
}

std::string warning_at(std::int64_t seconds) {
  const auto context = TlsContext::load({.certificate_path = ecdsa_file(), .ciphers = {}, .now_seconds = seconds});
  return context ? std::string(context->warning()) : "not loaded";
}

TEST(TlsContext, a_certificate_out_of_its_dates_only_warns) {  // D12
  EXPECT_EQ(warning_at(now_seconds()), "");
  EXPECT_NE(warning_at(now_seconds() + 31 * day_seconds).find("the certificate expired on 20"), std::string::npos);
  EXPECT_NE(warning_at(now_seconds() - day_seconds).find("the certificate begins on 20"), std::string::npos);
}

// A listener on loopback that serves `sessions` clients, one after the other, as a session after STARTTLS would.
struct Listener {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  Listener() {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t octets = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd, generic, octets) != 0 || ::listen(fd, 16) != 0) std::abort();
    if (::getsockname(fd, generic, &octets) != 0) std::abort();
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(fd); }

  void serve_one(const TlsContext& context) const {
    const int client = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
    const auto accepted = TlsTransport::accept(context, {client, client}, patient);
    if (accepted) {
      for (std::string line; !(line = read_once(**accepted)).empty();) {
        EXPECT_EQ((*accepted)->write(line == "QUIT\r\n" ? "221 bye\r\n" : "250 ok\r\n"), Io::done);
        if (line == "QUIT\r\n") break;
      }
      (*accepted)->finish();
    }
    ::close(client);
  }

  int dial(int no_delay) const {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
    if (::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
    return client;
  }
};

double session_milliseconds(const Listener& listener, const ClientContext& context, int no_delay) {
  const auto begin = steady_clock::now();
  const int fd = listener.dial(no_delay);
  const Client client = open_client(context, fd);
  EXPECT_EQ(SSL_connect(client.get()), 1);
  for (const std::string_view line : {"EHLO client.example\r\n", "NOOP\r\n", "QUIT\r\n"}) {
    send(client, line);
    EXPECT_FALSE(read_once(client).empty());
  }
  EXPECT_EQ(read_once(client), "") << "close_notify";
  ::close(fd);
  return std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count();
}

double lower_quartile_milliseconds(int version, int no_delay) {
  constexpr int sessions = 50;
  const TlsContext context = load(ecdsa_file());
  const Listener listener;
  std::thread server([&] {
    for (int i = 0; i < sessions; ++i) listener.serve_one(context);
  });
  const ClientContext client = make_client(version);
  std::vector<double> took;
  took.reserve(sessions);
  for (int i = 0; i < sessions; ++i) took.push_back(session_milliseconds(listener, client, no_delay));
  server.join();
  std::ranges::sort(took);
  std::printf("%s, client's TCP_NODELAY %d, ms: median %.2f, fastest %.2f, slowest %.2f\n",
              version == TLS1_3_VERSION ? "TLS 1.3" : "TLS 1.2", no_delay, took[sessions / 2], took.front(),
              took.back());
  return took[sessions / 4];
}

// A stall is 40 ms, a session 1 to 3. A stall delays every session each time, a busy machine some, and not for ever.
TEST(TlsTransport, no_session_waits_for_an_acknowledgement) {
  constexpr double most_milliseconds = 20;
  constexpr int most_rounds = 3;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const int no_delay : {1, 0}) {
      double least = lower_quartile_milliseconds(version, no_delay);
      for (int round = 1; round < most_rounds && least >= most_milliseconds; ++round)
        least = std::min(least, lower_quartile_milliseconds(version, no_delay));
      EXPECT_LT(least, most_milliseconds);
    }
  }
}

}  // namespace
