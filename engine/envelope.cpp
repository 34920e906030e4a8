#include "engine/envelope.hpp"

namespace postern::engine {

void Envelope::append(char kind, std::string_view address) {
  storage_[size_++] = kind;
  size_ += address.copy(storage_.data() + size_, address.size());
  storage_[size_++] = '\0';
  storage_[size_] = '\0';
}

void Envelope::begin(std::string_view reverse_path) {
  clear();
  reverse_path_octets_ = reverse_path.size();
  append('F', reverse_path);
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
