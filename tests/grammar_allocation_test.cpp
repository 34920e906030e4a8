// The grammar allocates nothing.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include "grammar/base64.hpp"
#include "grammar/command.hpp"
#include "grammar/line.hpp"
#include "grammar/mail_data.hpp"

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace postern::grammar {
namespace {

constexpr std::array<std::string_view, 7> lines = {
    "EHLO client.example.org",
    "MAIL FROM:<@a,@b:\"a\\\" b\"@[IPv6:::1]> SIZE=99999999999999999999999 BODY=8BITMIME AUTH=a+2Bb",
    "RCPT TO:<postmaster>",
    "RCPT TO:<a@b",
    "AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=",
    "NO SUCH COMMAND",
    "NOOP \x01",
};

TEST(allocation, the_grammar_allocates_nothing) {
  std::array<char, 4096> out{};
  const std::string mail_data = std::string(1000, 'a') + "\r\n..\r\n\r\n.\r\n";
  const std::size_t before = allocations;
  for (const std::string_view line : lines) {
    const auto command = parse_command(line);
    if (command) static_cast<void>(write_mailbox(command->path, out));
  }
  LineSplitter splitter;
  static_cast<void>(splitter.next("EHLO a\r\n", 100));
  static_cast<void>(decode_base64("dGVzdAB0ZXN0ADEyMzQ=", out));
  static_cast<void>(MailData{}.decode(mail_data, out));
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace postern::grammar
