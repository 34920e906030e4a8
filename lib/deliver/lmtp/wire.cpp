#include "deliver/lmtp/wire.hpp"

namespace postern::deliver {
namespace {

constexpr std::size_t read_octets = 32UZ * 1024;  // of the message; its wire form has at most twice as many

}  // namespace

std::expected<std::string_view, int> LmtpWire::next() {
  piece_.clear();
  if (has_ended_) return std::string_view();
  octets_.resize(read_octets);
  const auto got = message_.read(at_, octets_);
  if (!got) return std::unexpected(got.error());
  at_ += *got;
  encode(std::string_view(octets_).substr(0, *got));
  if (*got == 0) {
    piece_ += is_at_line_start_ ? ".\r\n" : "\r\n.\r\n";
    has_ended_ = true;
  }
  return piece_;
}

// RFC 5321 4.5.2: a line that begins with a dot gets another one.
void LmtpWire::encode(std::string_view octets) {
  while (!octets.empty()) {
    if (is_at_line_start_ && octets.front() == '.') piece_ += '.';
    const std::size_t end = octets.find('\n');
    piece_ += octets.substr(0, end);
    is_at_line_start_ = end != std::string_view::npos;
    if (!is_at_line_start_) return;
    piece_ += "\r\n";
    octets.remove_prefix(end + 1);
  }
}

}  // namespace postern::deliver
