// Which files this process may reach, and which TCP ports: Landlock, by its three system calls.
// in      SandboxPaths: folders (what is in them counts, also what comes later) and files. A file that is replaced by renaming is
//         another file: name its folder. What does not exist, or this user may not reach, is left out, but a
//         writable one must exist
// out     the ABI that is in force, 0 when the kernel has none that serves us. /proc/self is always readable
// abi     1 could not link a new message into its folder and is not used; 3 holds for truncation, 4 for ports, 5 for
//         devices, 6 for signals
// when    after the drop of privileges, before the first thread: it holds for this thread and those it starts.
//         NO_NEW_PRIVS must be set
// errors  a sentence with place and remedy; the process is as before
// source  landlock(7), the kernel's userspace-api/landlock.rst
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/child.hpp"

namespace postern::server {

struct SandboxPaths {
  std::vector<std::string> writable;       // folders: read, write, make and remove files in them; with LMTP also TMPDIR
  std::vector<std::string> readable;       // folders and files
  std::vector<std::uint16_t> tcp_connect;  // ports of any host; no others
  std::vector<std::uint16_t> tcp_bind;
};

// What the C library and OpenSSL read of the system: resolver, certificates, time zones.
[[nodiscard]] std::vector<std::string> system_folders();

struct Landlock {
  int abi = 0;
  // Keeps the kernel from forgetting /proc/self, to which the rule is bound. Hold it as long as the process runs.
  base::Descriptor own_process;
};

[[nodiscard]] int landlock_abi();  // of the kernel
[[nodiscard]] std::expected<Landlock, std::string> restrict_reach(const SandboxPaths& reach);

}  // namespace postern::server
