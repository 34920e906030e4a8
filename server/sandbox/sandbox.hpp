// Shuts the process in after its start, and proves that it is.
// strict  no program is run: PR_SET_NO_NEW_PRIVS, Landlock, the strict filter. After the drop of privileges
// open    queue or check programs are run: the open filter only, because what they need cannot be known. Before the drop
// out     Sandbox: what is in force in one sentence, `seccomp strict, Landlock ABI 7`, and warnings of what this kernel or
//         these privileges did not allow. Hold it as long as the process runs
// errors  a sentence: something that the kernel says is in force does not hold (a forbidden call or file was tried at once),
//         or a folder cannot be had. Then the process should end
// when    both before the first thread
// source  docs/decisions/0007, syscall_filter.hpp, landlock.hpp
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "server/sandbox/landlock.hpp"
#include "server/sandbox/syscall_filter.hpp"

namespace postern::server {

struct Sandbox {
  std::string in_force;
  std::vector<std::string> warnings;
  Landlock landlock;
};

[[nodiscard]] std::expected<Sandbox, std::string> enter_strict_sandbox(const SandboxPaths& reach);
[[nodiscard]] std::expected<Sandbox, std::string> enter_open_sandbox();

}  // namespace postern::server
