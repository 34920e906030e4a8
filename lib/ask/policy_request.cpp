#include "ask/policy_request.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "engine/trace.hpp"

namespace postern::ask {
namespace {

using Greeting = engine::SessionTrace::Greeting;

char safe(char octet) {
  const bool is_control = static_cast<unsigned char>(octet) < ' ' || octet == 0x7F;
  return is_control ? '?' : octet;
}

class Attributes {
 public:
  void add(std::string_view name, std::string_view value) {
    text_.append(name).append("=");
    std::ranges::transform(value, std::back_inserter(text_), safe);
    text_ += '\n';
  }
  void add(std::initializer_list<std::string_view> empty) {
    for (const std::string_view name : empty) add(name, {});
  }
  [[nodiscard]] std::string end() && { return std::move(text_) + '\n'; }

 private:
  std::string text_;
};

std::string_view or_unknown(std::string_view name) { return name.empty() ? "unknown" : name; }

void append_hexadecimal(std::string& text, std::uint64_t number) {
  std::array<char, 16> digits{};
  text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr);
}

// What differs between the stages.
struct Stage {
  std::string_view name, protocol, helo, sender, recipient;
  std::size_t recipients = 0;
  std::string_view id, instance, size, mechanism, user;
};

// No client certificate is asked for, and who sends for others is not told.
std::string write(const Stage& stage, const PolicyClient& client) {
  Attributes request;
  request.add("request", "smtpd_access_policy");
  request.add("protocol_state", stage.name);
  request.add("protocol_name", stage.protocol);
  request.add("client_address", or_unknown(client.address));
  request.add("client_name",
              or_unknown(client.has_confirmed_host ? std::string_view(client.host) : std::string_view()));
  request.add("client_port", client.port);
  request.add("reverse_client_name", or_unknown(client.host));
  request.add("server_address", client.server_address);
  request.add("server_port", client.server_port);
  request.add("helo_name", stage.helo);
  request.add("sender", stage.sender);
  request.add("recipient", stage.recipient);
  request.add("recipient_count", std::to_string(stage.recipients));
  request.add("queue_id", stage.id);
  request.add("instance", stage.instance);
  request.add("size", stage.size);
  request.add({"etrn_domain", "stress"});
  request.add("sasl_method", stage.mechanism);
  request.add("sasl_username", stage.user);
  request.add({"sasl_sender"});
  request.add({"ccert_subject", "ccert_issuer", "ccert_fingerprint", "ccert_pubkey_fingerprint"});
  request.add("encryption_protocol", client.tls_version);
  request.add("encryption_cipher", client.tls_cipher);
  request.add("encryption_keysize", "0");
  request.add({"policy_context"});
  return std::move(request).end();
}

}  // namespace

std::string policy_session_name(std::uint64_t nanoseconds) {
  std::string name;
  append_hexadecimal(name, static_cast<std::uint64_t>(::getpid()));
  append_hexadecimal(name += '.', nanoseconds);
  return name;
}

// It is asked of nobody who has authenticated, so what Postfix says of SASL is empty.
std::string write_policy_request(const engine::Session& session, std::string_view recipient,
                                 const PolicyClient& client) {
  const engine::SessionTrace trace = engine::trace_of(session);
  const std::string instance = client.session + '.' + std::to_string(session.transactions());
  const std::string size = std::to_string(session.envelope().declared_octets());
  return write({.name = "RCPT",
                .protocol = trace.greeting == Greeting::ehlo ? "ESMTP" : "SMTP",
                .helo = trace.helo,
                .sender = session.envelope().reverse_path(),
                .recipient = recipient,
                .id = {},
                .instance = instance,
                .size = size,
                .mechanism = {},
                .user = {}},
               client);
}

std::string write_policy_request(const PolicyMessage& message, const PolicyClient& client) {
  const std::string size = std::to_string(message.octets);
  const bool is_one = message.recipients.size() == 1;
  return write({.name = "END-OF-MESSAGE",
                .protocol = "ESMTP",
                .helo = message.helo,
                .sender = message.sender,
                .recipient = is_one ? std::string_view(message.recipients.front()) : std::string_view(),
                .recipients = message.recipients.size(),
                .id = message.id,
                .instance = message.id,
                .size = size,
                .mechanism = message.mechanism,
                .user = message.user},
               client);
}

}  // namespace postern::ask
