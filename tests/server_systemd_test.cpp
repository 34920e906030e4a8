#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "server/sandbox/privileges.hpp"
#include "server/systemd.hpp"
#include "tests/in_a_child.hpp"

namespace postern::server {
namespace {

using namespace std::chrono_literals;
using tests::in_a_child;

const char* from_environment(const char* name) { return ::getenv(name); }

class Systemd : public ::testing::Test {
 protected:
  void SetUp() override { forget_systemd_variables(); }
  void TearDown() override { forget_systemd_variables(); }
};

// A listening socket of the loopback interface, as descriptor `number`. Only in a child: 3 may be in use here.
bool listen_as(int number, int type = SOCK_STREAM) {
  const int made = ::socket(AF_INET, type, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  const void* octets = &address;
  if (::bind(made, static_cast<const sockaddr*>(octets), sizeof address) != 0) return false;
  if (type == SOCK_STREAM && ::listen(made, 5) != 0) return false;
  if (made == number) return true;
  return ::dup2(made, number) == number && ::close(made) == 0;
}

void say_sockets(const char* count, const char* names) {
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", count, 1);
  if (names != nullptr) ::setenv("LISTEN_FDNAMES", names, 1);
}

TEST_F(Systemd, without_variables_nothing_is_inherited_and_nothing_told) {
  EXPECT_TRUE(inherited_sockets(from_environment)->empty());
  EXPECT_FALSE(watchdog_patience(from_environment));
  Notifier notifier(from_environment);
  EXPECT_EQ(0, notifier.problem());
  EXPECT_EQ(0, notifier.ready());
}

TEST_F(Systemd, sockets_come_with_their_names_and_out_of_the_way) {
  EXPECT_EQ(0, in_a_child([] {
              if (!listen_as(4) || !listen_as(3)) return 1;
              say_sockets("2", "smtp:submissions");
              const auto sockets = inherited_sockets(from_environment);
              if (!sockets || sockets->size() != 2) return 2;
              if ((*sockets)[0].name != "smtp" || (*sockets)[1].name != "submissions") return 3;
              for (const InheritedSocket& inherited : *sockets) {
                if (inherited.socket.number() < 10) return 4;
                if (::fcntl(inherited.socket.number(), F_GETFD) != FD_CLOEXEC) return 5;
              }
              return ::fcntl(3, F_GETFD) < 0 && ::fcntl(4, F_GETFD) < 0 ? 0 : 6;
            }));
}

TEST_F(Systemd, a_socket_without_a_name_is_unknown) {
  EXPECT_EQ(0, in_a_child([] {
              if (!listen_as(4) || !listen_as(3)) return 1;
              say_sockets("2", ":");
              const auto sockets = inherited_sockets(from_environment);
              return sockets && (*sockets)[0].name == "unknown" && (*sockets)[1].name == "unknown" ? 0 : 2;
            }));
}

TEST_F(Systemd, sockets_of_another_process_are_left_alone) {
  EXPECT_EQ(0, in_a_child([] {
              if (!listen_as(3)) return 1;
              say_sockets("1", "smtp");
              ::setenv("LISTEN_PID", std::to_string(::getppid()).c_str(), 1);
              const auto sockets = inherited_sockets(from_environment);
              return sockets && sockets->empty() && ::fcntl(3, F_GETFD) >= 0 ? 0 : 2;
            }));
}

TEST_F(Systemd, what_does_not_listen_is_refused) {
  EXPECT_EQ(0, in_a_child([] {
              if (!listen_as(3, SOCK_DGRAM)) return 1;
              say_sockets("1", "smtp");
              const auto sockets = inherited_sockets(from_environment);
              return !sockets && sockets.error().starts_with("socket 3 (smtp) of systemd is no listening stream") ? 0
                                                                                                                  : 2;
            }));
  EXPECT_EQ(0, in_a_child([] {
              ::close(3);
              say_sockets("1", "smtp");
              return inherited_sockets(from_environment) ? 1 : 0;
            }));
}

TEST_F(Systemd, numbers_are_numbers) {
  for (const char* count : {"", "x", "-1", "65", "1 "}) {
    say_sockets(count, nullptr);
    EXPECT_FALSE(inherited_sockets(from_environment)) << count;
  }
}

TEST_F(Systemd, the_watchdog_has_a_patience) {
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(30s, watchdog_patience(from_environment));
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_FALSE(watchdog_patience(from_environment));
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(30s, watchdog_patience(from_environment));
  ::setenv("WATCHDOG_USEC", "0", 1);
  EXPECT_FALSE(watchdog_patience(from_environment));
}

// The other end of NOTIFY_SOCKET.
class Manager {
 public:
  explicit Manager(const std::string& name) : name_(name), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    const bool is_abstract = name[0] == '@';
    if (is_abstract) address.sun_path[0] = '\0';
    const void* octets = &address;
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1));
    EXPECT_EQ(0, ::bind(socket_, static_cast<const sockaddr*>(octets), size));
    timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  Manager(const Manager&) = delete;
  ~Manager() {
    ::close(socket_);
    ::unlink(name_.c_str());
  }
  [[nodiscard]] std::string heard() const {
    char room[512];
    const ssize_t got = ::recv(socket_, room, sizeof room, 0);
    return got < 0 ? "nothing" : std::string(room, static_cast<std::size_t>(got));
  }

 private:
  std::string name_;
  int socket_;
};

TEST_F(Systemd, notices_arrive_at_a_path_and_at_an_abstract_name) {
  const std::string unique = "postern-notify-" + std::to_string(::getpid());
  for (const std::string& name : {::testing::TempDir() + unique, "@" + unique}) {
    const Manager manager(name);
    Notifier notifier(from_environment);
    EXPECT_EQ(0, notifier.problem());
    EXPECT_EQ(0, notifier.ready());
    EXPECT_EQ("READY=1", manager.heard());
    EXPECT_EQ(0, notifier.stopping());
    EXPECT_EQ("STOPPING=1", manager.heard());
    EXPECT_EQ(0, notifier.watchdog());
    EXPECT_EQ("WATCHDOG=1", manager.heard());
    EXPECT_EQ(0, notifier.status("3 sessions\nREADY=1"));
    EXPECT_EQ("STATUS=3 sessions READY=1", manager.heard());
  }
}

TEST_F(Systemd, a_reload_tells_when_it_began) {
  const Manager manager("@postern-reload-" + std::to_string(::getpid()));
  timespec before{};
  ::clock_gettime(CLOCK_MONOTONIC, &before);
  EXPECT_EQ(0, Notifier(from_environment).reloading());
  const std::string heard = manager.heard();
  const std::string start = "RELOADING=1\nMONOTONIC_USEC=";
  ASSERT_TRUE(heard.starts_with(start)) << heard;
  const long long told = std::stoll(heard.substr(start.size()));
  EXPECT_GE(told, before.tv_sec * 1'000'000LL + before.tv_nsec / 1000);
  EXPECT_LE(told, (before.tv_sec + 60) * 1'000'000LL);
}

TEST_F(Systemd, notices_leave_a_new_root) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can change its root";
  const Manager manager(::testing::TempDir() + "postern-chroot-" + std::to_string(::getpid()));
  EXPECT_EQ(0, in_a_child([] {
              Notifier notifier(from_environment);
              if (!change_root("/proc/self/fdinfo")) return 1;
              return notifier.ready();
            }));
  EXPECT_EQ("READY=1", manager.heard());
}

TEST_F(Systemd, a_manager_that_is_not_there_is_told) {
  for (const auto& [name, error] : {std::pair{"/no/such/socket", ENOENT}, std::pair{"relative", EAFNOSUPPORT},
                                    std::pair{"vsock:2:1", EAFNOSUPPORT}, std::pair{"@", EAFNOSUPPORT}}) {
    ::setenv("NOTIFY_SOCKET", name, 1);
    Notifier notifier(from_environment);
    EXPECT_EQ(error, notifier.problem()) << name;
    EXPECT_EQ(error, notifier.ready()) << name;
  }
  ::setenv("NOTIFY_SOCKET", ("/" + std::string(200, 'x')).c_str(), 1);
  EXPECT_EQ(EAFNOSUPPORT, Notifier(from_environment).problem());
}

TEST_F(Systemd, a_manager_that_went_away_does_no_harm) {
  std::string name = "@postern-gone-" + std::to_string(::getpid());
  ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  auto* manager = new Manager(name);
  Notifier notifier(from_environment);
  delete manager;
  EXPECT_EQ(ECONNREFUSED, notifier.ready());
}

TEST_F(Systemd, programs_that_we_run_do_not_see_the_variables) {
  say_sockets("1", "smtp");
  ::setenv("NOTIFY_SOCKET", "/x", 1);
  ::setenv("WATCHDOG_USEC", "1", 1);
  forget_systemd_variables();
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC"})
    EXPECT_EQ(nullptr, ::getenv(name)) << name;
}

}  // namespace
}  // namespace postern::server
