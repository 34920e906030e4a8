#include "engine/envelope.hpp"

namespace postern::engine {
namespace {

// Of a hexchar, which the grammar has read (RFC 3461 4: digits and capitals).
int value_of(char digit) { return digit <= '9' ? digit - '0' : digit - 'A' + 10; }

}  // namespace

void Envelope::append(char kind, std::string_view address) {
  storage_[size_++] = kind;
  size_ += address.copy(storage_.data() + size_, address.size());
  storage_[size_++] = '\0';
  storage_[size_] = '\0';
}

void Envelope::begin(std::string_view reverse_path, std::uint64_t declared_octets) {
  clear();
  declared_octets_ = declared_octets;
  reverse_path_octets_ = reverse_path.size();
  append('F', reverse_path);
}

void Envelope::keep_auth_mailbox(std::string_view xtext) {
  auth_mailbox_octets_ = 0;
  if (xtext == "<>") return;
  std::size_t octets = 0;
  for (std::size_t at = 0; at < xtext.size(); ++at) {
    char octet = xtext[at];
    if (octet == '+') {
      octet = static_cast<char>(value_of(xtext[at + 1]) * 16 + value_of(xtext[at + 2]));
      at += 2;
    }
    const bool is_control = static_cast<unsigned char>(octet) < ' ' || octet == 0x7F;
    if (is_control || octets == auth_mailbox_.size()) return;
    auth_mailbox_[octets++] = octet;
  }
  auth_mailbox_octets_ = octets;
}

bool Envelope::has_room(std::size_t address_octets) const {
  return recipients_ < spec::max_recipients && size_ + address_octets + 2 < storage_.size();
}

bool Envelope::add(std::string_view forward_path) {
  if (!has_room(forward_path.size())) return false;
  append('T', forward_path);
  ++recipients_;
  return true;
}

std::string_view Envelope::first_recipient() const {
  if (recipients_ == 0) return {};
  const char* const first = storage_.data() + reverse_path_octets_ + 3;  // after F, the reverse-path, NUL and T
  return {first, std::char_traits<char>::length(first)};
}

std::string_view Envelope::octets() const { return {storage_.data(), size_ == 0 ? 0 : size_ + 1}; }

}  // namespace postern::engine
