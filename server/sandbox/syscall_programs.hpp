// The two filters of system calls as programs for the kernel. make_syscall_programs builds them with libseccomp when
// postern is built: a process that is short of memory would get a shorter filter from it, without an error, or none ever.
// in      the place of our own process number in `strict` is a constant that syscall_filter.cpp replaces
// lives   for ever
// source  seccomp(2), seccomp_export_bpf(3)
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>

namespace postern::server {

inline constexpr std::uint32_t place_of_own_process = 0x7f05716e;  // above every process number: PID_MAX_LIMIT is 2^22

[[nodiscard]] std::span<const sock_filter> strict_program();
[[nodiscard]] std::span<const sock_filter> open_program();

}  // namespace postern::server
