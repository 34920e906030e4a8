// The reverse-path and forward-paths of one transaction, kept as qmail-queue reads them; besides them the mailbox for
// which an authenticated client vouches (RFC 4954 5).
// out     octets(): `F` reverse-path NUL, then `T` forward-path NUL for each, then NUL; points into this object
// limits  spec::max_recipients paths, spec::max_recipient_octets in all; add() says when there is no room
// errors  none; an address never holds NUL (the grammar refuses it); allocates nothing
// source  RFC 5321 3.3, 4.1.1.2, 4.1.1.3; qmail-queue(8)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "spec/limits.hpp"

namespace postern::engine {

class Envelope {
 public:
  // declared_octets   SIZE= of MAIL; 0 where it says none
  void begin(std::string_view reverse_path, std::uint64_t declared_octets = 0);
  // False, and nothing changed, when it does not fit.
  [[nodiscard]] bool add(std::string_view forward_path);
  [[nodiscard]] bool has_room(std::size_t address_octets) const;
  // Keeps what AUTH= of MAIL says, xtext (RFC 3461 4). Keeps nothing of `<>`, of what is longer than
  // spec::max_auth_mailbox_octets, and of what holds a control octet.
  void keep_auth_mailbox(std::string_view xtext);
  void clear() { declared_octets_ = size_ = reverse_path_octets_ = recipients_ = auth_mailbox_octets_ = 0; }

  [[nodiscard]] std::string_view auth_mailbox() const { return {auth_mailbox_.data(), auth_mailbox_octets_}; }

  [[nodiscard]] std::string_view reverse_path() const { return {storage_.data() + 1, reverse_path_octets_}; }
  [[nodiscard]] std::size_t recipients() const { return recipients_; }
  [[nodiscard]] std::uint64_t declared_octets() const { return declared_octets_; }
  [[nodiscard]] std::string_view first_recipient() const;  // empty without any
  [[nodiscard]] std::string_view octets() const;

 private:
  void append(char kind, std::string_view address);

  static constexpr std::size_t reserved_octets = spec::max_address_octets + 2;
  std::size_t size_ = 0;  // the NUL that ends the envelope stands at storage_[size_]
  std::size_t reverse_path_octets_ = 0;
  std::size_t recipients_ = 0;
  std::size_t auth_mailbox_octets_ = 0;
  std::uint64_t declared_octets_ = 0;
  std::array<char, spec::max_auth_mailbox_octets> auth_mailbox_;
  std::array<char, reserved_octets + spec::max_recipient_octets + 1> storage_;
};

}  // namespace postern::engine
