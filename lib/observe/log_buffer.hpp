// The log of many threads: lines are gathered and written by a thread of its own, so that a slow reader of the log (a pipe
// to multilog, say) makes no client wait.
// in      whole lines
// out     the same on a descriptor, in their order, within gather_milliseconds when the reader keeps up
// bounds  max_octets wait; lines beyond that are dropped, and a line says how many when there is room. At the end a
//         reader that takes nothing has end_milliseconds more
// memory  room for kept_octets is there from the start on, for what is to be said when there is no memory
// threads write() is anybody's; the destructor writes what is left
// errors  none reported: if the log cannot be written, there is no other place
// source  multilog(8): it may stop reading for as long as it likes
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/thread.hpp"
#include "observe/log.hpp"

namespace postern::observe {

class LogBuffer final : public LogOutput {
 public:
  static constexpr std::size_t max_octets = std::size_t{4} << 20U;
  static constexpr std::size_t kept_octets = std::size_t{64} << 10U;
  static constexpr unsigned gather_milliseconds = 20;
  static constexpr int end_milliseconds = 2000;

  explicit LogBuffer(int descriptor, LogForm form = LogForm::text) : descriptor_(descriptor), form_(form) {}
  LogBuffer(const LogBuffer&) = delete;
  LogBuffer& operator=(const LogBuffer&) = delete;
  ~LogBuffer() { stop(); }

  void start();  // before that, and without a thread to be had, lines are written at once
  void stop();
  void write(std::string_view line) override;

 private:
  void work();
  void write_out(std::string_view octets) const;
  void tell_dropped(std::uint64_t lines) const;
  [[nodiscard]] bool wait_for_room() const;

  int descriptor_;
  LogForm form_;
  std::mutex mutex_;
  std::condition_variable has_lines_;
  std::string lines_;          // under mutex_
  std::string leaving_;        // of the thread
  std::uint64_t dropped_ = 0;  // under mutex_
  bool is_running_ = false;    // under mutex_
  std::atomic<bool> is_ending_ = false;
  base::Thread thread_;
};

}  // namespace postern::observe
