// The base64 machine: rules and actions; four characters give three octets, written when the fourth has been read.
#include "grammar/base64.hpp"

#include <cstdint>

namespace postern::grammar {
namespace {

%%{
machine base64;

action six_bits { quantum = quantum << 6 | value_of(*p); }
action three_octets { put(out, written, quantum, 3); written += 3; }
action two_octets { put(out, written, quantum << 6, 2); written += 2; }
action one_octet { put(out, written, quantum << 12, 1); written += 1; }

# RFC 4648 4, table 1; 3.5: the bits before the padding are zero
base64_char = [A-Za-z0-9+/];
low_2_bits_zero = [AEIMQUYcgkosw048];
low_4_bits_zero = [AQgw];
quantum = base64_char{4} @three_octets;
last_quantum = base64_char{2} low_2_bits_zero "=" @two_octets
             | base64_char low_4_bits_zero "==" @one_octet;
values = (base64_char @six_bits)* "="*;
lenient_trailing_blanks = [ \t]*;  # deviation D14
main := (values & (quantum* last_quantum?)) lenient_trailing_blanks;
}%%

%% write data noerror noentry;

std::uint32_t value_of(char character) {
  if (character >= 'a') return static_cast<std::uint32_t>(character - 'a' + 26);
  if (character >= 'A') return static_cast<std::uint32_t>(character - 'A');
  if (character >= '0') return static_cast<std::uint32_t>(character - '0' + 52);
  return character == '+' ? 62 : 63;
}

void put(std::span<char> out, std::size_t at, std::uint32_t quantum, std::size_t octets) {
  for (std::size_t i = 0; i < octets; ++i) out[at + i] = static_cast<char>(quantum >> (16 - 8 * i) & 0xFF);
}

}  // namespace

std::expected<std::size_t, std::size_t> decode_base64(std::string_view text, std::span<char> out) {
  const char* p = text.data();
  const char* const pe = p + text.size();
  std::uint32_t quantum = 0;
  std::size_t written = 0;
  int cs = 0;
  %% write init;
  %% write exec;
  if (cs < base64_first_final) return std::unexpected(static_cast<std::size_t>(p - text.data()));
  return written;
}

}  // namespace postern::grammar
