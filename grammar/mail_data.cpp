#include "grammar/mail_data.hpp"

#include "grammar/mail_data_levels.hpp"

namespace postern::grammar {

#ifdef __x86_64__
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"); }

DecodedPiece MailData::decode(std::string_view octets, std::span<char> out) {
  return has_avx2() ? decode_mail_data_avx2(state_, octets, out) : decode_mail_data_sse2(state_, octets, out);
}
#else
DecodedPiece MailData::decode(std::string_view octets, std::span<char> out) {
  return decode_mail_data_plain(state_, octets, out);
}
#endif

}  // namespace postern::grammar
