#include "filter/milter_edits.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using Kind = HeaderEdit::Kind;

// More fits in no message, whatever it changes.
constexpr std::size_t max_edit_octets = spec::max_filter_header_octets + spec::max_recipient_octets;

// What each needs to have been agreed.
struct Edit {
  MilterReply reply;
  std::uint32_t action;
};
constexpr std::array<Edit, 9> edits_there_are{{
    {MilterReply::add_header, milter_action::add_header},
    {MilterReply::insert_header, milter_action::add_header},
    {MilterReply::change_header, milter_action::change_header},
    {MilterReply::replace_body, milter_action::replace_body},
    {MilterReply::add_recipient, milter_action::add_recipient},
    {MilterReply::add_recipient_with_parameters, milter_action::add_recipient_with_parameters},
    {MilterReply::delete_recipient, milter_action::delete_recipient},
    {MilterReply::change_sender, milter_action::change_sender},
    {MilterReply::quarantine, milter_action::quarantine},
}};

const Edit* edit_of(char letter) {
  const auto* const found =
      std::ranges::find(edits_there_are, letter, [](const Edit& each) { return std::to_underlying(each.reply); });
  return found == edits_there_are.end() ? nullptr : found;
}

// Without angle brackets; nothing: no address that could stand between them.
std::optional<std::string> address_of(std::string_view text) {
  if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
  const bool is_one = text.size() <= spec::max_address_octets &&
                      std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '<' && c != '>'; });
  return is_one ? std::optional(std::string(text)) : std::nullopt;
}

// Of a recipient or a sender, which may have parameters after it.
std::optional<std::string> text_of_address(MilterReply reply, MilterFields fields) {
  const bool may_have_parameters =
      reply == MilterReply::add_recipient_with_parameters || reply == MilterReply::change_sender;
  const auto text = fields.text();
  const bool has_parameters = text && may_have_parameters && !fields.is_at_end();
  const bool is_whole = text && (!has_parameters || fields.text()) && fields.is_at_end();
  return is_whole ? address_of(*text) : std::nullopt;
}

std::string without_cr(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') plain += text[i];
  return plain;
}

}  // namespace

bool MilterEdits::is_edit(char letter) { return edit_of(letter) != nullptr; }

std::string MilterEdits::add(const MilterPacket& packet) {
  const Edit* const edit = edit_of(packet.letter);
  if (edit == nullptr || (actions_ & edit->action) == 0)
    return std::string("a change that was not agreed: ") + packet.letter;
  const bool is_body = edit->reply == MilterReply::replace_body;
  if (is_body && edits_.body && last_ != packet.letter) return "a new body with something else in its middle";
  if (!is_body) octets_ += packet.data.size() + 1;
  if (octets_ > max_edit_octets) return "too many changes";
  last_ = packet.letter;
  MilterFields fields(packet.data);
  switch (edit->reply) {
    case MilterReply::add_header: return add_field(Kind::add, fields);
    case MilterReply::insert_header: return add_field(Kind::insert, fields);
    case MilterReply::change_header: return add_field(Kind::change, fields);
    case MilterReply::replace_body: return add_body(packet.data);
    case MilterReply::quarantine: {
      const std::string_view why = packet.data.substr(0, packet.data.find('\0'));
      if (why.size() + 1 < packet.data.size()) return "a reason for quarantine with something after its end";
      quarantine_ = milter_words(why);
      return {};
    }
    default: break;
  }
  const auto address = text_of_address(edit->reply, fields);
  if (!address) return std::string("an address that is none: ") + packet.letter;
  if (edit->reply == MilterReply::change_sender) {
    edits_.reverse_path = *address;
    return {};
  }
  if (address->empty()) return "a recipient without address";
  return edit->reply == MilterReply::delete_recipient ? delete_recipient(*address) : add_recipient(*address);
}

std::string MilterEdits::add_field(Kind kind, MilterFields fields) {
  const std::uint32_t index =
      kind == Kind::add ? 0 : fields.number().value_or(std::numeric_limits<std::uint32_t>::max());
  const auto name = fields.text(), text = fields.text();
  if (!name || !text || !fields.is_at_end() || index > std::numeric_limits<std::int32_t>::max())
    return "a change of a header field that is cut";
  std::string value = without_cr(*text);
  if (!is_field_name(*name) || !is_field_value(value)) return "a header field that is none";
  if (kind == Kind::change && value.empty()) kind = Kind::remove;
  if (!sees_space_ && kind != Kind::remove) value.insert(0, 1, ' ');
  const bool is_of_a_name = kind == Kind::change || kind == Kind::remove;
  edits_.header.push_back({.kind = kind,
                           .name = std::string(*name),
                           .value = std::move(value),
                           .index = static_cast<std::int32_t>(is_of_a_name ? std::max(index, 1U) : index)});
  return {};
}

std::string MilterEdits::add_body(std::string_view octets) {
  if (!edits_.body) edits_.body.emplace();
  if (edits_.body->size() + octets.size() > max_body_octets_) return "a new body that is too large";
  *edits_.body += octets;
  return {};
}

std::string MilterEdits::add_recipient(std::string_view address) {
  if (std::ranges::count(edits_.more_recipients, address) == 0) edits_.more_recipients.emplace_back(address);
  return edits_.more_recipients.size() > spec::max_recipients ? "too many recipients" : "";
}

std::string MilterEdits::delete_recipient(std::string_view address) {
  std::erase(edits_.more_recipients, address);
  edits_.fewer_recipients.emplace_back(address);
  return {};
}

// D4 of docs/deviations.md: no mail has these, whether it comes from a client or from a filter.
std::string MilterEdits::finish() {
  if (!edits_.body) return {};
  std::string body = without_cr(*edits_.body);
  if (body.find_first_of(std::string_view("\0\r", 2)) != std::string::npos) return "a new body with NUL or a bare CR";
  if (!body.empty() && body.back() != '\n') body += '\n';
  edits_.body = std::move(body);
  return {};
}

}  // namespace postern::filter
