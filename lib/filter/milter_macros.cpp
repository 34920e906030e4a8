#include "filter/milter_macros.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/angle_path.hpp"

namespace postern::filter {
namespace {

constexpr std::array<std::string_view, milter_stages> usual_macros{
    "j _ {daemon_name} v {client_addr} {client_name} {client_port} {client_ptr}",
    "{tls_version} {cipher} {cipher_bits}",
    "i {auth_type} {auth_authen} {mail_addr}",
    "i {rcpt_addr}",
    "i",
    "i",
    "i",
};

MilterCommand command_of(MilterStage stage) {
  switch (stage) {
    case MilterStage::connect: return MilterCommand::connect;
    case MilterStage::helo: return MilterCommand::helo;
    case MilterStage::mail: return MilterCommand::mail;
    case MilterStage::rcpt: return MilterCommand::rcpt;
    case MilterStage::data: return MilterCommand::data;
    case MilterStage::end_of_message: return MilterCommand::end_of_message;
    case MilterStage::end_of_header: break;
  }
  return MilterCommand::end_of_header;
}

std::string or_unknown(const std::string& name) { return name.empty() ? "unknown" : name; }

// Of the names of TLS 1.2 and 1.3 in OpenSSL: the key that their cipher has.
std::string bits_of(std::string_view cipher) {
  if (cipher.find("CHACHA20") != std::string_view::npos) return "256";
  for (const std::string_view block : {"AES", "ARIA", "CAMELLIA"}) {
    const std::size_t at = cipher.find(block);
    if (at == std::string_view::npos) continue;
    const std::string_view key = cipher.substr(at + block.size());
    for (const std::string_view bits : {"256", "128"})
      if (key.starts_with(bits) || key.starts_with("_" + std::string(bits))) return std::string(bits);
  }
  return {};
}

// Without braces; a name that nobody knows has no value.
std::string value_of(std::string_view name, const FilterMessage& message, std::string_view recipient) {
  const FilterClient& client = message.client;
  const auto value = [&]() -> std::string {
    if (name == "j" || name == "daemon_name") return message.host;
    if (name == "i") return message.id;
    if (name == "v") return "postern";
    if (name == "_") return client.address.empty() ? "" : or_unknown(client.name) + " [" + client.address + "]";
    if (name == "client_addr") return client.address;
    if (name == "client_name" || name == "client_ptr") return or_unknown(client.name);
    if (name == "client_port") return client.port;
    if (name == "daemon_addr" || name == "if_addr") return client.server_address;
    if (name == "daemon_port") return client.server_port;
    if (name == "tls_version") return client.tls_version;
    if (name == "cipher") return client.tls_cipher;
    if (name == "cipher_bits") return bits_of(client.tls_cipher);
    // The session keeps no name of a mechanism; PLAIN and LOGIN are all there are, and both send the password.
    if (name == "auth_type") return client.user.empty() ? "" : "PLAIN";
    if (name == "auth_authen") return client.user;
    if (name == "mail_addr") return base::written_path(message.envelope.reverse_path);
    if (name == "rcpt_addr") return base::written_path(recipient);
    if (name == "nrcpts") return std::to_string(message.envelope.forward_paths.size());
    return {};
  };
  return value();
}

std::string_view without_braces(std::string_view name) {
  return name.size() > 2 && name.front() == '{' && name.back() == '}' ? name.substr(1, name.size() - 2) : name;
}

}  // namespace

std::string milter_client_name(const FilterClient& client) {
  return client.name.empty() ? "[" + client.address + "]" : client.name;
}

std::string milter_macros(const FilterMessage& message, MilterStage stage, std::string_view recipient,
                          const std::optional<std::string>& chosen) {
  constexpr std::string_view apart = " \t,";
  std::string data(1, std::to_underlying(command_of(stage)));
  std::string_view names = chosen ? std::string_view(*chosen) : usual_macros[std::to_underlying(stage)];
  while (!names.empty()) {
    const std::string_view word = names.substr(0, names.find_first_of(apart));
    names.remove_prefix(std::min(word.size() + 1, names.size()));
    const std::string_view name = without_braces(word);
    const std::string value = value_of(name, message, recipient);
    if (value.empty() || data.size() + name.size() + value.size() + 4 > max_milter_data_octets) continue;
    data += name.size() == 1 ? std::string(name) : "{" + std::string(name) + "}";
    data.append(1, '\0').append(value).append(1, '\0');
  }
  return data.size() == 1 ? std::string() : data;
}

}  // namespace postern::filter
