// Mail data by what the processor can do: the same function three times, equal in everything but speed.
// in, out, errors  as MailData::decode
// source           RFC 5321 4.5.2
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "grammar/mail_data.hpp"

namespace postern::grammar {

using DecodeMailData = DecodedPiece(MailDataState& state, std::string_view octets, std::span<char> out);

DecodeMailData decode_mail_data_plain;
#ifdef __x86_64__
DecodeMailData decode_mail_data_sse2;
DecodeMailData decode_mail_data_avx2;  // only where has_avx2()

[[nodiscard]] bool has_avx2();
#endif

}  // namespace postern::grammar
