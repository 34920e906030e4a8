#include "filter/milter_script.hpp"

#include <array>
#include <optional>
#include <utility>

#include "base/angle_path.hpp"
#include "base/number.hpp"
#include "filter/milter_macros.hpp"

// NOLINTBEGIN(bugprone-unchecked-optional-access): looked at in two steps
namespace postern::filter {
namespace {

namespace protocol = milter_protocol;

// Of milter_protocol: it is not said, it is not answered.
struct Bits {
  std::uint32_t no = 0, silent = 0;
};
Bits bits_of(MilterCommand command) {
  switch (command) {
    case MilterCommand::connect: return {protocol::no_connect, protocol::silent_connect};
    case MilterCommand::helo: return {protocol::no_helo, protocol::silent_helo};
    case MilterCommand::mail: return {protocol::no_mail, protocol::silent_mail};
    case MilterCommand::rcpt: return {protocol::no_rcpt, protocol::silent_rcpt};
    case MilterCommand::data: return {protocol::no_data, protocol::silent_data};
    case MilterCommand::header: return {protocol::no_header, protocol::silent_header};
    case MilterCommand::end_of_header: return {protocol::no_end_of_header, protocol::silent_end_of_header};
    case MilterCommand::body: return {protocol::no_body, protocol::silent_body};
    default: return {};
  }
}

std::string with_nul(std::string_view text) { return std::string(text) + '\0'; }

std::string connect_data(const FilterClient& client) {
  std::string data = with_nul(milter_client_name(client));
  if (client.address.empty()) return data + 'U';
  const std::uint64_t port = base::parse_unsigned(client.port, 65'535).value_or(0);
  data += client.address.contains(':') ? '6' : '4';
  data += static_cast<char>(port >> 8);
  data += static_cast<char>(port & 0xFFU);
  return data + with_nul(client.address);
}

std::string mail_data(const FilterEnvelope& envelope) {
  std::string data = with_nul(base::angle_path(envelope.reverse_path));
  for (const std::string& parameter : envelope.reverse_path_parameters) data += with_nul(parameter);
  return data;
}

}  // namespace

std::string_view name_of(MilterStep step) {
  constexpr std::array<std::string_view, 10> names{"negotiation", "connect", "HELO",          "MAIL", "RCPT",
                                                   "DATA",        "header",  "end of header", "body", "end of message"};
  return names[std::to_underlying(step)];
}

std::expected<bool, int> MilterScript::put_next(std::string& octets) {
  using Stage = MilterStage;
  said_ = next_;
  switch (next_) {
    case MilterStep::offer:
    case MilterStep::connect:
      next_ = MilterStep::helo;
      put_macros(octets, Stage::connect);
      return put(octets, MilterCommand::connect, connect_data(message_.client));
    case MilterStep::helo:
      next_ = MilterStep::mail;
      put_macros(octets, Stage::helo);
      return !message_.client.helo.empty() && put(octets, MilterCommand::helo, with_nul(message_.client.helo));
    case MilterStep::mail:
      next_ = MilterStep::rcpt;
      put_macros(octets, Stage::mail);
      return put(octets, MilterCommand::mail, mail_data(message_.envelope));
    case MilterStep::rcpt: return put_recipient(octets);
    case MilterStep::data:
      next_ = MilterStep::header;
      put_macros(octets, Stage::data);
      return terms_.version >= min_milter_data_version && put(octets, MilterCommand::data, {});
    case MilterStep::header: return put_field(octets);
    case MilterStep::end_of_header:
      next_ = MilterStep::body;
      put_macros(octets, Stage::end_of_header);
      return put(octets, MilterCommand::end_of_header, {});
    case MilterStep::body: return put_chunk(octets);
    case MilterStep::end_of_message: break;
  }
  put_macros(octets, Stage::end_of_message);
  return put(octets, MilterCommand::end_of_message, {});
}

bool MilterScript::put_recipient(std::string& octets) {
  if (recipient_ == message_.envelope.forward_paths.size()) {
    next_ = MilterStep::data;
    return false;
  }
  const std::string& path = message_.envelope.forward_paths[recipient_++];
  put_macros(octets, MilterStage::rcpt, path);
  return put(octets, MilterCommand::rcpt, with_nul(base::angle_path(path)));
}

// A field that nobody wants is read all the same: the body comes after it.
std::expected<bool, int> MilterScript::put_field(std::string& octets) {
  const auto field = mail_.next_field();
  if (!field) return std::unexpected(field.error());
  if (!*field) {
    next_ = MilterStep::end_of_header;
    return false;
  }
  std::string_view value = (*field)->value;
  if (!is_agreed(protocol::leading_space) && value.starts_with(' ')) value.remove_prefix(1);  // as Sendmail
  return put(octets, MilterCommand::header, with_nul((*field)->name) + with_nul(value));
}

std::expected<bool, int> MilterScript::put_chunk(std::string& octets) {
  const bool is_over = !wants_body_ || is_agreed(protocol::no_body);
  const auto chunk = is_over ? std::string_view() : mail_.next_chunk();
  if (!chunk) return std::unexpected(chunk.error());
  if (is_over || chunk->empty()) {
    next_ = MilterStep::end_of_message;
    return false;
  }
  return put(octets, MilterCommand::body, *chunk);
}

bool MilterScript::put(std::string& octets, MilterCommand command, std::string_view data) const {
  const auto bits = bits_of(command);
  if (is_agreed(bits.no)) return false;
  put_milter_data(octets, command, data);
  return !is_agreed(bits.silent);
}

void MilterScript::put_macros(std::string& octets, MilterStage stage, std::string_view recipient) const {
  const std::string data = milter_macros(message_, stage, recipient, terms_.macros[std::to_underlying(stage)]);
  if (!data.empty()) put_milter_data(octets, MilterCommand::macros, data);
}

}  // namespace postern::filter
// NOLINTEND(bugprone-unchecked-optional-access)
