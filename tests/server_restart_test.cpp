// What a reload cannot take, and what a sandbox does not reach.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "observe/http_endpoint.hpp"
#include "server/restart.hpp"
#include "server/sandbox/privileges.hpp"

namespace postern::server {
namespace {

using Names = std::vector<std::string>;

TEST(Restart, what_new_sessions_can_be_served_with_wants_none) {
  config::Configuration before, after;
  before.listeners.emplace_back();
  after.listeners.emplace_back();
  after.listeners[0].variables = {"SSL=1"};
  after.listeners[0].tcprules = "tcp.cdb";
  after.listeners[0].proxies = {base::Network(base::Address(), 8)};
  after.clients.sessions = 1;
  after.domains = {"example.org"};
  after.only_tls_1_3 = true;
  after.shutdown_seconds = 1;
  const WantsRestart names = wants_restart(before, after);
  EXPECT_EQ(names.kept, Names{});
  EXPECT_EQ(names.refused, Names{});
}

TEST(Restart, what_the_start_has_made_wants_one) {
  const config::Configuration before;
  config::Configuration after;
  after.home = "/";
  after.user = "postern";
  after.chroot = "/srv";
  after.loops = 2;
  after.checkers = 2;
  after.hand_overs = 2;
  after.is_sandboxed = false;
  after.log = config::LogFormat::json;
  after.metrics = base::Endpoint{};
  after.dns = "127.0.0.1";
  after.domains = {"example.org"};
  after.listeners.emplace_back();
  WantsRestart names = wants_restart(before, after);
  EXPECT_EQ(names.kept, (Names{"user", "dns", "loops", "checkers", "hand_overs", "sandbox", "log", "metrics"}));
  EXPECT_EQ(names.refused, (Names{"home", "chroot", "ip, port or socket of a [[listener]]"}));
  keep_what_serves(before, after);
  names = wants_restart(before, after);
  EXPECT_EQ(names.kept, Names{});
  EXPECT_EQ(names.refused, Names{"ip, port or socket of a [[listener]]"});
  EXPECT_EQ(after.domains, Names{"example.org"}) << "what it can take";
}

TEST(Restart, what_the_next_start_would_refuse_is_said_before) {
  const config::Configuration serving;
  config::Configuration next;
  next.loops = 7;
  EXPECT_EQ("", problem_of_next_start(serving, next, false));
  next.user = "nobody-of-that-name";
  const auto account = look_up(next.user);
  ASSERT_FALSE(account);
  EXPECT_EQ(account.error(), problem_of_next_start(serving, next, false));
  EXPECT_EQ("", problem_of_next_start(serving, next, true)) << "nobody can tell in a sandbox";
  EXPECT_EQ("", problem_of_next_start(next, next, false)) << "the start has judged it";
  next.user.clear();
  next.greylist_file = "/nowhere/greylist";
  for (const bool is_confined : {false, true})
    EXPECT_EQ("greylist_file /nowhere: there is no such folder: make it",
              problem_of_next_start(serving, next, is_confined));
  next.greylist_file.clear();

  const auto other = observe::listen_for_http("127.0.0.1", 0);
  ASSERT_TRUE(other);
  sockaddr_in name{};
  socklen_t octets = sizeof name;
  ASSERT_EQ(0, ::getsockname(other->number(), reinterpret_cast<sockaddr*>(&name), &octets));
  const auto loopback = base::parse_address("127.0.0.1");
  ASSERT_TRUE(loopback);
  next.metrics = base::Endpoint{.address = *loopback, .port = ntohs(name.sin_port)};
  EXPECT_TRUE(problem_of_next_start(serving, next, false).contains("Address already in use"));
  EXPECT_EQ("", problem_of_next_start(next, next, false));
}

TEST(Restart, a_listener_elsewhere_wants_one) {
  config::Configuration before, after;
  before.listeners.push_back({.place = {}, .at = {.address = {}, .port = 25}});
  after.listeners.push_back({.place = {}, .at = {.address = {}, .port = 26}});
  EXPECT_EQ(wants_restart(before, after).refused.size(), 1U);
  after.listeners[0] = before.listeners[0];
  after.listeners[0].socket_name = "smtp";
  EXPECT_EQ(wants_restart(before, after).refused.size(), 1U);
}

TEST(Restart, a_folder_holds_what_is_in_it) {
  const SandboxPaths entered{.writable = {"/mail"}, .readable = {".", "/etc/ssl"}, .tcp_connect = {24}, .tcp_bind = {}};
  const auto readable = [&](const std::string& path) {
    return beyond_reach(entered, {.writable = {}, .readable = {path}, .tcp_connect = {}, .tcp_bind = {}});
  };
  for (const char* path : {".", "control", "control/certs", "/etc/ssl", "/etc/ssl/private", "/mail"})
    EXPECT_EQ(readable(path), "") << path;
  for (const char* path : {"..", "control/../..", "/etc", "/etc/ssl2", "/etc/ssl/../x", "/"})
    EXPECT_EQ(readable(path), path) << path;
}

TEST(Restart, what_may_be_read_may_not_be_written) {
  const SandboxPaths entered{.writable = {"/mail"}, .readable = {"/etc"}, .tcp_connect = {24}, .tcp_bind = {}};
  const auto beyond = [&](std::vector<std::string> writable, std::vector<std::uint16_t> ports) {
    return beyond_reach(
        entered, {.writable = std::move(writable), .readable = {}, .tcp_connect = std::move(ports), .tcp_bind = {}});
  };
  EXPECT_EQ(beyond({"/mail", "/mail/a"}, {24}), "");
  EXPECT_EQ(beyond({"/etc"}, {}), "/etc");
  EXPECT_EQ(beyond({}, {24, 25}), "port 25");
}

}  // namespace
}  // namespace postern::server
