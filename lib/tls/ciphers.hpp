// A cheap look at TLSCIPHERS: does it select something that works with this kind of key?
// in      the list, names separated by `:`, `,` or a space; the kind of the certificate's key
// out     true only when every name is one that is known here and one of them works; false: OpenSSL has to be asked
// source  openssl-ciphers(1); RFC 5246 7.4.2 (the key that a cipher wants); RFC 8446 B.4
#pragma once

#include <string_view>

#include "tls/certificate_der.hpp"

namespace postern::tls {

[[nodiscard]] bool surely_selects(std::string_view ciphers, KeyKind key);

// The next name off the front of the list; empty at its end.
[[nodiscard]] std::string_view take_cipher(std::string_view& list);

}  // namespace postern::tls
