#include "engine/reply.hpp"

#include <algorithm>
#include <charconv>

namespace postern::engine {

void ReplyWriter::append(std::string_view text) {
  size_ += text.copy(storage_.data() + size_, storage_.size() - size_);
}

void ReplyWriter::append_fill(std::string_view name, const Fills& fills) {
  if (name == "host") return append(fills.host.substr(0, spec::max_host_octets));
  if (name == "size") {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), fills.size_octets).ptr;
    return append({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  const std::size_t from = size_;
  append(fills.verdict.substr(0, spec::max_verdict_octets));
  // A queue program's text must not end the reply early (RFC 5321 4.2).
  std::replace_if(
      storage_.begin() + static_cast<std::ptrdiff_t>(from), storage_.begin() + static_cast<std::ptrdiff_t>(size_),
      [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }, '?');
}

void ReplyWriter::write_line(std::uint16_t code, char separator, std::string_view text, const Fills& fills) {
  char* const at = storage_.data() + size_;
  at[0] = static_cast<char>('0' + code / 100);
  at[1] = static_cast<char>('0' + code / 10 % 10);
  at[2] = static_cast<char>('0' + code % 10);
  at[3] = separator;
  size_ += 4;
  while (!text.empty()) {
    const std::size_t open = std::min(text.find('{'), text.size());
    append(text.substr(0, open));
    text.remove_prefix(open);
    if (text.empty()) break;
    const std::size_t close = text.find('}');
    append_fill(text.substr(1, close - 1), fills);
    text.remove_prefix(close + 1);
  }
  storage_[size_++] = '\r';
  storage_[size_++] = '\n';
}

std::string_view ReplyWriter::write(spec::Reply reply, const Fills& fills, spec::Guards guards) {
  size_ = 0;
  const spec::ReplyRow& row = spec::reply_row(reply);
  if (row.code == 0) return {};
  if (!row.has_capability_lines) {
    write_line(row.code, ' ', spec::text_at(row.text), fills);
    return {storage_.data(), size_};
  }
  std::size_t last_line = 0;
  write_line(row.code, '-', spec::text_at(row.text), fills);
  int written = -1;
  for (const spec::CapabilityRow& capability : spec::capability_rows()) {
    if ((guards.bits & capability.care) != capability.want || capability.number == written) continue;
    last_line = size_;
    written = capability.number;
    write_line(row.code, '-', spec::text_at(capability.text), fills);
  }
  storage_[last_line + 3] = ' ';
  return {storage_.data(), size_};
}

// RFC 5321 4.2.1: all lines of a reply but the last have a hyphen after the code. The first may be the end of one.
std::uint32_t replies_in(std::string_view octets) {
  std::uint32_t replies = 0;
  while (!octets.empty()) {
    const std::size_t end = std::min(octets.find('\n'), octets.size());
    const bool is_whole = end > 3 && octets[0] >= '2' && octets[0] <= '5';
    if (!(is_whole && octets[3] == '-')) ++replies;
    octets.remove_prefix(std::min(end + 1, octets.size()));
  }
  return replies;
}

}  // namespace postern::engine
