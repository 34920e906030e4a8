// One AUTH exchange, PLAIN or LOGIN: takes the client's base64 answers apart into a user name and a password.
// in      an answer without CRLF; which part of the exchange it answers
// out     ResponseKind; username() and password() point into this object until wipe()
// errors  malformed: not base64, an empty user or password, NUL inside one, an authorization identity not the user's
// lives   the octets are overwritten by wipe(), which the session calls as soon as nobody needs them
// source  RFC 4616 2; RFC 4954 4; deviations D5, D14
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/event.hpp"
#include "spec/limits.hpp"

namespace postern::engine {

// What identifies a user where the name must not be kept: equal names have equal marks; 0 is nobody's. Names could be found
// that share a mark, but not one that shares the mark of a given name.
using UserMark = std::uint64_t;
[[nodiscard]] UserMark mark_of(std::string_view username);

enum class Mechanism : std::uint8_t { unknown, plain, login };
[[nodiscard]] Mechanism mechanism_of(std::string_view name);

class Sasl {
 public:
  [[nodiscard]] ResponseKind take_plain(std::string_view base64);
  [[nodiscard]] ResponseKind take_username(std::string_view base64);
  [[nodiscard]] ResponseKind take_password(std::string_view base64);
  void wipe() {
    if (used_ != 0) overwrite();  // else both are empty, as after most commands
  }

  [[nodiscard]] std::string_view username() const { return username_; }
  [[nodiscard]] std::string_view password() const { return password_; }

 private:
  // Decodes after what is already kept; the octets decoded, or nothing when it is not base64.
  struct Piece {
    bool is_base64;
    std::string_view octets;
  };
  [[nodiscard]] Piece decode(std::string_view base64);
  void overwrite();

  static constexpr std::size_t most_octets = spec::max_auth_line_octets / 4 * 3;
  std::size_t used_ = 0;
  std::string_view username_;
  std::string_view password_;
  std::array<char, 2 * most_octets> storage_;
};

}  // namespace postern::engine
