// The first octets of what a child writes to a pipe: its own words for a reply.
// in      the reading end of the pipe, which does not block
// out     text() as it came; words() as a reply may have them: one line of printable ASCII, `?` for every other octet, without
//         the line ends at its end
// bounds  spec::max_verdict_octets are kept; what is more only makes room for the child to go on
// lives   the pipe is closed at its end, or by close()
// source  RFC 5321 4.2: reply text is printable; qmail-queue(8): custom text
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/child.hpp"
#include "spec/limits.hpp"

namespace postern::base {

class ChildText {
 public:
  ChildText() = default;
  explicit ChildText(Descriptor read_end) : pipe_(std::move(read_end)) {}

  [[nodiscard]] int number() const { return pipe_.number(); }
  // One read, so that a child that writes for ever cannot hold us here.
  void read();
  // To the end of the pipe, or to the end of the child: what it leaves running may hold the pipe for ever. False: the
  // deadline came first.
  [[nodiscard]] bool read_to_end(pid_t child, Deadline deadline);
  void close() { pipe_.close(); }

  [[nodiscard]] std::string_view text() const { return {text_.data(), octets_}; }
  [[nodiscard]] std::string words() const;

 private:
  Descriptor pipe_;
  std::array<char, spec::max_verdict_octets> text_{};
  std::size_t octets_ = 0;
};

// Neither side may wait for the other while that one waits for it.
[[nodiscard]] bool set_nonblocking(const Descriptor& descriptor);

}  // namespace postern::base
