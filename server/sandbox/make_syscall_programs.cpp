// Writes the two filters of system calls, built by libseccomp, as a source file:  make_syscall_programs OUT.cpp
// What each is for stands in server/sandbox/syscall_filter.hpp.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/sandbox/syscall_programs.hpp"

namespace postern::server {
namespace {

using Program = std::vector<sock_filter>;

[[noreturn]] void fail(std::string_view where, int error) {
  std::fprintf(stderr, "make_syscall_programs: %s: %s\n", std::string(where).c_str(), std::strerror(error));
  std::exit(1);
}

// Names that the library or the architecture does not know are skipped: then no program can call them by that name here.
constexpr std::string_view allowed_when_strict =
    // octets
    "read write readv writev pread64 pwrite64 preadv pwritev lseek close dup dup2 dup3 pipe pipe2 fcntl sendfile "
    // files
    "open openat stat lstat fstat newfstatat statx statfs fstatfs access faccessat faccessat2 readlink readlinkat "
    "getcwd "
    "chdir fchdir getdents64 mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat fchmod umask "
    "fsync fdatasync sync_file_range io_setup io_submit io_getevents io_pgetevents io_destroy ftruncate fallocate "
    "fadvise64 flock memfd_create "
    // waiting
    "poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2 timerfd_create "
    "timerfd_settime timerfd_gettime signalfd4 "
    // memory
    "munmap mremap madvise brk mlock munlock "
    // threads
    "futex set_robust_list get_robust_list rseq membarrier sched_yield sched_getaffinity sched_setaffinity getcpu "
    "gettid "
    "set_tid_address exit exit_group "
    // signals
    "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait rt_sigpending rt_sigsuspend sigaltstack restart_syscall "
    // time
    "clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times getrusage "
    // our identity and place
    "getpid getppid getuid geteuid getgid getegid getresuid getresgid getgroups capget uname sysinfo getrandom "
    "getrlimit "
    // sockets
    "connect bind listen accept accept4 getsockname getpeername setsockopt getsockopt sendto sendmsg sendmmsg recvfrom "
    "recvmsg recvmmsg shutdown ";

constexpr std::string_view never =
    "ptrace process_vm_readv process_vm_writev pidfd_getfd kexec_load kexec_file_load init_module finit_module "
    "delete_module mount umount2 pivot_root move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr unshare "
    "setns "
    "reboot swapon swapoff settimeofday clock_settime iopl ioperm acct quotactl quotactl_fd sethostname setdomainname "
    "open_by_handle_at ";

constexpr std::string_view never_when_strict = "execve execveat ";

constexpr std::string_view unknown_when_open =
    "io_uring_setup io_uring_enter io_uring_register userfaultfd perf_event_open bpf keyctl add_key request_key "
    "clone3 ";

constexpr std::uint64_t new_namespace =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

class Filter {
 public:
  explicit Filter(std::uint32_t otherwise) : context_(::seccomp_init(otherwise)) {
    if (context_ == nullptr) fail("seccomp_init", ENOMEM);
    set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary search instead of one comparison a call
  }

  void set(scmp_filter_attr attribute, std::uint32_t value) {
    check(::seccomp_attr_set(context_.get(), attribute, value), "seccomp_attr_set");
  }
  void add_architecture(std::uint32_t token) {
    const int result = ::seccomp_arch_add(context_.get(), token);
    if (result != -EEXIST) check(result, "seccomp_arch_add");
  }
  void add(std::uint32_t action, std::string_view name, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    const int number = ::seccomp_syscall_resolve_name(std::string(name).c_str());
    if (number == __NR_SCMP_ERROR) return;
    check(::seccomp_rule_add_array(context_.get(), action, number, static_cast<unsigned>(arguments.size()),
                                   arguments.begin()),
          name);
  }
  void add_all(std::uint32_t action, std::string_view names) {
    for (std::size_t end = 0; (end = names.find(' ')) != std::string_view::npos; names.remove_prefix(end + 1))
      add(action, names.substr(0, end));
  }
  [[nodiscard]] Program program() const {
    const int file = ::memfd_create("program", MFD_CLOEXEC);
    if (file < 0) fail("memfd_create", errno);
    check(::seccomp_export_bpf(context_.get(), file), "seccomp_export_bpf");
    Program program(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)) / sizeof(sock_filter));
    const std::size_t octets = program.size() * sizeof(sock_filter);
    if (::pread(file, program.data(), octets, 0) != static_cast<ssize_t>(octets)) fail("pread", errno);
    ::close(file);
    return program;
  }

 private:
  struct Release {
    void operator()(void* context) const { ::seccomp_release(context); }
  };
  static void check(int result, std::string_view where) {
    if (result < 0) fail(where, -result);
  }

  std::unique_ptr<void, Release> context_;
};

// Argument `index` is `value`; of its bits in `mask`.
scmp_arg_cmp is(unsigned index, std::uint64_t value) { return {index, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp is(unsigned index, std::uint64_t mask, std::uint64_t value) {
  return {index, SCMP_CMP_MASKED_EQ, mask, value};
}

void allow_threads(Filter& filter) {
  filter.add(SCMP_ACT_ALLOW, "clone", {is(0, CLONE_THREAD | new_namespace, CLONE_THREAD)});
}

void allow_memory(Filter& filter) {
  constexpr std::uint64_t both = PROT_WRITE | PROT_EXEC;
  for (const std::uint64_t protection : std::initializer_list<std::uint64_t>{0, PROT_WRITE, PROT_EXEC})
    filter.add(SCMP_ACT_ALLOW, "mmap", {is(2, both, protection)});
  filter.add(SCMP_ACT_ERRNO(EACCES), "mmap", {is(2, both, both)});
  for (const std::string_view name : {"mprotect", "pkey_mprotect"}) {
    filter.add(SCMP_ACT_ALLOW, name, {is(2, PROT_EXEC, 0)});
    filter.add(SCMP_ACT_ERRNO(EACCES), name, {is(2, PROT_EXEC, PROT_EXEC)});
  }
}

void allow_sockets(Filter& filter) {
  constexpr std::array<std::uint64_t, 3> families{AF_UNIX, AF_INET, AF_INET6};
  for (std::uint64_t family = 0; family <= families.back(); ++family) {
    const bool is_ours = std::ranges::find(families, family) != families.end();
    filter.add(is_ours ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", {is(0, family)});
  }
  filter.add(SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", {{0, SCMP_CMP_GT, families.back(), 0}});
  filter.add(SCMP_ACT_ALLOW, "socketpair", {is(0, AF_UNIX)});
}

void allow_with_conditions(Filter& filter) {
  for (const std::string_view name : {"kill", "tgkill"})  // abort(3)
    filter.add(SCMP_ACT_ALLOW, name, {is(0, place_of_own_process)});
  for (const std::uint64_t request : std::initializer_list<std::uint64_t>{TCGETS, FIONREAD, FIONBIO, FIOCLEX})
    filter.add(SCMP_ACT_ALLOW, "ioctl", {is(1, request)});
  constexpr std::uint64_t set_vma = 0x53564d41;  // glibc names its memory
  for (const std::uint64_t option :
       std::initializer_list<std::uint64_t>{PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_GET_NO_NEW_PRIVS, set_vma})
    filter.add(SCMP_ACT_ALLOW, "prctl", {is(0, option)});
  filter.add(SCMP_ACT_ALLOW, "prlimit64", {is(2, 0)});
  filter.add(SCMP_ACT_ERRNO(EPERM), "prlimit64", {{2, SCMP_CMP_NE, 0, 0}});
}

Program make_strict() {
  Filter filter(SCMP_ACT_ERRNO(ENOSYS));
  filter.add_all(SCMP_ACT_ALLOW, allowed_when_strict);
  filter.add_all(SCMP_ACT_KILL_PROCESS, never);
  filter.add_all(SCMP_ACT_KILL_PROCESS, never_when_strict);
  allow_threads(filter);
  allow_memory(filter);
  allow_sockets(filter);
  allow_with_conditions(filter);
  Program program = filter.program();
  if (std::ranges::find(program, place_of_own_process, &sock_filter::k) == program.end())
    fail("place_of_own_process", ENOENT);
  return program;
}

Program make_open() {
  Filter filter(SCMP_ACT_ALLOW);
#ifdef __x86_64__  // a child may be an old program of 32 bits; the list holds for it, too
  filter.add_architecture(SCMP_ARCH_X86);
  filter.add_architecture(SCMP_ARCH_X32);
#endif
  filter.add_all(SCMP_ACT_KILL_PROCESS, never);
  filter.add_all(SCMP_ACT_ERRNO(ENOSYS), unknown_when_open);
  for (std::uint64_t flag = 1; flag <= new_namespace; flag <<= 1U) {
    if ((flag & new_namespace) != 0) filter.add(SCMP_ACT_KILL_PROCESS, "clone", {is(0, flag, flag)});
  }
  return filter.program();
}

void write(std::ofstream& out, std::string_view name, const Program& program) {
  out << "const std::array<sock_filter, " << program.size() << "> " << name << "{{\n";
  for (const sock_filter& each : program)
    out << "    {" << each.code << ", " << unsigned{each.jt} << ", " << unsigned{each.jf} << ", " << each.k << "U},\n";
  out << "}};\n";
}

int run(const char* path) {
  std::ofstream out(path);
  out << "// Written by make_syscall_programs.\n#include \"server/sandbox/syscall_programs.hpp\"\n\n#include "
         "<array>\n\n"
         "namespace postern::server {\nnamespace {\n";
  write(out, "strict", make_strict());
  write(out, "open", make_open());
  out << "}  // namespace\n\n"
         "std::span<const sock_filter> strict_program() { return strict; }\n"
         "std::span<const sock_filter> open_program() { return open; }\n\n"
         "}  // namespace postern::server\n";
  out.close();
  return out ? 0 : 1;
}

}  // namespace
}  // namespace postern::server

int main(int argc, char** argv) { return argc == 2 ? postern::server::run(argv[1]) : 2; }
