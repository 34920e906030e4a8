#include "fuzz/mutate.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "fuzz/session_input.hpp"
#include "words.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

// The oracles ask for memory often; a crash shows where, so requests need no long stacks.
extern "C" const char* __asan_default_options() { return "malloc_context_size=2:quarantine_size_mb=16"; }

namespace postern::fuzz {
namespace {

using namespace std::string_view_literals;

// What a client says in one go: each opens a part of the session that single words hardly reach.
constexpr std::array scenes{
    "EHLO c.example\r\n"sv,
    "HELO c.example\r\n"sv,
    "MAIL FROM:<a@b.example>\r\n"sv,
    "MAIL FROM:<> SIZE=1000 BODY=8BITMIME\r\n"sv,
    "MAIL FROM:<> SIZE=18446744073709551615"sv,
    "RCPT TO:<c@d.example>\r\n"sv,
    "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"sv,
    "DATA\r\n"sv,
    "Subject: x\r\n\r\nbody\r\n.\r\n"sv,
    ".\r\n"sv,
    "STARTTLS\r\n"sv,
    "STARTTLS\r\n\xF0"sv,
    "STARTTLS\r\n\xF1"sv,
    "AUTH PLAIN AHRpbQBw\r\n"sv,
    "AUTH PLAIN\r\nAHRpbQBw\r\n"sv,
    "AUTH LOGIN\r\ndGlt\r\ncA==\r\n"sv,
    "AUTH LOGIN dGlt\r\ncA==\r\n"sv,
    "AUTH LOGIN\r\n*\r\n"sv,
    "RSET\r\n"sv,
    "NOOP\r\n"sv,
    "QUIT\r\n"sv,
};
constexpr std::array line_ends{"\r\n"sv, "\n"sv,     "\r"sv,    ""sv,        "\r\r\n"sv,
                               "\n\r"sv, "\0\r\n"sv, " \r\n"sv, "\r\n\r\n"sv};
constexpr std::array dots{"."sv,       "..\r\n"sv, ".\r\n"sv, "\r\n.\r\n"sv, "\n.\r\n"sv,
                          "\r\n.\n"sv, "\n.\n"sv,  "\r.\r"sv, "\r\n.\r"sv,   ".\r\r\n"sv};
constexpr std::array base64{"AHRpbQBw"sv, "dGltAHRpbQBw"sv, "dGlt"sv, "cA=="sv, "cHc="sv, "="sv,
                            "===="sv,     "AAAA"sv,         "A"sv,    "*"sv,    "AAA"sv,  "AABw"sv};

// Paths and parameters, to be put side by side.
constexpr std::array arguments{"<>"sv,
                               "<a@b.example>"sv,
                               "<\"a b\"@c>"sv,
                               "<c@[192.0.2.1]>"sv,
                               "<c@[IPv6:::1]>"sv,
                               "<@x,@y:a@b>"sv,
                               "<postmaster>"sv,
                               " SIZE=18446744073709551615"sv,
                               " SIZE=18446744073709551616"sv,
                               " SIZE=1"sv,
                               " BODY=8BITMIME"sv,
                               " AUTH=<>"sv,
                               " AUTH=e+3Dmc2@c"sv};

// Where a number may wrap or a limit may be.
constexpr std::array numbers{"0"sv,
                             "1"sv,
                             "99"sv,
                             "100"sv,
                             "1000"sv,
                             "65536"sv,
                             "2147483648"sv,
                             "4294967296"sv,
                             "9223372036854775808"sv,
                             "18446744073709551615"sv,
                             "18446744073709551616"sv,
                             "20000000000000000000"sv,
                             "99999999999999999999999"sv};

class Changer {
 public:
  Changer(std::string& text, std::size_t head, unsigned seed)
      : text_(text), head_(head), state_(seed * 2654435761U + 1) {}

  unsigned below(std::size_t bound) {
    state_ ^= state_ << 13U, state_ ^= state_ >> 17U, state_ ^= state_ << 5U;
    return static_cast<unsigned>(state_ % bound);
  }

  static constexpr unsigned text_changes = 12;
  void change_session() {
    const unsigned what = below(16);
    if (what < 3) return change_head();
    if (what == 3) return move_event();
    change_text(what < 5 ? 0 : below(text_changes));
  }

  void change_text(unsigned what) {
    const auto pick = [this](const auto& of) { return of[below(of.size())]; };
    switch (what) {
      case 0: return insert(line_begin(), pick(scenes));
      case 1: return erase_line();
      case 2: return copy_line();
      case 3: return replace_line_end(pick(line_ends));
      case 4: return insert(line_begin(), pick(dots));
      case 5: return replace_token(pick(base64));
      case 6: return replace_token(pick(words));
      case 7: return insert(anywhere(), pick(words));
      case 8: return stretch();
      case 9: return replace_token(pick(numbers));
      case 10: return insert(below(2) == 0 ? text_.size() : anywhere(), pick(arguments));
      default: return change_octet();
    }
  }

 private:
  std::size_t anywhere() { return head_ + below(text_.size() - head_ + 1); }
  // A place where a line begins, the end among them.
  std::size_t line_begin() {
    const std::size_t end = text_.find('\n', anywhere());
    return end == std::string::npos ? text_.size() : end + 1;
  }
  std::size_t line_end(std::size_t begin) const { return std::min(text_.find('\n', begin), text_.size() - 1) + 1; }
  void insert(std::size_t at, std::string_view what) { text_.insert(at, what); }

  void change_head() {
    if (head_ == 0) return;
    const unsigned at = below(head_);
    text_[at] = at == 2 ? static_cast<char>(1 + below(64)) : static_cast<char>(text_[at] ^ 1 << below(8));
  }
  // An event, or the STARTTLS before it, goes elsewhere: octets fall on its other side.
  void move_event() {
    std::size_t at = text_.find_first_of("\xF0\xF1\xF2\xF3\xF4\xF5", std::min(anywhere(), text_.size()));
    if (at == std::string::npos) return insert(anywhere(), std::string(1, static_cast<char>(0xF0 + below(6))));
    const char event = text_[at];
    text_.erase(at, 1);
    text_.insert(anywhere(), 1, event);
  }
  void erase_line() {
    const std::size_t begin = line_begin();
    if (begin < text_.size()) text_.erase(begin, line_end(begin) - begin);
  }
  void copy_line() {
    const std::size_t begin = line_begin();
    if (begin >= text_.size()) return;
    const std::string line = text_.substr(begin, line_end(begin) - begin);
    const unsigned times = below(4) == 0 ? 1 + below(24) : 1;  // limits count to 10 and to 20
    const std::size_t at = line_begin();
    for (unsigned i = 0; i < times; ++i) insert(at, line);
  }
  void replace_line_end(std::string_view by) {
    const std::size_t end = text_.find("\r\n", anywhere());
    if (end != std::string::npos) text_.replace(end, 2, by);
  }
  void replace_token(std::string_view by) {
    constexpr std::string_view edges = " :<>=\r\n";
    const std::size_t begin = text_.find_first_not_of(edges, anywhere());
    if (begin == std::string::npos) return insert(anywhere(), by);
    const std::size_t end = std::min(text_.find_first_of(edges, begin), text_.size());
    text_.replace(begin, end - begin, by);
  }
  // Repeats an octet up to where a limit may be.
  void stretch() {
    constexpr std::array lengths{2U, 8U, 32U, 64U, 100U, 255U, 512U, 900U, 2048U};
    if (text_.size() == head_) return;
    const std::size_t at = head_ + below(text_.size() - head_);
    text_.insert(at, lengths[below(lengths.size())] + below(5) - 2, text_[at]);
  }
  void change_octet() {
    if (text_.size() == head_) return;
    char& octet = text_[head_ + below(text_.size() - head_)];
    octet = below(2) == 0 ? static_cast<char>(octet ^ 0x20) : static_cast<char>(below(256));
  }

  std::string& text_;
  std::size_t head_;
  std::uint32_t state_;
};

std::size_t put(const std::string& text, std::span<std::uint8_t> room) {
  const std::size_t size = std::min(text.size(), room.size());
  std::copy_n(text.begin(), size, room.begin());
  return size;
}

std::size_t mutate(std::span<std::uint8_t> room, std::size_t size, unsigned seed, std::size_t head) {
  if (seed % 5 == 0) return LLVMFuzzerMutate(room.data(), size, room.size());
  static std::string text;  // kept, so that it seldom asks for memory
  text.assign(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(size));
  text.resize(std::max(text.size(), head));
  Changer changer(text, head, seed);
  for (unsigned times = 1 + changer.below(4); times > 0; --times)
    head == 0 ? changer.change_text(changer.below(Changer::text_changes)) : changer.change_session();
  return put(text, room);
}

}  // namespace

std::size_t mutate_session(std::span<std::uint8_t> room, std::size_t size, unsigned seed) {
  return room.size() < head_octets ? 0 : mutate(room, size, seed, head_octets);
}

std::size_t mutate_lines(std::span<std::uint8_t> room, std::size_t size, unsigned seed) {
  return mutate(room, size, seed, 0);
}

std::size_t cross_sessions(std::span<const std::uint8_t> one, std::span<const std::uint8_t> other,
                           std::span<std::uint8_t> out, unsigned seed) {
  if (one.size() < head_octets || other.size() < head_octets) return put({one.begin(), one.end()}, out);
  static std::string text;
  text.assign(one.begin(), one.end());
  const std::string theirs(other.begin() + head_octets, other.end());
  Changer dice(text, head_octets, seed);
  const auto cut = [&](const std::string& of, std::size_t from) {
    const std::size_t end = of.find('\n', from + dice.below(of.size() - from + 1));
    return end == std::string::npos ? of.size() : end + 1;
  };
  text.resize(cut(text, head_octets));
  return put(text.append(theirs, cut(theirs, 0)), out);
}

}  // namespace postern::fuzz
