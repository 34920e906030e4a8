#include "filter/milter.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/blocking_client.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using Failure = base::StreamFailure;

constexpr unsigned parting_seconds = 30;  // postconf(5): milter_command_timeout

// A connection, or why there is none.
std::expected<base::Descriptor, std::string> connect(const base::SocketAddress& address, base::Deadline end) {
  const unsigned left = (static_cast<unsigned>(base::milliseconds_until(end)) + 999) / 1000;
  if (left == 0) return std::unexpected(base::describe({.kind = Failure::Kind::timed_out}));
  auto socket = base::connect_stream(address, std::min(left, spec::max_filter_connect_seconds));
  if (socket) return std::move(*socket);
  return std::unexpected(base::describe({.kind = Failure::Kind::unreachable, .error = socket.error()}));
}

// What has begun, to its end. No answer says what it answers: one that came too early, also by the width of a thread's turn, counted
// for the command after it, and so the last one is still to come. Who takes a message has to be silent until it closes.
Verdict converse(MilterConversation& conversation, base::Descriptor socket, base::Deadline end) {
  base::carry(conversation, socket, end, {}, base::Listening::before_each_word);
  Verdict verdict = conversation.take_verdict();
  const bool takes = verdict.kind == Verdict::Kind::accept || verdict.kind == Verdict::Kind::discard;
  if (!takes)
    base::part(conversation, std::move(socket));
  else if (!base::part_heard(conversation, std::move(socket), std::min(end, base::after_seconds(parting_seconds))))
    verdict = {.kind = Verdict::Kind::failed,
               .cause = "an answer that nobody asked for, or no end, after its last one"};
  return verdict;
}

}  // namespace

Verdict Milter::judge(const FilterMessage& message, base::Deadline end) {
  auto socket = connect(address_, end);
  if (!socket) return {.kind = Verdict::Kind::failed, .is_silent = true, .cause = std::move(socket.error())};
  MilterConversation conversation;
  conversation.begin(message, std::chrono::steady_clock::now());
  return converse(conversation, std::move(*socket), end);
}

std::expected<std::string, std::string> probe_milter(const base::SocketAddress& address, base::Deadline end) {
  auto socket = connect(address, end);
  if (!socket) return std::unexpected(std::move(socket.error()));
  MilterConversation conversation;
  conversation.begin_probe(std::chrono::steady_clock::now());
  Verdict verdict = converse(conversation, std::move(*socket), end);
  if (verdict.kind == Verdict::Kind::accept) return std::move(verdict.cause);
  return std::unexpected(std::move(verdict.cause));
}

}  // namespace postern::filter
