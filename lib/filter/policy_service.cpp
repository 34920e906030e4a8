#include "filter/policy_service.hpp"

#include <algorithm>
#include <chrono>

#include "ask/policy_request.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using FailureKind = base::StreamFailure::Kind;
using PolicyLink = Link<ask::PolicyConversation>;

unsigned whole_seconds_until(base::Deadline end) {
  return (static_cast<unsigned>(base::milliseconds_until(end)) + 999) / 1000;
}

// access(5): DISCARD optional text.
bool is_discard(std::string_view action) {
  constexpr std::string_view blanks = " \t";
  action.remove_prefix(std::min(action.find_first_not_of(blanks), action.size()));
  action = action.substr(0, action.find_first_of(blanks));
  return std::ranges::equal(action, std::string_view("discard"), {},
                            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
}

// "Name: value\n", as policy_verdict() makes it.
HeaderEdit at_the_top(std::string_view field) {
  const std::size_t colon = field.find(':');
  return {.kind = HeaderEdit::Kind::insert,
          .name = std::string(field.substr(0, colon)),
          .value = std::string(field.substr(colon + 1, field.size() - colon - 2)),
          .index = 0};
}

}  // namespace

Verdict verdict_of(const ask::PolicyAnswer& answer) {
  if (!answer.trouble.empty())
    return {.kind = Verdict::Kind::failed, .is_silent = !answer.has_begun, .cause = answer.trouble};
  using Kind = ask::PolicyVerdict::Kind;
  ask::PolicyVerdict said = ask::policy_verdict(answer.action, ask::PolicyAbout::message);
  Verdict verdict{.kind = Verdict::Kind::accept, .cause = answer.action};
  switch (said.kind) {
    case Kind::permit:
    case Kind::indifferent:
    case Kind::remark:
    case Kind::defer_if_refuse: break;
    case Kind::prepend:
      if (!said.words.empty()) verdict.edits.header.push_back(at_the_top(said.words));
      break;
    case Kind::refuse: verdict.kind = Verdict::Kind::refuse; break;
    case Kind::defer:
    case Kind::defer_if_permit: verdict.kind = Verdict::Kind::defer; break;
    case Kind::
        another:  // it has spoken, and may have meant to refuse: no failure, which the operator may want to be taken
      verdict.kind = is_discard(answer.action) ? Verdict::Kind::discard : Verdict::Kind::defer;
      break;
  }
  if (verdict.kind == Verdict::Kind::refuse || verdict.kind == Verdict::Kind::defer) verdict.words = said.words;
  return verdict;
}

Verdict PolicyService::judge(const FilterMessage& message, base::Deadline end) {
  const FilterClient& client = message.client;
  const std::string request = ask::write_policy_request(ask::PolicyMessage{.helo = client.helo,
                                                                           .sender = message.envelope.reverse_path,
                                                                           .recipients = message.envelope.forward_paths,
                                                                           .octets = message.mail->octets(),
                                                                           .id = message.id,
                                                                           .user = client.user,
                                                                           .mechanism = {}},
                                                        ask::PolicyClient{.address = client.address,
                                                                          .port = client.port,
                                                                          .host = client.name,
                                                                          .has_confirmed_host = !client.name.empty(),
                                                                          .server_address = client.server_address,
                                                                          .server_port = client.server_port,
                                                                          .tls_version = client.tls_version,
                                                                          .tls_cipher = client.tls_cipher,
                                                                          .session = {}});
  return verdict_of(ask(request, std::min(end, base::after_seconds(spec::max_policy_seconds))));
}

ask::PolicyAnswer PolicyService::ask(const std::string& request, base::Deadline end) {
  const auto carry = [&](PolicyLink& link) {
    link.protocol->begin(request, std::chrono::steady_clock::now());
    base::carry(*link.protocol, link.socket, end, name_, base::Listening::before_each_word);
  };
  if (auto link = links_.take()) {
    carry(*link);
    if (!link->protocol->may_repeat()) {
      ask::PolicyAnswer answer = link->protocol->take_answer();
      links_.give_back(std::move(*link));
      return answer;
    }
  }
  const unsigned seconds = std::min(whole_seconds_until(end), spec::max_policy_connect_seconds);
  if (seconds == 0) return {.trouble = ask::policy_trouble({.kind = FailureKind::timed_out})};
  auto socket = base::connect_stream(address_, seconds);
  if (!socket) return {.trouble = ask::policy_trouble({.kind = FailureKind::unreachable, .error = socket.error()})};
  PolicyLink link{
      .socket = std::move(*socket),
      .protocol = std::make_unique<ask::PolicyConversation>(std::chrono::seconds(spec::max_policy_seconds))};
  carry(link);
  ask::PolicyAnswer answer = link.protocol->take_answer();
  links_.give_back(std::move(link));
  return answer;
}

}  // namespace postern::filter
