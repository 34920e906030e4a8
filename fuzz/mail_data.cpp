// Mail data: [size of the pieces] then the octets after 354.
// oracle  the block scan, in one piece and, as another processor has it, in pieces of that size, decodes as the naive
//         reader; nothing is read or written beyond what is given (unreadable pages); the sanitizers
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz/mutate.hpp"
#include "grammar/mail_data_levels.hpp"
#include "testing/guard_page.hpp"
#include "testing/naive_mail_data.hpp"

namespace {

using namespace postern;

constexpr std::size_t most_octets = 64 * 1024;

// By what the processor can do, or as a poorer one would do it.
grammar::DecodeMailData* level(std::size_t number) {
#ifdef __x86_64__
  const std::array levels{grammar::has_avx2() ? grammar::decode_mail_data_avx2 : grammar::decode_mail_data_sse2,
                          grammar::decode_mail_data_sse2, grammar::decode_mail_data_plain};
  return levels[number % levels.size()];
#else
  return grammar::decode_mail_data_plain;
#endif
}

testing::NaiveMailData decode(std::string_view octets, std::size_t piece, grammar::DecodeMailData* decode_piece) {
  static testing::GuardedOctets in(most_octets), out(most_octets + 2);
  grammar::MailDataState state;
  testing::NaiveMailData result;
  while (!octets.empty() && !result.ended) {
    const std::string_view part = in.before_guard(octets.substr(0, piece));
    const auto room = out.space_before_guard(part.size() + 2);
    const grammar::DecodedPiece decoded = decode_piece(state, part, room);
    result.text.append(room.data(), decoded.written);
    result.consumed += decoded.consumed;
    result.ended = decoded.ended;
    octets.remove_prefix(decoded.consumed);
    if (decoded.consumed != part.size() && !decoded.ended) std::abort();
  }
  result.saw_bare_cr = state.saw_bare_cr;
  result.saw_bare_lf = state.saw_bare_lf;
  result.saw_nul = state.saw_nul;
  result.hops = state.hops;
  return result;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  return fuzz::mutate_lines({data, most}, size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > most_octets) return 0;
  const std::size_t piece = data[0] == 0 ? 1 : data[0];
  const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  const testing::NaiveMailData wanted = testing::read_mail_data(octets);
  if (!(decode(octets, most_octets, level(0)) == wanted)) std::abort();
  if (!(decode(octets, piece, level(piece)) == wanted)) std::abort();
  return 0;
}
