#include "engine/sasl.hpp"

#include <cstring>
#include <span>

#include "grammar/base64.hpp"

namespace postern::engine {
namespace {

constexpr std::string_view nul{"\0", 1};

bool equals_ignoring_case(std::string_view text, std::string_view upper) {
  if (text.size() != upper.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'a' && text[i] <= 'z' ? static_cast<char>(text[i] - 'a' + 'A') : text[i];
    if (c != upper[i]) return false;
  }
  return true;
}

bool is_usable(std::string_view part) { return !part.empty() && !part.contains('\0'); }

}  // namespace

Mechanism mechanism_of(std::string_view name) {
  if (equals_ignoring_case(name, "PLAIN")) return Mechanism::plain;
  if (equals_ignoring_case(name, "LOGIN")) return Mechanism::login;
  return Mechanism::unknown;
}

// FNV-1a.
UserMark mark_of(std::string_view username) {
  UserMark mark = 0xCBF29CE484222325;
  for (const char octet : username) mark = (mark ^ static_cast<unsigned char>(octet)) * 0x100000001B3;
  return mark == 0 ? 1 : mark;
}

Sasl::Piece Sasl::decode(std::string_view base64) {
  if (base64.size() / 4 * 3 > most_octets) return {.is_base64 = false, .octets = {}};
  const std::span<char> room = std::span(storage_).subspan(used_);
  const auto octets = grammar::decode_base64(base64, room);
  if (!octets) {
    explicit_bzero(room.data(), base64.size() / 4 * 3);
    return {.is_base64 = false, .octets = {}};
  }
  used_ += *octets;
  return {.is_base64 = true, .octets = {room.data(), *octets}};
}

// message = [authzid] NUL authcid NUL passwd (RFC 4616 2)
ResponseKind Sasl::take_plain(std::string_view base64) {
  if (base64 == "*") return ResponseKind::cancelled;
  wipe();
  const Piece piece = decode(base64);
  const std::size_t first = piece.octets.find(nul);
  const std::size_t second = first == std::string_view::npos ? first : piece.octets.find(nul, first + 1);
  if (!piece.is_base64 || second == std::string_view::npos) return ResponseKind::malformed;
  const std::string_view authorization = piece.octets.substr(0, first);
  username_ = piece.octets.substr(first + 1, second - first - 1);
  password_ = piece.octets.substr(second + 1);
  const bool is_own = authorization.empty() || authorization == username_;
  return is_own && is_usable(username_) && is_usable(password_) ? ResponseKind::valid : ResponseKind::malformed;
}

ResponseKind Sasl::take_username(std::string_view base64) {
  if (base64 == "*") return ResponseKind::cancelled;
  wipe();
  const Piece piece = decode(base64);
  username_ = piece.octets;
  return piece.is_base64 && is_usable(username_) ? ResponseKind::valid : ResponseKind::malformed;
}

ResponseKind Sasl::take_password(std::string_view base64) {
  if (base64 == "*") return ResponseKind::cancelled;
  const Piece piece = decode(base64);
  password_ = piece.octets;
  return piece.is_base64 && is_usable(password_) ? ResponseKind::valid : ResponseKind::malformed;
}

void Sasl::overwrite() {
  explicit_bzero(storage_.data(), used_);
  used_ = 0;
  username_ = password_ = {};
}

}  // namespace postern::engine
