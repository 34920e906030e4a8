#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/aio_abi.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "deliver/maildir/maildir.hpp"
#include "observe/http_endpoint.hpp"
#include "observe/http_pages.hpp"
#include "server/sandbox/privileges.hpp"
#include "server/sandbox/sandbox.hpp"
#include "tests/in_a_child.hpp"

namespace postern::server {
namespace {

using tests::in_a_child;

constexpr int killed = 1000 + SIGSYS;

class Sandboxed : public ::testing::Test {
 protected:
  void SetUp() override {
    if (landlock_abi() < 2) GTEST_SKIP() << "this kernel has no Landlock that serves us";
    folder_ = ::testing::TempDir() + "postern-sandbox-XXXXXX";
    ASSERT_NE(nullptr, ::mkdtemp(folder_.data()));
    for (const char* name : {"/mail", "/home", "/other"}) ASSERT_EQ(0, ::mkdir((folder_ + name).c_str(), 0777));
    for (const char* name : {"/home/me", "/other/secret", "/one"}) std::ofstream(folder_ + name) << "x";
    reach_ = {.writable = {folder_ + "/mail"},
              .readable = {folder_ + "/home", folder_ + "/one"},
              .tcp_connect = {},
              .tcp_bind = {}};
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  // What `work` gives inside of the strict sandbox; 99: it could not be entered.
  template <typename Work>
  int inside(Work work) const {
    return in_a_child([&] {
      const auto sandbox = enter_strict_sandbox(reach_);
      return sandbox && sandbox->warnings.empty() ? work() : 99;
    });
  }
  [[nodiscard]] bool opens(const std::string& name, int flags = O_RDONLY) const {
    const int descriptor = ::open((folder_ + name).c_str(), flags | O_CLOEXEC, 0600);
    return descriptor >= 0 && ::close(descriptor) == 0;
  }

  std::string folder_;
  SandboxPaths reach_;
};

int error_of(long result) { return result == -1 ? errno : 0; }

TEST_F(Sandboxed, says_what_is_in_force) {
  const std::string expected = "seccomp strict, Landlock ABI " + std::to_string(landlock_abi());
  EXPECT_EQ(0, in_a_child([&] {
              const auto sandbox = enter_strict_sandbox(reach_);
              return sandbox && sandbox->in_force == expected ? 0 : 1;
            }));
}

TEST_F(Sandboxed, only_its_folders_are_left) {
  EXPECT_EQ(0, inside([&] {
              if (!opens("/home/me") || !opens("/one")) return 1;
              if (opens("/home/me", O_WRONLY) || opens("/home/new", O_WRONLY | O_CREAT)) return 2;
              if (opens("/other/secret") || errno != EACCES || opens("/other/new", O_WRONLY | O_CREAT)) return 3;
              if (!opens("/mail/new", O_RDWR | O_CREAT) || ::mkdir((folder_ + "/mail/a").c_str(), 0700) != 0) return 4;
              if (::rename((folder_ + "/mail/new").c_str(), (folder_ + "/other/new").c_str()) == 0) return 5;
              if (opens("/mail/../other/secret") || ::open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0) return 6;
              return ::open("/", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : 7;
            }));
}

TEST_F(Sandboxed, a_link_leads_nowhere_else) {
  ASSERT_EQ(0, ::symlink((folder_ + "/other/secret").c_str(), (folder_ + "/mail/link").c_str()));
  EXPECT_EQ(0, inside([&] { return opens("/mail/link") ? 1 : 0; }));
}

TEST_F(Sandboxed, a_message_is_delivered_durably) {
  EXPECT_EQ(0, inside([&] {
              deliver::MaildirRoot own_root(
                  {.root = folder_ + "/mail", .host = "mx.example", .default_domain = "mx.example"});
              deliver::Maildir maildir(own_root, deliver::Maildir::File::at_once);
              maildir.begin({}, "Received: x\n", "a@b.example");
              maildir.append("hello\n");
              using namespace std::string_view_literals;
              const auto outcome = maildir.finish({}, "Fa@b.example\0Tu@mx.example\0\0"sv);
              return outcome.result == deliver::Outcome::Result::accepted ? 0 : 1;
            }));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/mail/mx.example/u/new"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/mail/.tmp"));  // linked from /proc/self/fd, which stays in reach
}

TEST_F(Sandboxed, files_are_synced_together) {
  const auto sync = [this] {
    const int file = ::open((folder_ + "/mail").c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    aio_context_t context = 0;
    if (::syscall(SYS_io_setup, 4, &context) != 0) return 1;
    iocb request{};
    request.aio_lio_opcode = IOCB_CMD_FSYNC;
    request.aio_fildes = static_cast<std::uint32_t>(file);
    iocb* requests = &request;
    io_event event{};
    if (::sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE) != 0) return 2;
    if (::syscall(SYS_io_submit, context, 1, &requests) != 1) return 3;
    if (::syscall(SYS_io_getevents, context, 1, 1, &event, nullptr) != 1 || event.res != 0) return 4;
    return ::syscall(SYS_io_destroy, context) == 0 ? 0 : 5;
  };
  if (in_a_child(sync) != 0) GTEST_SKIP() << "not even outside of the sandbox";
  EXPECT_EQ(0, inside(sync));
}

TEST_F(Sandboxed, a_message_is_delivered_after_the_drop_of_privileges) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  ASSERT_EQ(0, ::chmod(folder_.c_str(), 0755));
  ASSERT_EQ(0, ::chmod((folder_ + "/mail").c_str(), 0777));
  EXPECT_EQ(0, in_a_child([&] {
              if (!drop_privileges(*look_up("54321:54322"))) return 1;
              const auto sandbox = enter_strict_sandbox(reach_);
              if (!sandbox) return 2;
              deliver::MaildirRoot own_root({.root = folder_ + "/mail", .host = "mx", .default_domain = "mx.example"});
              deliver::Maildir maildir(own_root, deliver::Maildir::File::at_once);
              maildir.begin({}, "Received: x\n", "a@b.example");
              using namespace std::string_view_literals;
              const auto outcome = maildir.finish({}, "Fa@b.example\0Tu@mx.example\0\0"sv);
              return outcome.result == deliver::Outcome::Result::accepted ? 0 : 3;
            }));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/mail/.tmp"));
}

TEST_F(Sandboxed, metrics_are_served_from_a_thread) {
  EXPECT_EQ(0, inside([] {
              const observe::ProcessFigures figures = observe::read_process_figures();
              if (!figures.open_descriptors || !figures.resident_octets || !figures.max_descriptors) return 1;
              return figures.cpu_time ? 0 : 2;
            }));
  reach_.tcp_bind = {0};
  EXPECT_EQ(0, inside([] {
              auto listening = observe::listen_for_http("127.0.0.1", 0);
              if (!listening) return 1;
              const observe::Metrics metrics(1, {});
              const std::atomic<observe::Phase> phase = observe::Phase::ready;
              observe::MonitoringPages pages(metrics, {.version = "1", .policy = "p"}, phase);
              observe::HttpEndpoint endpoint(std::move(*listening), pages);
              if (!endpoint.start()) return 2;
              endpoint.stop();
              return 0;
            }));
}

TEST_F(Sandboxed, no_program_is_run) {
  char name[] = "/bin/true";
  char* const arguments[] = {name, nullptr};
  EXPECT_EQ(killed, inside([&] { return ::execv(name, arguments); }));
  EXPECT_EQ(killed,
            inside([&] { return static_cast<int>(::syscall(SYS_execveat, AT_FDCWD, name, arguments, nullptr, 0)); }));
  EXPECT_EQ(0, inside([&] {
              pid_t pid = 0;
              return ::posix_spawn(&pid, name, nullptr, nullptr, arguments, nullptr) == ENOSYS ? 0 : 1;
            }));
}

TEST_F(Sandboxed, no_process_is_started) {
  EXPECT_EQ(ENOSYS, inside([] { return error_of(::fork()); }));
  EXPECT_EQ(ENOSYS, inside([] { return error_of(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }));
  EXPECT_EQ(ENOSYS, inside([] { return error_of(::syscall(SYS_clone3, nullptr, 0)); }));
  EXPECT_EQ(ENOSYS, inside([] { return error_of(::syscall(SYS_clone, CLONE_THREAD | CLONE_NEWUSER, 0, 0, 0, 0)); }));
}

TEST_F(Sandboxed, hostile_calls_end_the_process) {
  for (const long number : {SYS_ptrace, SYS_process_vm_readv, SYS_mount, SYS_unshare, SYS_setns, SYS_init_module,
                            SYS_kexec_load, SYS_reboot, SYS_pivot_root, SYS_settimeofday, SYS_open_by_handle_at})
    EXPECT_EQ(killed, inside([number] { return error_of(::syscall(number, 0, 0, 0, 0, 0, 0)); })) << number;
}

TEST_F(Sandboxed, unforeseen_calls_are_refused_and_nothing_worse) {
  for (const long number :
       {SYS_personality, SYS_io_uring_setup, SYS_keyctl, SYS_bpf, SYS_userfaultfd, SYS_perf_event_open, SYS_pidfd_open,
        SYS_setuid, SYS_chroot, SYS_symlink, SYS_chown, SYS_shmget, 9999})
    EXPECT_EQ(ENOSYS, inside([number] { return error_of(::syscall(number, 0, 0, 0, 0, 0, 0)); })) << number;
}

TEST_F(Sandboxed, sockets_are_of_three_families) {
  EXPECT_EQ(
      0, inside([] {
        for (const int family : {AF_UNIX, AF_INET, AF_INET6})
          if (const int made = ::socket(family, SOCK_STREAM, 0); made < 0 && errno != EAFNOSUPPORT) return 1;
        if (::socket(AF_UNIX, SOCK_STREAM, 0) < 0 || ::socket(AF_INET, SOCK_STREAM, 0) < 0) return 2;
        for (const int family : {AF_UNSPEC, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH, AF_KEY, 9999, -1})
          if (::socket(family, SOCK_RAW, 0) >= 0 || errno != EAFNOSUPPORT) return 3;
        return 0;
      }));
}

TEST_F(Sandboxed, no_memory_is_both_writable_and_executable) {
  EXPECT_EQ(0, inside([] {
              const auto mapped = [](int protection) {
                return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              };
              if (mapped(PROT_READ | PROT_WRITE | PROT_EXEC) != MAP_FAILED || errno != EACCES) return 1;
              void* page = mapped(PROT_READ | PROT_WRITE);
              if (page == MAP_FAILED || ::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 || errno != EACCES) return 2;
              return ::mprotect(page, 4096, PROT_READ) == 0 ? 0 : 3;
            }));
}

TEST_F(Sandboxed, threads_start_and_are_shut_in_too) {
  EXPECT_EQ(0, inside([&] {
              const auto work = [](void* secret) -> void* {
                const bool is_open = ::open(static_cast<const char*>(secret), O_RDONLY | O_CLOEXEC) >= 0;
                return is_open || ::fork() >= 0 ? secret : nullptr;
              };
              std::string secret = folder_ + "/other/secret";
              pthread_t thread{};
              void* found = nullptr;
              if (::pthread_create(&thread, nullptr, work, secret.data()) != 0) return 1;
              return ::pthread_join(thread, &found) == 0 && found == nullptr ? 0 : 2;
            }));
}

TEST_F(Sandboxed, a_thread_that_ran_before_is_filtered_too) {
  EXPECT_EQ(ENOSYS, in_a_child([&] {
              static int go[2];
              if (::pipe2(go, O_CLOEXEC) != 0) return 1;
              const auto work = [](void* error) -> void* {
                char octet = 0;
                if (::read(go[0], &octet, 1) == 1)
                  *static_cast<int*>(error) = error_of(::syscall(SYS_personality, 0xffffffff));
                return nullptr;
              };
              pthread_t thread{};
              int error = 0;
              if (::pthread_create(&thread, nullptr, work, &error) != 0) return 2;
              if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !load_filter(FilterKind::strict)) return 3;
              if (::write(go[1], "x", 1) != 1 || ::pthread_join(thread, nullptr) != 0) return 4;
              return error;
            }));
}

TEST_F(Sandboxed, limits_and_others_are_out_of_reach) {
  EXPECT_EQ(0, inside([] {
              rlimit limit{};
              if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
              if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return 2;
              if (::kill(::getppid(), 0) == 0) return 3;
              return ::kill(::getpid(), 0) == 0 ? 0 : 4;
            }));
}

TEST_F(Sandboxed, an_abort_is_an_abort) {
  EXPECT_EQ(1000 + SIGABRT, inside([]() -> int { ::abort(); }));
}

// Whether a connection to a listening port of ours succeeds inside, with these ports allowed.
int connects(const SandboxPaths& reach, std::uint16_t port) {
  return in_a_child([&] {
    if (!enter_strict_sandbox(reach)) return 99;
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    const void* octets = &address;
    return error_of(::connect(socket, static_cast<const sockaddr*>(octets), sizeof address));
  });
}

TEST_F(Sandboxed, only_its_ports_are_left) {
  if (landlock_abi() < 4) GTEST_SKIP() << "this kernel knows no rules for ports";
  const auto listening = observe::listen_for_http("127.0.0.1", 0);
  ASSERT_TRUE(listening);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  void* octets = &address;
  ASSERT_EQ(0, ::getsockname(listening->number(), static_cast<sockaddr*>(octets), &size));
  const std::uint16_t port = ntohs(address.sin_port);
  EXPECT_EQ(EACCES, connects(reach_, port));
  reach_.tcp_connect = {port};
  EXPECT_EQ(0, connects(reach_, port));
  EXPECT_EQ(0, inside([] { return observe::listen_for_http("127.0.0.1", 0) ? 1 : 0; }));
}

TEST_F(Sandboxed, what_is_missing_is_told_when_it_matters) {
  reach_.readable.push_back(folder_ + "/not-there");
  EXPECT_EQ(0, inside([] { return 0; }));
  reach_.writable.push_back(folder_ + "/not-there-either");
  EXPECT_EQ(0, in_a_child([&] {
              const auto sandbox = enter_strict_sandbox(reach_);
              return !sandbox && sandbox.error().ends_with("/not-there-either: No such file or directory") ? 0 : 1;
            }));
}

TEST_F(Sandboxed, all_system_folders_may_be_named) {
  reach_.readable = system_folders();
  EXPECT_EQ(0, inside([] { return ::open("/etc/nsswitch.conf", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1; }));
}

// The open profile.

int inside_open(int (*work)()) {
  return in_a_child([&] {
    const auto sandbox = enter_open_sandbox();
    return sandbox && sandbox->warnings.empty() ? work() : 99;
  });
}

class OpenSandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can load a filter and let set-user-id programs be";
  }
};

TEST_F(OpenSandbox, says_what_is_in_force) {
  EXPECT_EQ(0, in_a_child([] {
              const auto sandbox = enter_open_sandbox();
              return sandbox && sandbox->in_force == "seccomp open, Landlock off: programs are run" ? 0 : 1;
            }));
}

TEST_F(OpenSandbox, programs_run_and_their_children_too) {
  EXPECT_EQ(0, inside_open([] { return ::system("/bin/sh -c 'ls / | /bin/cat >/dev/null' && exit 0") == 0 ? 0 : 1; }));
}

TEST_F(OpenSandbox, a_set_user_id_program_keeps_its_right) {
  EXPECT_EQ(0, inside_open([] { return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); }));
  std::string program = ::testing::TempDir() + "postern-set-id-XXXXXX";
  const int made = ::mkstemp(program.data());
  ASSERT_GE(made, 0);
  ::close(made);
  std::filesystem::copy_file("/usr/bin/id", program, std::filesystem::copy_options::overwrite_existing);
  ASSERT_EQ(0, ::chmod(program.c_str(), 04755));
  const std::string command = "test \"$(" + program + " -u)\" = 0";
  const auto run = [&command] {
    if (!enter_open_sandbox() || !drop_privileges(*look_up("54321:54322"))) return 99;
    return ::system(command.c_str()) == 0 ? 0 : 1;
  };
  EXPECT_EQ(0, in_a_child(run));
  ::unlink(program.c_str());
}

TEST_F(OpenSandbox, hostile_calls_end_the_process) {
  EXPECT_EQ(killed, inside_open([] { return error_of(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }));
  EXPECT_EQ(killed, inside_open([] { return error_of(::unshare(CLONE_NEWUSER)); }));
  EXPECT_EQ(killed, inside_open([] { return error_of(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)); }));
  EXPECT_EQ(killed, inside_open([] { return error_of(::syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0)); }));
  EXPECT_EQ(killed, inside_open([] { return error_of(::syscall(SYS_mount, 0, 0, 0, 0, 0)); }));
}

TEST_F(OpenSandbox, what_libraries_try_is_unknown) {
  EXPECT_EQ(ENOSYS, inside_open([] { return error_of(::syscall(SYS_io_uring_setup, 0, 0)); }));
  EXPECT_EQ(ENOSYS, inside_open([] { return error_of(::syscall(SYS_keyctl, 0, 0, 0, 0, 0)); }));
  EXPECT_EQ(ENOSYS, inside_open([] { return error_of(::syscall(SYS_clone3, nullptr, 0)); }));
  EXPECT_EQ(ENOSYS, inside_open([] { return error_of(::syscall(SYS_bpf, 0, 0, 0)); }));
}

TEST_F(OpenSandbox, a_strict_one_may_follow) {
  EXPECT_EQ(0, in_a_child([] {
              if (!enter_open_sandbox()) return 1;
              const auto sandbox = enter_strict_sandbox({});
              return sandbox && sandbox->in_force.starts_with("seccomp strict") ? 0 : 2;
            }));
}

TEST_F(OpenSandbox, without_privileges_it_is_told_and_not_silently_replaced) {
  EXPECT_EQ(0, in_a_child([] {
              if (!drop_privileges(*look_up("54321:54322"))) return 1;
              const auto sandbox = enter_open_sandbox();
              if (!sandbox || sandbox->warnings.size() != 1) return 2;
              if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0) return 3;
              return sandbox->in_force.starts_with("seccomp off") ? 0 : 4;
            }));
}

}  // namespace
}  // namespace postern::server
