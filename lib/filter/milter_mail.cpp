#include "filter/milter_mail.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "filter/milter_codec.hpp"

namespace postern::filter {
namespace {

constexpr std::size_t max_field_octets = max_milter_data_octets - 2;

// Behind `wire`, with CRLF.
void put_lines(std::string& wire, std::string_view octets) {
  while (!octets.empty()) {
    const std::size_t end = std::min(octets.find('\n'), octets.size());
    wire += octets.substr(0, end);
    if (end < octets.size()) wire += "\r\n";
    octets.remove_prefix(std::min(end + 1, octets.size()));
  }
}

}  // namespace

std::expected<std::optional<MilterField>, int> MilterMail::next_field() {
  if (!header_) {
    auto header = Header::read(spool_);
    if (!header) {
      const bool is_too_large = header.error().kind == HeaderTrouble::Kind::too_large;
      return std::unexpected(is_too_large ? EMSGSIZE : header.error().error);
    }
    header_.emplace(std::move(*header));
    read_ = header_->body_begins();
  }
  if (field_ == header_->fields()) return std::nullopt;
  std::string_view field = header_->each_field()[field_++];
  if (field.ends_with('\n')) field.remove_suffix(1);
  if (field.size() > max_field_octets) return std::unexpected(EMSGSIZE);
  const std::size_t colon = field.find(':');
  const std::string_view name = field.substr(0, std::min(field.find_first_of(" \t"), colon));
  return MilterField{.name = name, .value = field.substr(colon + 1)};
}

std::expected<std::string_view, int> MilterMail::next_chunk() {
  std::array<char, 32UZ * 1024> octets;
  chunk_.erase(0, std::exchange(shown_, 0));
  while (chunk_.size() < max_milter_data_octets) {
    const auto got = spool_.read(read_, octets);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    put_lines(chunk_, {octets.data(), *got});
    read_ += *got;
  }
  shown_ = std::min(chunk_.size(), max_milter_data_octets);
  return std::string_view(chunk_).substr(0, shown_);
}

}  // namespace postern::filter
