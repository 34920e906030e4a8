#include "grammar/line.hpp"

#include <cstring>

namespace postern::grammar {

Line LineSplitter::next(std::string_view unread, std::size_t max_octets) {
  const std::size_t looked = scanned_ < unread.size() ? scanned_ : unread.size();
  const std::size_t unseen = unread.size() - looked;
  const void* const found = unseen == 0 ? nullptr : std::memchr(unread.data() + looked, '\n', unseen);
  if (found == nullptr) return without_line_end(unread, max_octets);

  const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - unread.data()) + 1;
  const bool is_too_long = skipping_ || length > max_octets;
  // RFC 5321 2.3.8: only CRLF ends a line
  const bool has_cr = length >= 2 ? unread[length - 2] == '\r' : skipped_cr_;
  forget();
  if (!has_cr) return {LineKind::bare_lf, length, is_too_long ? std::string_view() : unread.substr(0, length - 1)};
  if (is_too_long) return {LineKind::too_long, length, {}};
  return {LineKind::complete, length, unread.substr(0, length - 2)};
}

// RFC 5321 4.5.3.1.4: max_octets without a line end cannot become a line any more.
Line LineSplitter::without_line_end(std::string_view unread, std::size_t max_octets) {
  if (skipping_ || unread.size() >= max_octets) {
    skipping_ = true;
    if (!unread.empty()) skipped_cr_ = unread.back() == '\r';
    scanned_ = 0;
    return {LineKind::partial, unread.size(), {}};
  }
  scanned_ = unread.size();
  return {LineKind::partial, 0, {}};
}

}  // namespace postern::grammar
