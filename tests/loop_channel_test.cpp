// RFC 3207 4, RFC 8446 6.1 (close_notify), RFC 5321 4.1.1.4; deviation D16: no call waits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "loop/channel.hpp"
#include "tests/tls_meeting.hpp"

namespace postern::loop {
namespace {

class Talking : public ::testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);  // as the listener does
    ::fcntl(ends_.ours, F_SETFL, O_NONBLOCK);
  }
  Transfer read() { return channel_.read(room_); }
  [[nodiscard]] std::string text(const Transfer& got) const { return {room_.data(), got.octets}; }
  void encrypt() {
    static const auto certificates = tls::Certificates::load(
        {.certificate_path = tls::ecdsa_file(), .ciphers = {}, .now_seconds = tls::now_seconds()}, {});
    ASSERT_TRUE(certificates);
    std::thread connecting([this] { EXPECT_EQ(1, SSL_connect(client_.get())); });
    ASSERT_TRUE(channel_.start_tls(**certificates));
    for (int i = 0; i < 5000 && channel_.handshake() == Progress::again; ++i) ::usleep(1000);
    connecting.join();
  }
  tls::Ends ends_;
  Channel channel_{base::Descriptor(::dup(ends_.ours))};
  tls::ClientContext context_ = tls::make_client(TLS1_3_VERSION);
  tls::Client client_ = tls::open_client(context_, ends_.theirs);
  std::array<char, 4096> room_{};
};

TEST_F(Talking, nothing_there_is_no_reason_to_wait) {
  EXPECT_EQ(Progress::again, read().progress);
  EXPECT_FALSE(channel_.has_input());
}

TEST_F(Talking, what_came_is_seen_without_being_taken) {
  ASSERT_EQ(4, ::send(ends_.theirs, "EHLO", 4, 0));
  EXPECT_TRUE(channel_.has_input());
  EXPECT_EQ("EHLO", text(read()));
  EXPECT_FALSE(channel_.has_input());
}

TEST_F(Talking, an_end_is_closed_for_reading_and_for_writing) {
  ends_.hang_up();
  EXPECT_EQ(Progress::closed, read().progress);
  EXPECT_EQ(Progress::closed, channel_.write("250 ok\r\n").progress);
}

TEST_F(Talking, who_reads_nothing_stops_writing_and_nothing_is_lost) {
  const std::string much(std::size_t{1} << 20U, 'x');
  std::size_t sent = 0;
  Transfer last{};
  while ((last = channel_.write(much)).progress == Progress::done) sent += last.octets;
  EXPECT_EQ(Progress::again, last.progress);
  std::size_t came = 0;
  std::array<char, 65536> room{};
  while (came < sent) came += static_cast<std::size_t>(::recv(ends_.theirs, room.data(), room.size(), 0));
  EXPECT_EQ(Progress::done, channel_.write("x").progress);
}

TEST_F(Talking, inside_tls_records_are_read_up_to_the_room_there_is) {
  encrypt();
  EXPECT_EQ("TLSv1.3", channel_.tls_version());
  EXPECT_EQ(Progress::again, read().progress);
  tls::send(client_, "NOOP\r\n");
  tls::send(client_, "QUIT\r\n");
  EXPECT_TRUE(channel_.has_input());
  EXPECT_EQ("NOOP\r\nQUIT\r\n", text(read()));
}

TEST_F(Talking, close_notify_behind_octets_is_an_end_in_hand) {
  encrypt();
  tls::send(client_, "QUIT\r\n");
  SSL_shutdown(client_.get());
  EXPECT_EQ("QUIT\r\n", text(read()));
  EXPECT_TRUE(channel_.has_end_in_hand());
  EXPECT_EQ(Progress::closed, read().progress);
}

TEST_F(Talking, an_end_without_close_notify_is_an_end) {
  encrypt();
  tls::send(client_, "QUIT\r\n");
  ends_.hang_up();
  EXPECT_EQ("QUIT\r\n", text(read()));
  EXPECT_EQ(Progress::closed, read().progress);
}

TEST_F(Talking, what_came_before_an_end_without_close_notify_is_answered) {
  encrypt();
  tls::send(client_, "QUIT\r\n");
  ::shutdown(ends_.theirs, SHUT_WR);
  EXPECT_EQ("QUIT\r\n", text(read()));
  EXPECT_EQ(Progress::closed, read().progress);
  ASSERT_EQ(Progress::done, channel_.write("221\r\n").progress);
  EXPECT_EQ("221\r\n", tls::read_once(client_));
}

TEST_F(Talking, what_emptied_the_socket_is_not_asked_for_more) {
  encrypt();
  EXPECT_FALSE(channel_.may_have_input());
  tls::send(client_, "NOOP\r\n");
  EXPECT_EQ("NOOP\r\n", text(read()));
  EXPECT_FALSE(channel_.may_have_input());
}

// epoll has said both at once and says nothing more: a part of a record, which no other follows, is not the last to be read.
TEST_F(Talking, an_end_that_is_known_is_read_behind_part_of_a_record) {
  encrypt();
  ASSERT_EQ(3, ::send(ends_.theirs, "\x17\x03\x03", 3, 0));
  ends_.hang_up();
  channel_.expect_end();
  EXPECT_EQ(Progress::closed, read().progress);
}

TEST_F(Talking, an_end_that_is_known_is_read_behind_part_of_a_handshake) {
  static const auto certificates = tls::Certificates::load(
      {.certificate_path = tls::ecdsa_file(), .ciphers = {}, .now_seconds = tls::now_seconds()}, {});
  ASSERT_TRUE(certificates);
  ASSERT_TRUE(channel_.start_tls(**certificates));
  ASSERT_EQ(3, ::send(ends_.theirs, "\x16\x03\x01", 3, 0));
  ends_.hang_up();
  channel_.expect_end();
  EXPECT_EQ(Progress::closed, channel_.handshake());
}

TEST_F(Talking, what_has_come_with_the_octets_may_be_read) {
  encrypt();
  tls::send(client_, "NOOP\r\n");
  std::array<char, 4> small{};
  EXPECT_EQ(Progress::done, channel_.read(small).progress);
  EXPECT_TRUE(channel_.may_have_input()) << "the rest of the record";
  EXPECT_EQ("\r\n", text(read()));
}

// More than OpenSSL's buffer holds, so that pieces of records stay in it between two reads.
TEST_F(Talking, nothing_of_many_records_is_left_behind) {
  encrypt();
  const std::string much = std::string(100'000, 'x') + "\r\n";
  std::thread sending([&] { tls::send(client_, much); });
  std::size_t came = 0;
  for (int i = 0; i < 5000 && came < much.size(); ++i) {
    const Transfer got = read();
    came += got.octets;
    if (got.progress == Progress::again) ::usleep(1000);
  }
  sending.join();
  EXPECT_EQ(much.size(), came);
  EXPECT_EQ(Progress::again, read().progress);
}

TEST_F(Talking, the_last_word_inside_tls_is_close_notify) {
  encrypt();
  ASSERT_EQ(Progress::done, channel_.write("221\r\n").progress);
  channel_.end_output();
  EXPECT_EQ("221\r\n", tls::read_once(client_));
  EXPECT_EQ("", tls::read_once(client_));
  EXPECT_EQ(SSL_RECEIVED_SHUTDOWN, SSL_get_shutdown(client_.get()) & SSL_RECEIVED_SHUTDOWN);
}

TEST_F(Talking, what_is_no_handshake_fails_with_a_sentence) {
  const auto certificates = tls::Certificates::load(
      {.certificate_path = tls::ecdsa_file(), .ciphers = {}, .now_seconds = tls::now_seconds()}, {});
  ASSERT_TRUE(certificates);
  ASSERT_EQ(14, ::send(ends_.theirs, "no TLS at all\n", 14, 0));
  ASSERT_TRUE(channel_.start_tls(**certificates));
  EXPECT_EQ(Progress::closed, channel_.handshake());
  EXPECT_TRUE(channel_.take_failure().starts_with("the TLS handshake failed: ")) << "says why";
}

TEST_F(Talking, who_leaves_during_the_handshake_is_told_of_as_that) {
  const auto certificates = tls::Certificates::load(
      {.certificate_path = tls::ecdsa_file(), .ciphers = {}, .now_seconds = tls::now_seconds()}, {});
  ASSERT_TRUE(certificates);
  ASSERT_TRUE(channel_.start_tls(**certificates));
  EXPECT_EQ(Progress::again, channel_.handshake());
  EXPECT_FALSE(channel_.wants_output());
  ends_.hang_up();
  EXPECT_EQ(Progress::closed, channel_.handshake());
  EXPECT_EQ("the client left during the TLS handshake", channel_.take_failure());
}

// tcp(7): MSG_MORE keeps it back, the end of the stream takes it along.
TEST(LastReply, leaves_with_the_end_of_the_stream) {
  const base::Descriptor door(::socket(AF_INET, SOCK_STREAM, 0)), peer(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  auto* const address = reinterpret_cast<sockaddr*>(&name);
  ASSERT_EQ(0, ::bind(door.number(), address, size));
  ASSERT_EQ(0, ::listen(door.number(), 1));
  ASSERT_EQ(0, ::getsockname(door.number(), address, &size));
  ASSERT_EQ(0, ::connect(peer.number(), address, size));
  Channel channel{base::Descriptor(::accept4(door.number(), nullptr, nullptr, SOCK_NONBLOCK))};
  ASSERT_EQ(Progress::done, channel.write("221 bye\r\n", Leave::with_the_end).progress);
  std::array<char, 64> room{};
  EXPECT_EQ(-1, ::recv(peer.number(), room.data(), room.size(), MSG_DONTWAIT)) << "it left at once";
  channel.end_output();
  EXPECT_EQ(9, ::recv(peer.number(), room.data(), room.size(), 0));
  EXPECT_EQ(0, ::recv(peer.number(), room.data(), room.size(), 0));
}

}  // namespace
}  // namespace postern::loop
