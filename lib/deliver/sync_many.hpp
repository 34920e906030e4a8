// Syncs several files or folders at once, as fsync(2) syncs each: the journal then carries them in one commit, where one
// fsync after another waits for the disk each time, even when nothing is left to write.
// in      descriptors open for anything
// out     errno of each, in their order, 0: it is on the disk
// how     one io_submit(2) and one io_getevents(2), by system call: no library. Where the kernel refuses (no such call,
//         a filter, a bound): fsync(2), one after another
// lives   belongs to one thread, and waits until all are done
// source  fsync(2), io_submit(2)
#pragma once

#include <linux/aio_abi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace postern::deliver {

class SyncMany {
 public:
  enum class Way : std::uint8_t {
    together,
    in_turn,  // for a process that soon ends: making and ending a context for io_submit costs more than a few waits
  };

  explicit SyncMany(Way way) : way_(way) {}
  SyncMany(const SyncMany&) = delete;
  SyncMany& operator=(const SyncMany&) = delete;
  ~SyncMany() { close(); }

  [[nodiscard]] std::vector<int> sync(std::span<const int> descriptors);

 private:
  [[nodiscard]] bool goes_together(std::size_t count);
  void sync_together(std::span<const int> descriptors, std::span<int> errors);
  [[nodiscard]] std::size_t submit(std::span<const int> descriptors);
  void collect(std::size_t count, std::span<int> errors);
  void close();

  aio_context_t context_ = 0;  // 0: none yet
  Way way_;                    // in_turn also after a refusal
};

}  // namespace postern::deliver
