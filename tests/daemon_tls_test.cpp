// What the TLS transport speaks, what it refuses, and how long it waits.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "tests/tls_meeting.hpp"

namespace {
using namespace postern::daemon;
using namespace postern::tls;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(TlsTransport, speaks_both_versions_with_both_kinds_of_certificate) {
  for (const std::string* const path : {&ecdsa_file(), &rsa_file()}) {
    const TlsContext context = load(*path);
    EXPECT_EQ(context.warning(), "");
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      Meeting meeting(context, make_client(version));
      ASSERT_TRUE(meeting.accepted) << meeting.accepted.error().reason;
      send(meeting.client, "EHLO client.example\r\n");
      EXPECT_EQ(read_once(meeting.server()), "EHLO client.example\r\n");
      EXPECT_EQ(meeting.server().write("250 mx.example\r\n"), Io::done);
      EXPECT_EQ(read_once(meeting.client), "250 mx.example\r\n");
      EXPECT_EQ(meeting.server().tls_version(), version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
      EXPECT_EQ(meeting.server().tls_cipher(), SSL_get_cipher_name(meeting.client.get()));
      EXPECT_EQ(SSL_get_negotiated_group(meeting.client.get()), NID_X25519);
      EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(meeting.client.get())), 2) << "the chain is served";
    }
  }
}

TEST(TlsTransport, gives_no_ticket_and_resumes_nothing) {
  const TlsContext context = load(ecdsa_file());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Meeting meeting(context, make_client(version));
    ASSERT_TRUE(meeting.accepted);
    EXPECT_EQ(meeting.server().write("220\r\n"), Io::done);
    EXPECT_EQ(read_once(meeting.client), "220\r\n");
    const SSL_SESSION* const session = SSL_get0_session(meeting.client.get());
    EXPECT_EQ(SSL_SESSION_has_ticket(session), 0);
    EXPECT_EQ(SSL_SESSION_is_resumable(session), 0);
  }
}

TEST(TlsTransport, refuses_tls_1_1) {  // RFC 8996
  const TlsContext context = load(ecdsa_file());
  const Meeting meeting(context,
                        make_client(TLS1_1_VERSION, [](SSL_CTX* client) { SSL_CTX_set_security_level(client, 0); }));
  ASSERT_FALSE(meeting.accepted);
  EXPECT_FALSE(meeting.is_connected);
  EXPECT_EQ(meeting.accepted.error().reason, "the TLS handshake failed: unsupported protocol");
}

TEST(TlsTransport, refuses_a_client_that_came_for_another_protocol) {  // RFC 7301 3.2
  const TlsContext context = load(ecdsa_file());
  const auto offer = [](std::string names) {
    return make_client(TLS1_3_VERSION, [names](SSL_CTX* client) {
      const auto* const octets = reinterpret_cast<const unsigned char*>(names.data());
      SSL_CTX_set_alpn_protos(client, octets, static_cast<unsigned>(names.size()));
    });
  };
  EXPECT_TRUE(Meeting(context, offer("\x04smtp")).accepted);
  EXPECT_TRUE(Meeting(context, offer("\x08http/1.1\x04smtp")).accepted);
  const Meeting strayed(context, offer("\x02h2\x08http/1.1"));
  ASSERT_FALSE(strayed.accepted);
  EXPECT_EQ(strayed.accepted.error().reason, "the TLS handshake failed: no application protocol");
}

TEST(TlsTransport, refuses_renegotiation_by_the_client) {
  const TlsContext context = load(ecdsa_file());
  Meeting meeting(context, make_client(TLS1_2_VERSION), {.handshake = 5s, .session = 200ms});
  ASSERT_TRUE(meeting.accepted);
  std::thread server([&] { EXPECT_EQ(read_once(meeting.server()), ""); });
  EXPECT_EQ(SSL_renegotiate(meeting.client.get()), 1);
  EXPECT_NE(SSL_do_handshake(meeting.client.get()), 1);
  server.join();
}

// The reply to a client that has said `octets` and then nothing, and how the server sees it.
struct Outcome {
  HandshakeFailure failure;
  std::string told;
  milliseconds took{};
};

Outcome try_with(std::string_view octets, bool hangs_up) {
  const TlsContext context = load(ecdsa_file());
  Ends ends;
  EXPECT_EQ(::write(ends.theirs, octets.data(), octets.size()), static_cast<ssize_t>(octets.size()));
  if (hangs_up) ::shutdown(ends.theirs, SHUT_WR);
  const auto begin = steady_clock::now();
  auto accepted = TlsTransport::accept(context, {ends.ours, ends.ours}, {.handshake = 100ms, .session = 5s});
  Outcome outcome;
  outcome.took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
  EXPECT_FALSE(accepted);
  if (!accepted) outcome.failure = accepted.error();
  ::shutdown(ends.ours, SHUT_RDWR);
  std::array<char, 4096> into{};
  const ssize_t got = ::read(ends.theirs, into.data(), into.size());
  outcome.told.assign(into.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return outcome;
}

constexpr std::string_view begun_hello("\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", 11);

TEST(TlsTransport, plaintext_after_220_gets_no_reply) {  // RFC 3207 4.2
  for (const bool hangs_up : {false, true}) {
    const Outcome outcome = try_with("EHLO client.example\r\nMAIL FROM:<>\r\n", hangs_up);
    EXPECT_EQ(outcome.failure.io, Io::closed);
    EXPECT_EQ(outcome.failure.reason, "the TLS handshake failed: wrong version number");
    EXPECT_LT(outcome.took, 100ms);
    EXPECT_TRUE(outcome.told.empty() || outcome.told.starts_with('\x15')) << "at most an alert record";
  }
}

TEST(TlsTransport, garbage_is_refused_at_once) {
  const Outcome outcome = try_with(std::string(1000, '\xFF'), false);
  EXPECT_EQ(outcome.failure.io, Io::closed);
  EXPECT_LT(outcome.took, 100ms);
}

TEST(TlsTransport, the_end_of_file_ends_a_handshake_at_once) {
  for (const std::string_view octets : {std::string_view{}, begun_hello.substr(0, 3), begun_hello}) {
    const Outcome outcome = try_with(octets, true);
    EXPECT_EQ(outcome.failure.io, Io::closed);
    EXPECT_EQ(outcome.failure.reason, "the client closed the connection during the TLS handshake");
    EXPECT_LT(outcome.took, 100ms);
  }
}

TEST(TlsTransport, silence_ends_a_handshake) {  // D16
  for (const std::string_view octets : {std::string_view{}, begun_hello}) {
    const Outcome outcome = try_with(octets, false);
    EXPECT_EQ(outcome.failure.io, Io::timed_out);
    EXPECT_GE(outcome.took, 100ms);
    EXPECT_LT(outcome.took, 2s);
  }
}

TEST(TlsTransport, an_octet_now_and_then_does_not_prolong_a_handshake) {
  const TlsContext context = load(ecdsa_file());
  Ends ends;
  std::atomic<bool> is_over = false;
  std::thread dripping([&] {
    std::string octets(begun_hello);
    octets.resize(500, '\0');
    for (std::size_t i = 0; i < octets.size() && !is_over; ++i) {
      EXPECT_EQ(::write(ends.theirs, &octets[i], 1), 1);
      std::this_thread::sleep_for(10ms);
    }
  });
  const auto begin = steady_clock::now();
  const auto accepted = TlsTransport::accept(context, {ends.ours, ends.ours}, {.handshake = 150ms, .session = 5s});
  EXPECT_LT(steady_clock::now() - begin, 2s);
  is_over = true;
  dripping.join();
  ASSERT_FALSE(accepted);
  EXPECT_EQ(accepted.error().io, Io::timed_out);
}

TEST(TlsTransport, silence_inside_tls_times_out_and_the_client_can_still_be_told) {  // D16
  const TlsContext context = load(ecdsa_file());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Meeting meeting(context, make_client(version), {.handshake = 5s, .session = 50ms});
    ASSERT_TRUE(meeting.accepted);
    ASSERT_EQ(::write(meeting.ends.theirs, "\x17\x03\x03", 3), 3);  // the beginning of a record
    std::array<char, 16> into{};
    EXPECT_EQ(meeting.server().read(into).io, Io::timed_out);
    EXPECT_EQ(meeting.server().write("421 timeout (#4.4.2)\r\n"), Io::done);
    EXPECT_EQ(read_once(meeting.client), "421 timeout (#4.4.2)\r\n");
  }
}

TEST(TlsTransport, a_client_that_does_not_read_times_out) {
  const TlsContext context = load(ecdsa_file());
  Meeting meeting(context, make_client(TLS1_3_VERSION), {.handshake = 5s, .session = 50ms});
  ASSERT_TRUE(meeting.accepted);
  EXPECT_EQ(meeting.server().write(std::string(4 << 20, 'x')), Io::timed_out);
  EXPECT_EQ(meeting.server().write("more"), Io::closed) << "half a record has left: nothing may follow it";
  meeting.server().finish();
}

TEST(TlsTransport, the_end_is_the_end_with_close_notify_and_without) {
  const TlsContext context = load(ecdsa_file());
  for (const bool is_orderly : {false, true}) {
    Meeting meeting(context, make_client(TLS1_3_VERSION));
    ASSERT_TRUE(meeting.accepted);
    if (is_orderly) SSL_shutdown(meeting.client.get());
    ::shutdown(meeting.ends.theirs, SHUT_WR);
    std::array<char, 16> into{};
    for (int i = 0; i < 3; ++i) EXPECT_EQ(meeting.server().read(into).io, Io::closed);
    EXPECT_EQ(meeting.server().write("221\r\n"), is_orderly ? Io::done : Io::closed);
    meeting.server().finish();
  }
}

TEST(TlsTransport, a_damaged_record_is_the_end) {
  const TlsContext context = load(ecdsa_file());
  Meeting meeting(context, make_client(TLS1_3_VERSION));
  ASSERT_TRUE(meeting.accepted);
  const std::string record = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x');
  ASSERT_EQ(::write(meeting.ends.theirs, record.data(), record.size()), static_cast<ssize_t>(record.size()));
  std::array<char, 16> into{};
  EXPECT_EQ(meeting.server().read(into).io, Io::closed);
  EXPECT_EQ(meeting.server().write("x"), Io::closed);
  EXPECT_EQ(read_once(meeting.client), "");
}

TEST(TlsTransport, finishing_says_goodbye_and_waits_for_nobody) {
  const TlsContext context = load(ecdsa_file());
  Meeting meeting(context, make_client(TLS1_3_VERSION));
  ASSERT_TRUE(meeting.accepted);
  meeting.server().finish();
  EXPECT_EQ(meeting.server().write("x"), Io::closed);
  char octet = 0;
  EXPECT_LE(SSL_read(meeting.client.get(), &octet, 1), 0);
  EXPECT_EQ(SSL_get_shutdown(meeting.client.get()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

TEST(TlsTransport, decrypted_octets_are_not_forgotten) {
  const TlsContext context = load(ecdsa_file());
  Meeting meeting(context, make_client(TLS1_3_VERSION));
  ASSERT_TRUE(meeting.accepted);
  EXPECT_FALSE(meeting.server().has_unread());
  send(meeting.client, "RSET\r\nNOOP\r\n");
  std::array<char, 6> into{};
  EXPECT_EQ(meeting.server().read(into).octets, 6U);
  EXPECT_TRUE(meeting.server().has_unread());
  EXPECT_EQ(read_once(meeting.server()), "NOOP\r\n");
  EXPECT_FALSE(meeting.server().has_unread());
}

TEST(TlsTransport, carries_a_long_message) {
  const TlsContext context = load(ecdsa_file());
  Meeting meeting(context, make_client(TLS1_3_VERSION));
  ASSERT_TRUE(meeting.accepted);
  std::string message;
  for (int i = 0; message.size() < 1'000'000; ++i) message += std::to_string(i) + "\r\n";
  std::thread sender([&] { send(meeting.client, message); });
  std::string received;
  while (received.size() < message.size()) {
    const std::string part = read_once(meeting.server());
    if (part.empty()) break;
    received += part;
  }
  sender.join();
  EXPECT_TRUE(received == message);
}

}  // namespace
