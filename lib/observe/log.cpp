#include "observe/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <ctime>

#include "base/json_escape.hpp"

namespace postern::observe {
namespace {

constexpr std::string_view quote = "\"";
constexpr std::string_view cut_mark = "...";
constexpr std::string_view dangerous = "\"\\=";  // the signs that fields are made of
constexpr std::string_view cut_member = ",\"cut\":true}";
constexpr std::size_t room_for_end = cut_mark.size() + 1;                           // and the line end
constexpr std::size_t room_for_json_end = cut_mark.size() + 2 + cut_member.size();  // and a quote, and the line end

constexpr std::size_t max_key_octets = 64;  // ours are short

// Which octets may stand as they are.
constexpr LogLine::Octets plain_and(std::string_view more) {
  LogLine::Octets octets{};
  for (std::size_t octet = 33; octet < 127; ++octet) octets[octet] = !dangerous.contains(static_cast<char>(octet));
  for (const char octet : more) octets[static_cast<unsigned char>(octet)] = true;
  return octets;
}
constexpr LogLine::Octets plain = plain_and("");
constexpr LogLine::Octets plain_in_quotes = plain_and(" =");
constexpr LogLine::Octets plain_in_note = plain_and(" =\"");

std::array<char, 4> escape(char octet) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(octet);
  return {'\\', 'x', digits[value >> 4U], digits[value & 15U]};
}

std::string_view as_decimal(std::uint64_t number, std::array<char, 20>& room) {
  const auto end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

std::uint64_t process_of(const LogVoice& voice) {
  return voice.process != 0 ? voice.process : static_cast<std::uint64_t>(::getpid());
}

// RFC 3339 5.6, in UTC: 2026-01-31T23:59:59.000000Z
std::string_view as_time(std::uint64_t microseconds, std::array<char, 32>& room) {
  constexpr std::uint64_t million = 1'000'000;
  const auto seconds = static_cast<std::time_t>(microseconds / million);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::size_t size = std::strftime(room.data(), room.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
  for (std::uint64_t unit = million / 10, rest = microseconds % million; unit != 0; rest %= unit, unit /= 10)
    room[size++] = static_cast<char>('0' + rest / unit);
  room[size++] = 'Z';
  return {room.data(), size};
}

// The first octets of a value of the client; in UTF-8 no character is cut in two.
std::string_view beginning_of(std::string_view octets) {
  if (octets.size() <= max_client_octets_logged) return octets;
  std::size_t end = max_client_octets_logged;
  const auto is_inside = [octets](std::size_t at) { return (static_cast<unsigned char>(octets[at]) & 0xc0U) == 0x80; };
  for (int i = 0; i < 3 && is_inside(end); ++i) --end;
  return octets.substr(0, is_inside(end) ? max_client_octets_logged : end);
}

}  // namespace

std::uint64_t wall_clock_microseconds() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count());
}

LogLine::LogLine(std::string_view event, LogVoice voice) : output_(voice.output), form_(voice.form) {
  if (is_json())
    begin_json(voice, event);
  else
    begin_text(voice, event);
  close();
}

void LogLine::begin_text(const LogVoice& voice, std::string_view event) {
  std::array<char, 20> room;
  append(voice.program);
  append("[");
  append(as_decimal(process_of(voice), room));
  append("]: ");
  append_escaped(event, plain);
}

void LogLine::begin_json(const LogVoice& voice, std::string_view event) {
  std::array<char, 32> room;
  append("{\"time\":\"");
  append(as_time(voice.clock(), room));
  append("\",\"program\":\"");
  is_in_string_ = true;
  append_escaped(voice.program, plain);
  end_string();
  number("pid", process_of(voice)).field("event", event);
}

inline std::size_t LogLine::room() const {
  return octets_.size() - (is_json() ? room_for_json_end : room_for_end) - size_;
}

void LogLine::append(std::string_view text) {
  if (is_full_) return;
  if (text.size() > room()) return cut();
  text.copy(octets_.data() + size_, text.size());
  size_ += text.size();
}

void LogLine::cut() {
  is_full_ = true;
  if (is_json() && !is_in_string_) return;  // close() says it
  cut_mark.copy(octets_.data() + size_, cut_mark.size());
  size_ += cut_mark.size();
  if (is_json()) octets_[size_++] = '"';
}

void LogLine::close() {
  end_ = size_;
  if (!is_json()) return;
  const std::string_view tail = is_full_ ? cut_member : "}";
  tail.copy(octets_.data() + size_, tail.size());
  end_ += tail.size();
}

// In one piece: a key without a value would be no JSON.
void LogLine::begin_value(std::string_view key, std::string_view first) {
  key = key.substr(0, max_key_octets);
  if (is_full_) return;
  const std::size_t signs = is_json() ? 4 : 2;
  if (key.size() + signs + first.size() > room()) return cut();
  char* at = octets_.data() + size_;
  *at++ = is_json() ? ',' : ' ';
  if (is_json()) *at++ = '"';
  at += key.copy(at, key.size());
  if (is_json()) *at++ = '"';
  *at++ = is_json() ? ':' : '=';
  if (!first.empty()) at += first.copy(at, first.size());
  size_ = static_cast<std::size_t>(at - octets_.data());
  is_in_string_ = first == quote;
}

void LogLine::end_string() {
  append(quote);
  is_in_string_ = false;
}

void LogLine::append_escaped(std::string_view text, const Octets& allowed) {
  while (is_json() && !text.empty()) {
    const base::Escaped escaped = base::escape_for_json(text);
    append(escaped.text());
    text.remove_prefix(escaped.taken);
  }
  while (!text.empty() && !is_full_) {
    text.remove_prefix(append_front(text, allowed));
    if (text.empty()) return;
    const std::array<char, 4> escaped = escape(text.front());
    append({escaped.data(), escaped.size()});
    text.remove_prefix(1);
  }
}

std::size_t LogLine::append_front(std::string_view text, const Octets& allowed) {
  const std::size_t most = std::min(text.size(), octets_.size() - room_for_end - size_);
  char* const at = octets_.data() + size_;
  std::size_t octets = 0;
  for (; octets < most && allowed[static_cast<unsigned char>(text[octets])]; ++octets) at[octets] = text[octets];
  size_ += octets;
  if (octets == most && most < text.size()) cut();
  return octets;
}

LogLine& LogLine::field(std::string_view key, std::string_view text) {
  const bool is_quoted = is_json() || text.empty() || text.contains(' ');
  begin_value(key, is_quoted ? quote : "");
  append_escaped(text, is_quoted ? plain_in_quotes : plain);
  if (is_quoted) end_string();
  close();
  return *this;
}

LogLine& LogLine::number(std::string_view key, std::uint64_t number) {
  std::array<char, 20> room;
  begin_value(key, as_decimal(number, room));
  close();
  return *this;
}

LogLine& LogLine::client(std::string_view key, std::string_view octets) {
  const std::string_view beginning = is_json() ? beginning_of(octets) : octets.substr(0, max_client_octets_logged);
  begin_value(key, is_json() ? quote : "");
  append_escaped(beginning, plain);
  if (beginning.size() < octets.size()) append(cut_mark);
  if (is_json()) end_string();
  close();
  return *this;
}

LogLine& LogLine::note(std::string_view sentence) {
  if (is_json()) return field("note", sentence);
  append(": ");
  append_escaped(sentence, plain_in_note);
  close();
  return *this;
}

void LogLine::write(int descriptor) {
  octets_[end_] = '\n';  // append() leaves room for it
  if (output_ != nullptr) return output_->write({octets_.data(), end_ + 1});
  ssize_t written = 0;
  do {
    written = ::write(descriptor, octets_.data(), end_ + 1);
  } while (written < 0 && errno == EINTR);
}

}  // namespace postern::observe
