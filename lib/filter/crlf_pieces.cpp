#include "filter/crlf_pieces.hpp"

namespace postern::filter {

void CrlfPieces::refill() {
  char* end = written_.get();
  if (from_ < mail_->octets() && !has_failed_) {
    const auto got = mail_->read(from_, {read_.get(), piece_octets});
    has_failed_ = !got || *got == 0;
    const std::string_view octets(read_.get(), has_failed_ ? 0 : *got);
    for (const char octet : octets) {
      if (octet == '\n') *end++ = '\r';
      *end++ = octet;
    }
    from_ += octets.size();
    if (!octets.empty()) last_ = octets.back();
  }
  if (from_ == mail_->octets() && last_ != '\n' && !has_failed_) {  // a last line without its end gets one
    *end++ = '\r';
    *end++ = '\n';
    last_ = '\n';
  }
  unsent_ = {written_.get(), static_cast<std::size_t>(end - written_.get())};
}

}  // namespace postern::filter
