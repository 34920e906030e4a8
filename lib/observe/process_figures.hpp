// What the kernel says of this process.
// out     ProcessFigures; a figure that cannot be read is no value, and is then not shown
// errors  none reported
// cost    one folder and one line of /proc, three system calls
// source  proc(5); the names of prometheus.io/docs/instrumenting/writing_clientlibs
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace postern::observe {

struct ProcessFigures {
  std::optional<std::uint64_t> open_descriptors;
  std::optional<std::uint64_t> max_descriptors;
  std::optional<std::uint64_t> resident_octets;
  std::optional<std::chrono::nanoseconds> cpu_time;
  std::optional<std::uint64_t> started_seconds{};  // since 1970
};

[[nodiscard]] ProcessFigures read_process_figures();

}  // namespace postern::observe
