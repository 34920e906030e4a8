// Which system calls this process and its children may make: two filters (syscall_programs.hpp).
// strict  an allow-list for a listener that runs no program. Not on it: `execve`, `ptrace`, mounts, modules and their
//         kind end the process at once: no library calls them by chance. Everything else unforeseen gets ENOSYS, and
//         the kernel's log a line: libraries know how to do without a new call, and a mail server that dies of a new libc
//         would do more harm than the call. Threads may start, processes not; no memory is both writable and executable;
//         sockets are of AF_UNIX, AF_INET and AF_INET6; limits can be read, not changed
// open    a deny-list for a listener that runs queue or check programs: what no child of a mail server needs. What a
//         program could use to look into others, to change the kernel or to hide ends it; what libraries merely try
//         (io_uring, keyrings, bpf, perf, userfaultfd, clone3) gets ENOSYS
// set-id  qmail-queue is set-user-id, and PR_SET_NO_NEW_PRIVS would take that away. Whether a program is set-id, or runs
//         one that is (a wrapper in QMAILQUEUE), cannot be known; so the open filter is always loaded without it. That
//         needs CAP_SYS_ADMIN: before the drop of privileges. The kernel asks for it so that no set-id program is fooled by a
//         call that fails silently; nothing on the list gives up a right, and what confines (unshare, mount) kills
// errors  errno; the process is as before
// when    before the first thread is best; threads that run already get the filter too (TSYNC)
// source  seccomp(2)
#pragma once

#include <cstdint>
#include <expected>

namespace postern::server {

enum class FilterKind : std::uint8_t { strict, open };

[[nodiscard]] std::expected<void, int> load_filter(FilterKind kind);

}  // namespace postern::server
