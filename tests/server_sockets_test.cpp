#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "server/sockets.hpp"

namespace postern::server {
namespace {

config::Configuration listening_on(std::vector<std::string> places) {
  config::Configuration settings;
  for (const std::string& place : places)
    settings.listeners.push_back({.place = place, .at = *base::parse_endpoint(place)});
  return settings;
}

int option(int socket, int level, int name) {
  int value = -1;
  socklen_t octets = sizeof value;
  ::getsockopt(socket, level, name, &value, &octets);
  return value;
}

InheritedSocket socket_of_systemd(const std::string& name) {
  base::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in any{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  EXPECT_EQ(0, ::bind(socket.number(), reinterpret_cast<const sockaddr*>(&any), sizeof any));
  EXPECT_EQ(0, ::listen(socket.number(), 1));
  return {.socket = std::move(socket), .name = name};
}

TEST(Sockets, port_0_becomes_one_port_for_all_loops) {
  const auto sockets = Sockets::bind(listening_on({"127.0.0.1:0", "127.0.0.1:0"}), 3, {});
  ASSERT_TRUE(sockets) << sockets.error();
  EXPECT_NE(0, sockets->at(0).port);
  EXPECT_NE(sockets->at(0).port, sockets->at(1).port);
  std::vector<int> all;
  for (unsigned loop = 0; loop < 3; ++loop) {
    const std::vector<int> row = sockets->row(loop);
    ASSERT_EQ(2U, row.size());
    all.insert(all.end(), row.begin(), row.end());
    sockaddr_in name{};
    socklen_t octets = sizeof name;
    ASSERT_EQ(0, ::getsockname(row[0], reinterpret_cast<sockaddr*>(&name), &octets));
    EXPECT_EQ(sockets->at(0).port, ntohs(name.sin_port));
  }
  std::ranges::sort(all);
  EXPECT_EQ(all.end(), std::ranges::adjacent_find(all)) << "each loop has its own";
}

// They begin to share the port only when the first of them listens already.
TEST(Sockets, clients_are_spread_over_the_loops) {
  const auto sockets = Sockets::bind(listening_on({"127.0.0.1:0"}), 2, {});
  ASSERT_TRUE(sockets) << sockets.error();
  const sockaddr_in at{.sin_family = AF_INET,
                       .sin_port = htons(sockets->at(0).port),
                       .sin_addr = {htonl(INADDR_LOOPBACK)},
                       .sin_zero = {}};
  std::vector<base::Descriptor> clients;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(0, ::connect(clients.back().number(), reinterpret_cast<const sockaddr*>(&at), sizeof at));
  }
  for (unsigned loop = 0; loop < 2; ++loop) {
    int accepted = 0;
    while (base::Descriptor(::accept4(sockets->row(loop).front(), nullptr, nullptr, SOCK_CLOEXEC)).is_open())
      ++accepted;
    EXPECT_GT(accepted, 10) << loop;
  }
}

TEST(Sockets, they_wait_for_nobody_and_are_nobody_else_s) {
  const auto sockets = Sockets::bind(listening_on({"127.0.0.1:0"}), 1, {});
  ASSERT_TRUE(sockets) << sockets.error();
  const int socket = sockets->row(0).front();
  EXPECT_NE(0, ::fcntl(socket, F_GETFL) & O_NONBLOCK);
  EXPECT_NE(0, ::fcntl(socket, F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(1, option(socket, IPPROTO_TCP, TCP_NODELAY));
  EXPECT_EQ(1, option(socket, SOL_SOCKET, SO_ACCEPTCONN));
}

TEST(Sockets, ipv6_leaves_ipv4_alone) {
  const auto sockets = Sockets::bind(listening_on({"[::1]:0"}), 1, {});
  if (!sockets) GTEST_SKIP() << sockets.error();
  EXPECT_EQ(1, option(sockets->row(0).front(), IPPROTO_IPV6, IPV6_V6ONLY));
}

TEST(Sockets, a_port_that_another_program_has_is_told_with_its_place) {
  const InheritedSocket taken = socket_of_systemd("taken");  // without SO_REUSEPORT
  sockaddr_in name{};
  socklen_t octets = sizeof name;
  ASSERT_EQ(0, ::getsockname(taken.socket.number(), reinterpret_cast<sockaddr*>(&name), &octets));
  const std::string at = "127.0.0.1:" + std::to_string(ntohs(name.sin_port));
  const auto sockets = Sockets::bind(listening_on({at}), 1, {});
  ASSERT_FALSE(sockets);
  EXPECT_EQ(at + ": cannot listen on " + at + ": Address already in use: process " + std::to_string(::getpid()) +
                " (server_test) has it; stop that, or choose another port",
            sockets.error());
}

TEST(Sockets, one_that_systemd_holds_is_found_by_its_name_and_serves_all_loops) {
  config::Configuration settings = listening_on({"127.0.0.1:1"});
  settings.listeners[0].socket_name = "smtp";
  std::vector<InheritedSocket> inherited;
  inherited.push_back(socket_of_systemd("other"));
  inherited.push_back(socket_of_systemd("smtp"));
  const int number = inherited[1].socket.number();
  const auto sockets = Sockets::bind(settings, 2, std::move(inherited));
  ASSERT_TRUE(sockets) << sockets.error();
  EXPECT_EQ(std::vector<int>{number}, sockets->row(0));
  EXPECT_EQ(std::vector<int>{number}, sockets->row(1));
  EXPECT_NE(0, ::fcntl(number, F_GETFL) & O_NONBLOCK);
}

TEST(Sockets, one_that_systemd_did_not_give_is_told) {
  config::Configuration settings = listening_on({"127.0.0.1:1"});
  settings.listeners[0].socket_name = "smtp";
  const auto sockets = Sockets::bind(settings, 1, {});
  ASSERT_FALSE(sockets);
  EXPECT_NE(std::string::npos, sockets.error().find("systemd gave no socket called \"smtp\"")) << sockets.error();
}

}  // namespace
}  // namespace postern::server
