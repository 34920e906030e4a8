#include "daemon/log.hpp"

#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace postern::daemon {
namespace {

constexpr std::string_view cut_mark = "...";
constexpr std::string_view dangerous = "\"\\=";  // the signs that fields are made of
constexpr std::size_t room_for_end = cut_mark.size() + 1;

bool is_plain(char octet, std::string_view allowed) {
  if (allowed.contains(octet)) return true;
  return octet > 32 && octet < 127 && !dangerous.contains(octet);
}

std::array<char, 4> escape(char octet) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(octet);
  return {'\\', 'x', digits[value >> 4U], digits[value & 15U]};
}

std::string_view as_decimal(std::uint64_t number, std::array<char, 20>& room) {
  const auto end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

}  // namespace

LogLine::LogLine(std::string_view event, LogVoice voice) : output_(voice.output) {
  std::array<char, 20> room;
  append(voice.program);
  append("[");
  append(as_decimal(static_cast<std::uint64_t>(::getpid()), room));
  append("]: ");
  append_escaped(event, {});
}

void LogLine::append(std::string_view text) {
  if (is_full_) return;
  if (size_ + text.size() <= octets_.size() - room_for_end) {
    text.copy(octets_.data() + size_, text.size());
    size_ += text.size();
    return;
  }
  cut_mark.copy(octets_.data() + size_, cut_mark.size());
  size_ += cut_mark.size();
  is_full_ = true;
}

void LogLine::append_key(std::string_view key) {
  append(" ");
  append(key);
  append("=");
}

void LogLine::append_escaped(std::string_view text, std::string_view allowed) {
  for (const char octet : text) {
    const std::array<char, 4> escaped = escape(octet);
    append(is_plain(octet, allowed) ? std::string_view(&octet, 1) : std::string_view(escaped.data(), escaped.size()));
  }
}

LogLine& LogLine::field(std::string_view key, std::string_view text) {
  const bool is_quoted = text.empty() || text.contains(' ');
  append_key(key);
  if (is_quoted) append("\"");
  append_escaped(text, is_quoted ? " =" : "");
  if (is_quoted) append("\"");
  return *this;
}

LogLine& LogLine::number(std::string_view key, std::uint64_t number) {
  std::array<char, 20> room;
  append_key(key);
  append(as_decimal(number, room));
  return *this;
}

LogLine& LogLine::client(std::string_view key, std::string_view octets) {
  append_key(key);
  append_escaped(octets.substr(0, max_client_octets_logged), {});
  if (octets.size() > max_client_octets_logged) append(cut_mark);
  return *this;
}

LogLine& LogLine::note(std::string_view sentence) {
  append(": ");
  append_escaped(sentence, " =\"");
  return *this;
}

void LogLine::write(int descriptor) {
  octets_[size_] = '\n';  // append() leaves room for it
  if (output_ != nullptr) return output_->write({octets_.data(), size_ + 1});
  ssize_t written = 0;
  do {
    written = ::write(descriptor, octets_.data(), size_ + 1);
  } while (written < 0 && errno == EINTR);
}

}  // namespace postern::daemon
