// The clear transport over sockets, pipes and files; the way to the TLS sibling; what a TLS front end leaves.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "daemon/plain_transport.hpp"
#include "tls/sibling.hpp"
#include "tls/upstream.hpp"

namespace {
using namespace postern::daemon;
using namespace postern::tls;
using namespace std::chrono_literals;

struct Ends {
  int ours = -1;
  int theirs = -1;
  ~Ends() {
    if (ours >= 0) ::close(ours);
    if (theirs >= 0) ::close(theirs);
  }
};

void open_pair(Ends& ends) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  ends.ours = fds[0];
  ends.theirs = fds[1];
}

void open_pipe(Ends& ends) {  // written by us
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  ends.ours = fds[1];
  ends.theirs = fds[0];
}

void open_tcp(Ends& ends) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t octets = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener, generic, octets), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, generic, &octets), 0);
  ends.theirs = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::connect(ends.theirs, generic, octets), 0);
  ends.ours = ::accept(listener, nullptr, nullptr);
  ASSERT_GE(ends.ours, 0);
  ::close(listener);
}

std::string read_once(Transport& transport) {
  std::array<char, 4096> into{};
  const ReadResult got = transport.read(into);
  EXPECT_EQ(got.io == Io::done, got.octets > 0);
  return {into.data(), got.octets};
}

std::string read_to_the_end(int fd) {
  std::string all;
  std::array<char, 65536> into{};
  for (ssize_t got = 0; (got = ::read(fd, into.data(), into.size())) > 0;)
    all.append(into.data(), static_cast<std::size_t>(got));
  return all;
}

TEST(PlainTransport, a_read_gives_what_is_there_and_then_the_end) {
  Ends ends;
  open_pair(ends);
  PlainTransport transport(ends.ours, ends.ours, 1s);
  ASSERT_EQ(::write(ends.theirs, "QUIT\r\n", 6), 6);
  EXPECT_EQ(read_once(transport), "QUIT\r\n");
  ::shutdown(ends.theirs, SHUT_WR);
  std::array<char, 16> into{};
  EXPECT_EQ(transport.read(into).io, Io::closed);
  EXPECT_EQ(transport.write("221\r\n"), Io::done);  // a client that has finished still receives the answer
}

TEST(PlainTransport, silence_times_out_and_the_client_can_still_be_told) {  // RFC 5321 4.5.3.2; D16
  for (const int flags : {0, O_NONBLOCK}) {
    Ends ends;
    open_pair(ends);
    ASSERT_EQ(::fcntl(ends.ours, F_SETFL, flags), 0);
    PlainTransport transport(ends.ours, ends.ours, 30ms);
    std::array<char, 16> into{};
    EXPECT_EQ(transport.read(into).io, Io::timed_out);
    EXPECT_EQ(transport.write("421\r\n"), Io::done);
    EXPECT_EQ(::fcntl(ends.ours, F_GETFL) & O_NONBLOCK, flags);
  }
}

TEST(PlainTransport, a_client_that_does_not_read_times_out_on_a_blocking_descriptor_too) {
  for (const int flags : {0, O_NONBLOCK}) {
    for (const auto open : {open_pair, open_pipe}) {
      Ends ends;
      open(ends);
      ASSERT_EQ(::fcntl(ends.ours, F_SETFL, flags | ::fcntl(ends.ours, F_GETFL)), 0);
      PlainTransport transport(ends.ours, ends.ours, 30ms);
      EXPECT_EQ(transport.write(std::string(4 << 20, 'x')), Io::timed_out);
    }
  }
}

TEST(PlainTransport, all_octets_arrive_in_order_whatever_the_descriptor) {
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) text += std::to_string(i);
  for (const auto open : {open_pair, open_pipe, open_tcp}) {
    Ends ends;
    open(ends);
    std::string heard;
    std::thread listener([&] { heard = read_to_the_end(ends.theirs); });
    PlainTransport transport(ends.ours, ends.ours, 5s);
    EXPECT_EQ(transport.write(text), Io::done);
    ::close(std::exchange(ends.ours, -1));
    listener.join();
    EXPECT_TRUE(heard == text);
  }
}

TEST(PlainTransport, files_work_when_it_is_run_by_hand) {
  Ends ends;
  ends.theirs = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  char name[] = "/tmp/postern-transport-XXXXXX";
  ends.ours = ::mkstemp(name);
  ::unlink(name);
  PlainTransport transport(ends.theirs, ends.ours, 1s);
  std::array<char, 16> into{};
  EXPECT_EQ(transport.read(into).io, Io::closed);
  EXPECT_EQ(transport.write(std::string(10000, 'x')), Io::done);
  EXPECT_EQ(::lseek(ends.ours, 0, SEEK_END), 10000);
}

TEST(PlainTransport, a_closed_descriptor_and_a_client_that_is_gone_are_closed) {
  ::signal(SIGPIPE, SIG_IGN);
  std::array<char, 16> into{};
  PlainTransport nothing(999, 999, 1s);
  EXPECT_EQ(nothing.read(into).io, Io::closed);
  EXPECT_EQ(nothing.write("x"), Io::closed);
  for (const auto open : {open_pair, open_pipe}) {
    Ends ends;
    open(ends);
    ::close(std::exchange(ends.theirs, -1));
    PlainTransport transport(ends.ours, ends.ours, 1s);
    EXPECT_EQ(transport.write("x"), Io::closed);
  }
}

void do_nothing(int) {}

TEST(PlainTransport, a_signal_neither_ends_nor_prolongs_a_wait) {
  struct sigaction action{};
  action.sa_handler = do_nothing;
  ASSERT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
  Ends ends;
  open_pair(ends);
  PlainTransport transport(ends.ours, ends.ours, 60ms);
  const pthread_t self = ::pthread_self();
  std::thread nuisance([&] {
    for (int i = 0; i < 10; ++i) {
      std::this_thread::sleep_for(10ms);
      ::pthread_kill(self, SIGUSR1);
    }
  });
  const Patience generous(95ms);
  std::array<char, 16> into{};
  EXPECT_EQ(transport.read(into).io, Io::timed_out);
  EXPECT_GT(generous.left(), 0ms);
  nuisance.join();
}

TEST(PlainTransport, nagle_is_off_on_a_network_socket) {
  Ends ends;
  open_tcp(ends);
  const PlainTransport transport(ends.ours, ends.ours, 1s);
  int on = 0;
  socklen_t octets = sizeof on;
  ASSERT_EQ(::getsockopt(ends.ours, IPPROTO_TCP, TCP_NODELAY, &on, &octets), 0);
  EXPECT_NE(on, 0);
}

TEST(PlainTransport, has_no_tls_to_tell_of) {
  Ends ends;
  open_pair(ends);
  const PlainTransport transport(ends.ours, ends.ours, 1s);
  EXPECT_TRUE(transport.tls_version().empty());
  EXPECT_TRUE(transport.tls_cipher().empty());
  EXPECT_FALSE(transport.has_unread());
}

// A directory with a sibling in it that writes down its words.
struct House {
  std::string directory;
  House() {
    char pattern[] = "/tmp/postern-sibling-XXXXXX";
    directory = ::mkdtemp(pattern);
    const std::string sibling = directory + "/" + std::string(sibling_name);
    std::ofstream(sibling) << "#!/bin/sh\nfor word; do echo \"<$word>\"; done\n";
    ::chmod(sibling.c_str(), 0755);
  }
  ~House() { std::filesystem::remove_all(directory); }
};

std::string heard_from_sibling(const std::string& own_path) {
  Ends ends;
  open_pipe(ends);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends.ours, 1);
    if (::chdir("/") != 0) ::_exit(1);
    char first[] = "mx.example";
    char second[] = "/bin/checkpassword";
    char* const words[] = {first, second};
    ::_exit(TlsSibling(own_path, words).exec(TlsStart::starttls, "errors=3,auth=2"));
  }
  ::close(std::exchange(ends.ours, -1));
  std::string heard = read_to_the_end(ends.theirs);
  int status = 0;
  ::waitpid(child, &status, 0);
  return heard + "exit " + std::to_string(WEXITSTATUS(status));
}

const std::string all_words = "<starttls>\n<errors=3,auth=2>\n<mx.example>\n</bin/checkpassword>\nexit 0";

TEST(TlsSibling, runs_beside_us_with_the_words_in_their_order) {
  const House house;
  EXPECT_EQ(heard_from_sibling(house.directory + "/postern-smtpd"), all_words);
}

TEST(TlsSibling, is_found_through_a_symbolic_link_to_us) {
  const House house;
  const House elsewhere;
  ::unlink((elsewhere.directory + "/" + std::string(sibling_name)).c_str());
  const std::string link = elsewhere.directory + "/qmail-smtpd";
  std::ofstream(house.directory + "/postern-smtpd") << "x";
  ASSERT_EQ(::symlink((house.directory + "/postern-smtpd").c_str(), link.c_str()), 0);
  EXPECT_EQ(heard_from_sibling(link), all_words);
}

TEST(TlsSibling, its_absence_is_an_errno) {
  EXPECT_EQ(heard_from_sibling("/nowhere/postern-smtpd"), "exit " + std::to_string(ENOENT));
  EXPECT_EQ(heard_from_sibling(""), "exit " + std::to_string(ENOENT));
  const House house;
  ::chmod((house.directory + "/" + std::string(sibling_name)).c_str(), 0644);
  EXPECT_EQ(heard_from_sibling(house.directory + "/postern-smtpd"), "exit " + std::to_string(EACCES));
}

TEST(TlsSibling, our_own_path_is_absolute_and_exists) {
  const std::string path = remember_own_path();
  ASSERT_FALSE(path.empty());
  EXPECT_EQ(path.front(), '/');
  EXPECT_EQ(::access(path.c_str(), X_OK), 0) << path;
}

std::map<std::string, std::string, std::less<>>& variables() {
  static std::map<std::string, std::string, std::less<>> map;
  return map;
}

const char* environment(const char* name) {
  const auto found = variables().find(name);
  return found == variables().end() ? nullptr : found->second.c_str();
}

Upstream state_with(std::map<std::string, std::string, std::less<>> set, int fd) {
  variables() = std::move(set);
  return find_upstream_tls(environment, fd).state;
}

TEST(UpstreamTls, only_evidence_counts) {  // D9
  Ends network;
  open_tcp(network);
  EXPECT_EQ(state_with({}, network.ours), Upstream::silent);
  EXPECT_EQ(state_with({{"PROTO", "TCP"}, {"SSL", "1"}}, network.ours), Upstream::silent);
  EXPECT_EQ(state_with({{"PROTO", "SSL"}}, network.ours), Upstream::secured);
  EXPECT_EQ(state_with({{"PROTO", "SSL6"}}, network.ours), Upstream::secured);
  EXPECT_EQ(state_with({{"PROTO", "TLS"}}, network.ours), Upstream::secured);
  EXPECT_EQ(state_with({{"PROTO", "ssl"}}, network.ours), Upstream::silent);
  EXPECT_EQ(state_with({{"SSL_PROTOCOL", ""}}, network.ours), Upstream::silent);
  EXPECT_EQ(state_with({{"SSL_PROTOCOL", "TLSv1.3"}}, network.ours), Upstream::secured);
}

TEST(UpstreamTls, tells_version_and_cipher_when_it_knows_them) {
  variables() = {{"SSL_PROTOCOL", "TLSv1.2"}, {"SSL_CIPHER", "ECDHE-RSA-AES256-GCM-SHA384"}};
  const UpstreamTls found = find_upstream_tls(environment);
  EXPECT_EQ(found.version, "TLSv1.2");
  EXPECT_EQ(found.cipher, "ECDHE-RSA-AES256-GCM-SHA384");
}

std::map<std::string, std::string, std::less<>> offer(int control, int read, int write) {
  return {{"SSLCTLFD", std::to_string(control)},
          {"SSLREADFD", std::to_string(read)},
          {"SSLWRITEFD", std::to_string(write)}};
}

TEST(UpstreamTls, a_standing_offer_is_no_evidence_even_when_proto_says_ssl) {  // sslserver -n
  Ends network;
  Ends front;
  open_tcp(network);
  open_pair(front);
  auto set = offer(front.ours, front.ours, front.ours);
  EXPECT_EQ(state_with(set, network.ours), Upstream::offers);
  set["PROTO"] = "SSL";
  EXPECT_EQ(state_with(set, network.ours), Upstream::offers);
  set = offer(front.ours, 990, 991);  // the two are not there, and what we read is the network itself
  set["PROTO"] = "SSL";
  EXPECT_EQ(state_with(set, network.ours), Upstream::silent);
}

TEST(UpstreamTls, an_offer_taken_by_the_front_end_itself_is_evidence) {  // sslserver -e without -n
  Ends front;
  open_pair(front);
  auto set = offer(front.ours, 990, 991);
  set["PROTO"] = "TCP";
  EXPECT_EQ(state_with(set, front.theirs), Upstream::secured);
  set["SSLCTLFD"] = "992";
  EXPECT_EQ(state_with(set, front.theirs), Upstream::silent);
}

TEST(UpstreamTls, numbers_are_plain_decimal_and_name_open_descriptors) {
  Ends front;
  open_pair(front);
  const std::string good = std::to_string(front.ours);
  for (const std::string& bad :
       {std::string(), "+" + good, " " + good, good + " ", "0" + good, good + "x", "-" + good, std::string("0"),
        std::string("1"), std::string("2"), std::string("992"), std::string("99999999999999999999")}) {
    for (const std::string name : {"SSLCTLFD", "SSLREADFD", "SSLWRITEFD"}) {
      auto set = offer(front.ours, front.ours, front.ours);
      set[name] = bad;
      EXPECT_EQ(state_with(set, front.theirs), Upstream::silent) << name << "=" << bad;
      EXPECT_FALSE(start_upstream_tls(environment, 998, 999));
    }
  }
}

TEST(UpstreamTls, the_front_end_is_asked_and_its_descriptors_take_the_place_of_the_network) {  // ucspi-tls(2)
  Ends control;
  Ends network;
  Ends inbound;
  Ends outbound;
  open_pair(control);
  open_pair(network);
  open_pipe(inbound);
  open_pipe(outbound);
  variables() = offer(control.ours, inbound.theirs, outbound.ours);
  const int write_fd = ::dup(network.ours);
  const auto started = start_upstream_tls(environment, network.ours, write_fd);
  ASSERT_TRUE(started) << started.error();

  char command = 0;
  ASSERT_EQ(::read(control.theirs, &command, 1), 1);
  EXPECT_EQ(command, 'y');
  PlainTransport transport(network.ours, write_fd, 1s);
  ASSERT_EQ(::write(inbound.ours, "EHLO", 4), 4);
  EXPECT_EQ(read_once(transport), "EHLO");
  EXPECT_EQ(transport.write("250"), Io::done);
  char reply[3];
  ASSERT_EQ(::read(outbound.theirs, reply, 3), 3);
  for (const int fd : {control.ours, inbound.theirs, outbound.ours}) EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
  ::close(write_fd);
}

TEST(UpstreamTls, a_dead_front_end_is_a_reason_for_the_log) {
  ::signal(SIGPIPE, SIG_IGN);
  Ends control;
  open_pair(control);
  ::close(std::exchange(control.theirs, -1));
  variables() = offer(control.ours, control.ours, control.ours);
  const auto started = start_upstream_tls(environment, 998, 999);
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().find("SSLCTLFD"), std::string::npos) << started.error();
}

}  // namespace
