#include "filter/header.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "spec/limits.hpp"

namespace postern::filter {
namespace {

constexpr std::string_view blanks = " \t";
constexpr std::size_t nowhere = std::string_view::npos;

bool is_blank(char c) { return blanks.contains(c); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// What stands before the colon, without the blanks that RFC 5322 4.5 bears there; empty: the line begins no field.
std::string_view name_of(std::string_view line) {
  std::string_view name = line.substr(0, line.find(':'));
  if (name.size() == line.size()) return {};
  name = name.substr(0, name.find_last_not_of(blanks) + 1);
  return is_field_name(name) ? name : std::string_view();
}

bool has_name(std::string_view field, std::string_view name) {
  return std::ranges::equal(name_of(field), name, {}, lower, lower);
}

bool is_of_mbox(std::string_view line) { return line.starts_with("From ") || line.starts_with(">From "); }

std::string field_of(const HeaderEdit& edit) { return edit.name + ':' + edit.value + '\n'; }

// Where the line that begins there ends: after its LF, or npos when it goes on.
std::size_t end_of_line(std::string_view text, std::size_t begin) {
  const std::size_t end = text.find('\n', begin);
  return end == nowhere ? nowhere : end + 1;
}

}  // namespace

std::expected<Header, HeaderTrouble> Header::read(const base::MailSpool& mail) {
  Header header;
  std::string text;
  std::array<char, std::size_t{16} * 1024> piece;
  for (std::size_t begin = 0;;) {
    const std::size_t end = end_of_line(text, begin);
    if (end == nowhere && text.size() < mail.octets()) {
      if (text.size() > spec::max_filter_header_octets)
        return std::unexpected(HeaderTrouble{HeaderTrouble::Kind::too_large});
      const auto got = mail.read(text.size(), piece);
      if (!got || *got == 0)
        return std::unexpected(HeaderTrouble{HeaderTrouble::Kind::unreadable, got ? 0 : got.error()});
      text.append(piece.data(), *got);
      continue;
    }
    const std::string_view line = std::string_view(text).substr(begin, std::min(end, text.size()) - begin);
    if (line.empty()) break;
    header.take_line(line);
    if (header.follows_ != Follows::nothing) break;
    begin += line.size();
    header.octets_before_ = begin;
    if (!header.fits()) return std::unexpected(HeaderTrouble{HeaderTrouble::Kind::too_large});
  }
  return header;
}

void Header::take_line(std::string_view line) {
  const bool follows_a_field = fields_.size() > (has_line_of_mbox_ ? 1U : 0U);
  if (line == "\n") {
    follows_ = Follows::empty_line;
  } else if (is_blank(line.front()) && follows_a_field) {
    fields_.back() += line;
  } else if (!name_of(line).empty()) {
    fields_.emplace_back(line);
  } else if (fields_.empty() && is_of_mbox(line)) {
    fields_.push_back("X-Mailbox-Line: " + std::string(line));
    has_line_of_mbox_ = true;
  } else {
    follows_ = Follows::body;
  }
}

bool Header::fits() const {
  std::size_t octets = 0;
  if (octets_before_ > spec::max_filter_header_octets) return false;
  if (fields_.size() > spec::max_filter_header_fields) return false;
  if (!is_edited_) return true;
  for (const std::string& field : fields_) octets += field.size();
  return octets <= spec::max_filter_header_octets;
}

// Places are counted among the fields of this name alone.
std::size_t Header::find(std::string_view name, std::int32_t index) const {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < fields_.size(); ++i)
    if (has_name(fields_[i], name)) places.push_back(i);
  const auto count = static_cast<std::int64_t>(places.size());
  const std::int64_t place = index < 0 ? count + index : std::max(index, 1) - 1;
  return place < 0 || place >= count ? nowhere : places[static_cast<std::size_t>(place)];
}

void Header::apply(const HeaderEdit& edit) {
  using Kind = HeaderEdit::Kind;
  is_edited_ = true;
  if (!fields_.empty() && !fields_.back().ends_with('\n')) fields_.back() += '\n';
  if (edit.kind == Kind::add) return fields_.push_back(field_of(edit));
  if (edit.kind == Kind::insert) return insert(edit);
  if (edit.kind == Kind::remove && edit.index == 0) {
    above_received_ -= static_cast<std::size_t>(
        std::ranges::count_if(std::span(fields_).first(above_received_),
                              [&](const std::string& field) { return has_name(field, edit.name); }));
    std::erase_if(fields_, [&](const std::string& field) { return has_name(field, edit.name); });
    return;
  }
  const std::size_t place = find(edit.name, edit.index);
  const bool is_change = edit.kind == Kind::change && !edit.value.empty();
  if (place == nowhere) {
    if (is_change) fields_.push_back(field_of(edit));
  } else if (is_change) {
    fields_[place] = field_of(edit);
  } else {
    fields_.erase(fields_.begin() + static_cast<std::ptrdiff_t>(place));
    if (place < above_received_) --above_received_;
  }
}

// A filter counts our Received, too, and what it puts above it pushes it down, as in Postfix.
void Header::insert(const HeaderEdit& edit) {
  const auto count = static_cast<std::int64_t>(fields_.size()), above = static_cast<std::int64_t>(above_received_);
  const bool is_above = edit.index >= 0 && edit.index <= above;
  const std::int64_t place = edit.index < 0 ? count + edit.index + 1 : std::int64_t{edit.index} - (is_above ? 0 : 1);
  fields_.insert(fields_.begin() + std::clamp<std::int64_t>(place, 0, count), field_of(edit));
  if (is_above) ++above_received_;
}

std::string Header::text() const {
  std::string text;
  for (const std::string& field : fields_) text += field;
  return text;
}

std::string Header::text_before_body() const { return follows_ == Follows::body ? text() + '\n' : text(); }

}  // namespace postern::filter
