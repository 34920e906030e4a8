#include "filter/edit.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/angle_path.hpp"
#include "base/client_protocol.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using Kind = EditTrouble::Kind;
using Done = std::expected<void, EditTrouble>;

Done unfit(std::string why) { return std::unexpected(EditTrouble{Kind::unfit, std::move(why)}); }
Done no_room(int error) {
  return std::unexpected(EditTrouble{Kind::no_room, "the edited message cannot be kept" + base::error_in_words(error)});
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_path(std::string_view path) {
  return path.size() <= spec::max_address_octets && std::ranges::none_of(path, [](char c) {
           return (c >= '\0' && c < ' ') || c == '\x7F' || c == '<' || c == '>';
         });
}

Done judge(const Edits& edits) {
  if (edits.header.size() + edits.more_recipients.size() + edits.fewer_recipients.size() > spec::max_filter_edits)
    return unfit("more edits than one filter may make");
  for (const HeaderEdit& edit : edits.header) {
    if (!is_field_name(edit.name)) return unfit("a field without a name that may be one");
    if (!is_field_value(edit.value)) return unfit("a value that is none: " + edit.name);
  }
  if (edits.reverse_path && !is_path(*edits.reverse_path)) return unfit("a reverse-path that is none");
  for (const std::string& path : edits.more_recipients)
    if (path.empty() || !is_path(path)) return unfit("a recipient that is none");
  return {};
}

Done change(const Edits& edits, FilterEnvelope& envelope) {
  const auto is_same = [](std::string_view one, std::string_view other) {
    return std::ranges::equal(one, other, {}, lower, lower);
  };
  for (const std::string& fewer : edits.fewer_recipients)
    std::erase_if(envelope.forward_paths,
                  [&, gone = base::path_of(fewer)](const std::string& path) { return is_same(path, gone); });
  for (const std::string& more : edits.more_recipients) {
    const std::string fresh = base::path_of(more);
    if (std::ranges::none_of(envelope.forward_paths, [&](const std::string& path) { return is_same(path, fresh); }))
      envelope.forward_paths.push_back(fresh);
  }
  if (edits.reverse_path) envelope.reverse_path = base::path_of(*edits.reverse_path);
  std::size_t octets = 0;
  for (const std::string& path : envelope.forward_paths) octets += path.size();
  if (envelope.forward_paths.size() > spec::max_recipients || octets > spec::max_recipient_octets)
    return unfit("more recipients than a message may have");
  return {};
}

Done copy(const base::MailSpool& from, std::uint64_t at, base::MailSpool& into) {
  std::array<char, std::size_t{16} * 1024> piece;
  while (at < from.octets() && into.error() == 0) {
    const auto got = from.read(at, piece);
    if (!got || *got == 0) return no_room(got ? 0 : got.error());
    into.write({piece.data(), *got});
    at += *got;
  }
  return {};
}

// body   in the place of what the mail data has
Done write(const Header& header, const std::optional<std::string>& body, base::MailSpool& mail) {
  base::MailSpool edited = mail.another();
  edited.write(body ? header.text() + '\n' : header.text_before_body());
  if (body)
    edited.write(*body);
  else if (Done copied = copy(mail, header.octets_before(), edited); !copied)
    return copied;
  if (edited.error() != 0) return no_room(edited.error());
  mail = std::move(edited);
  return {};
}

Done rewrite(const Edits& edits, base::MailSpool& mail) {
  auto header = Header::read(mail);
  if (!header) {
    if (header.error().kind == HeaderTrouble::Kind::unreadable) return no_room(header.error().error);
    return unfit("the header is too large");
  }
  for (const HeaderEdit& edit : edits.header) header->apply(edit);
  if (!header->fits()) return unfit("the header that it makes is too large");
  return write(*header, edits.body, mail);
}

}  // namespace

Done write_again(const Header& header, base::MailSpool& mail) { return write(header, std::nullopt, mail); }

Done apply(const Edits& edits, FilterMessage& message, base::MailSpool& mail) {
  if (edits.are_none()) return {};
  if (Done fit = judge(edits); !fit) return fit;
  FilterEnvelope envelope = message.envelope;
  if (Done changed = change(edits, envelope); !changed) return changed;
  if (!edits.header.empty() || edits.body)
    if (Done rewritten = rewrite(edits, mail); !rewritten) return rewritten;
  message.envelope = std::move(envelope);
  return {};
}

}  // namespace postern::filter
