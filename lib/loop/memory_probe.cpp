#include "loop/memory_probe.hpp"

#include <sys/mman.h>

namespace postern::loop {

bool MemoryProbe::is_there(base::Time now) {
  if (now - looked_ < moment) return is_there_;
  looked_ = now;
  void* const room = ::mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  is_there_ = room != MAP_FAILED;
  if (is_there_) ::munmap(room, octets);
  return is_there_;
}

}  // namespace postern::loop
