// Hands mail to a program in the place of qmail-queue, one run of it a message.
// in      the message on its descriptor 0; then, and only when the message is whole, the envelope on its descriptor 1
// out     exit code 0: accepted; any other: the row of spec/replies.toml; 82 and 88: the program's own words, when it
//         has any
// bounds  a program that neither reads nor ends is killed; what it writes on the error descriptor is read to its end
// errors  a program that cannot run counts as exit code 120; one that did not take all we wrote never counts as accepted
// needs   SIGPIPE ignored by the process: a program that ends early must not kill us
// source  qmail-queue(8); notqmail (text on 6), sagredo (text on 4, ERROR_FD), indimail (ERROR_FD=2)
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/child.hpp"
#include "base/child_text.hpp"
#include "deliver/outgoing_message.hpp"
#include "spec/limits.hpp"

namespace postern::deliver {

struct QueueProgramSettings {
  std::string path = "bin/qmail-queue";  // QMAILQUEUE; relative to the home, which is the current folder
  std::optional<int> error_descriptor;   // ERROR_FD, at least 2; absent: the text comes on 6 or on 4
  int standard_error = 2;                // of ours: what is its own, where ERROR_FD=2 does not say otherwise
  unsigned max_seconds = spec::max_queue_seconds;
  unsigned max_abandon_seconds = 10;  // to notice that no envelope comes, and to end
};

class QueueProgram final : public OutgoingMessage {
 public:
  // environment   of the program; outlives the QueueProgram
  QueueProgram(QueueProgramSettings settings, const base::Environment& environment)
      : settings_(std::move(settings)), environment_(environment) {}
  ~QueueProgram() override { abandon(); }

  std::string begin(MessageId id, std::string_view received, std::string_view reverse_path) override;
  void append(std::string_view octets) override;
  [[nodiscard]] Outcome finish(std::string_view octets, std::string_view envelope_octets) override;
  void abandon() override;

 private:
  enum class Trouble : std::uint8_t { none, no_pipe, not_executable, not_taken, overdue };

  [[nodiscard]] Trouble start();
  void send(const base::Descriptor& to, std::string_view octets);
  [[nodiscard]] Trouble wait_until_writable(const base::Descriptor& to, base::Deadline deadline);
  [[nodiscard]] base::WaitResult close_and_wait(unsigned seconds);
  [[nodiscard]] Outcome outcome_of(base::WaitResult ended, pid_t child) const;
  [[nodiscard]] Outcome custom_outcome(int exit_code) const;

  QueueProgramSettings settings_;
  const base::Environment& environment_;
  pid_t child_ = 0;  // 0: none runs
  Trouble trouble_ = Trouble::none;
  base::Descriptor message_, envelope_;
  base::ChildText errors_;
};

}  // namespace postern::deliver
