// Whose key is it: the few octets of a certificate and of a private key that must be the same.
// in      one certificate or one private key (PKCS #8, PKCS #1 or SEC1) in DER
// out     KeyOctets; its views point into the input and die with it
// errors  nullopt: not that structure, or a length that leaves its envelope; never reads past the input, no recursion
// source  X.690 8.1; RFC 5280 4.1; RFC 5208 5 (PKCS #8); RFC 8017 A.1; RFC 5915 3 (SEC1); RFC 5480 2.2;
//         RFC 4055 5, RFC 5758 3.2 (signatures); SSL_CTX_set_security_level(3): level 2
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::tls {

enum class KeyKind : std::uint8_t { rsa, ec, other };

struct KeyOctets {
  KeyKind kind;
  // of a certificate: RSA modulus and exponent as they are encoded; EC the x coordinate of the point
  // of a private key: where those must occur; empty when the key does not hold its public part
  std::string_view octets;
  std::string_view algorithm;  // the object identifier; empty when the structure names none
};

[[nodiscard]] std::optional<KeyOctets> public_key_of(std::string_view certificate);

// Whether this certificate is of the kinds that OpenSSL serves at its security level 2 for sure: an RSA key of 2048 bits or
// more or one of P-256, P-384, P-521, and signed with SHA-2 or by itself. False: ask the program that serves with it.
[[nodiscard]] bool is_surely_strong(std::string_view certificate);

[[nodiscard]] std::optional<KeyOctets> private_key_of(std::string_view key);

enum class Belonging : std::uint8_t { same, different, untold };
[[nodiscard]] Belonging compare_keys(const KeyOctets& of_certificate, const KeyOctets& of_private_key);

}  // namespace postern::tls
