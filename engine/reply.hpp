// Reply name -> octets.
// in      a row of the spec, what fills its braces, the guards (for the capability lines of EHLO)
// out     the reply with its CRLFs, in storage of this object until the next call
// limits  fills are cut to spec::max_host_octets and spec::max_verdict_octets, so that a reply always fits
// errors  none; octets of a verdict that could break a line are written as `?`
// source  spec/replies.toml; RFC 5321 4.2
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "spec/limits.hpp"
#include "spec/policy_row.hpp"

namespace postern::engine {

struct Fills {
  std::string_view host;
  std::string_view verdict;
  std::uint64_t size_octets = 0;
};

class ReplyWriter {
 public:
  static constexpr std::size_t most_lines = 8;
  static constexpr std::size_t most_octets = most_lines * 64 + 2 * spec::max_host_octets + spec::max_verdict_octets;

  [[nodiscard]] std::string_view write(spec::Reply reply, const Fills& fills, spec::Guards guards);

 private:
  void write_line(std::uint16_t code, char separator, std::string_view text, const Fills& fills);
  void append(std::string_view text);
  void append_fill(std::string_view name, const Fills& fills);

  std::size_t size_ = 0;
  std::array<char, most_octets> storage_;
};

// How many replies end in these octets, which may begin in the middle of one.
[[nodiscard]] std::uint32_t replies_in(std::string_view octets);

}  // namespace postern::engine
