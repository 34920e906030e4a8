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

std::string_view name_of(config::PolicyStage stage, bool has_ehlo) {
  switch (stage) {
    case config::PolicyStage::connect: return "CONNECT";
    case config::PolicyStage::helo: return has_ehlo ? "EHLO" : "HELO";
    case config::PolicyStage::mail: return "MAIL";
    case config::PolicyStage::rcpt: return "RCPT";
    case config::PolicyStage::data: break;
  }
  return "DATA";
}

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

// What the stage does not know yet is left out; to Postfix a client speaks SMTP until EHLO is answered. A channel that STARTTLS has encrypted was clear at the connection.
std::string write_policy_request(config::PolicyStage at, const engine::Session& session, std::string_view recipient,
                                 const PolicyClient& client) {
  using config::PolicyStage;
  const engine::SessionTrace trace = engine::trace_of(session);
  const engine::Envelope& envelope = session.envelope();
  const bool has_ehlo = trace.greeting == Greeting::ehlo, has_mail = at >= PolicyStage::mail;
  const std::string instance = client.session + '.' + std::to_string(has_mail ? session.transactions() : 0);
  const std::string size = std::to_string(has_mail ? envelope.declared_octets() : 0);
  Stage stage{.name = name_of(at, has_ehlo),
              .protocol = has_mail && has_ehlo ? "ESMTP" : "SMTP",
              .helo = at == PolicyStage::connect ? std::string_view() : trace.helo,
              .sender = has_mail ? envelope.reverse_path() : std::string_view(),
              .recipient = at == PolicyStage::rcpt ? recipient : std::string_view(),
              .id = {},
              .instance = instance,
              .size = size,
              .mechanism = {},
              .user = has_mail ? std::string_view(client.user) : std::string_view()};
  if (at == PolicyStage::data) {
    stage.recipients = envelope.recipients();
    if (stage.recipients == 1) stage.recipient = envelope.first_recipient();
    stage.id = client.message_id;
  }
  const bool was_in_clear = at == PolicyStage::connect && !session.guards().has(spec::bit::channel_implicit);
  if (!was_in_clear) return write(stage, client);
  PolicyClient in_clear = client;
  in_clear.tls_version.clear();
  in_clear.tls_cipher.clear();
  return write(stage, in_clear);
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
