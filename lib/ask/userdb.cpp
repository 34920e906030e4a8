#include "ask/userdb.hpp"

#include <chrono>

#include "base/blocking_client.hpp"
#include "spec/limits.hpp"

namespace postern::ask {

using limits::RecipientStanding;

std::string userdb_name_of(std::string_view recipient) {
  const std::size_t at = recipient.rfind('@');
  const std::string_view local_part = recipient.substr(0, at);
  const std::size_t plus = local_part.find('+', 1);
  if (plus == std::string_view::npos) return std::string(recipient);
  return std::string(local_part.substr(0, plus)).append(recipient.substr(local_part.size()));
}

RecipientStanding standing_of(const UserdbAnswer& answer, std::string_view address) {
  using Kind = UserdbAnswer::Kind;
  if (answer.kind == Kind::user) return {.event = spec::Event::recipient_ours};
  if (answer.kind == Kind::no_user) return {.event = spec::Event::recipient_unknown};
  return {.trouble = "userdb " + std::string(address) + ": " + answer.trouble +
                     ": whether there is such a user cannot be known"};
}

RecipientStanding ask_userdb_by_waiting(const base::SocketAddress& userdb, std::string_view recipient) {
  const base::Deadline end = base::after_seconds(spec::max_probe_seconds);
  const auto socket = base::connect_stream(userdb, spec::max_probe_seconds);
  if (!socket)
    return standing_of(userdb_failure({.kind = base::StreamFailure::Kind::unreachable, .error = socket.error()}),
                       userdb.text);
  UserdbConversation conversation(std::chrono::seconds{spec::max_probe_seconds});
  conversation.begin(userdb_name_of(recipient), std::chrono::steady_clock::now());
  base::carry(conversation, *socket, end, userdb.text);
  return standing_of(conversation.take_answer(), userdb.text);
}

}  // namespace postern::ask
