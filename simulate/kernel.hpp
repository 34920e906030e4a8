// Puts a simulated disk and a simulated wall clock in the place of the kernel's, for what is linked into this program.
// how     the linker gives each call of the table in CMakeLists.txt to kernel.cpp (--wrap); what is not of the simulated disk
//         goes on to the kernel
// lives   one disk at a time, for the whole program; one thread
#pragma once

#include <cstdint>

#include "simulate/disk.hpp"

namespace postern::simulate {

struct Kernel {
  Disk* disk = nullptr;
  std::int64_t wall_nanoseconds = 0;  // since 1970; jumps when it is set
};

[[nodiscard]] Kernel& kernel();

}  // namespace postern::simulate
