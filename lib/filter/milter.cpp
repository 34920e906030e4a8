#include "filter/milter.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/blocking_client.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using Failure = base::StreamFailure;

// A connection, or why there is none.
std::expected<base::Descriptor, std::string> connect(const base::SocketAddress& address, base::Deadline end) {
  const unsigned left = (static_cast<unsigned>(base::milliseconds_until(end)) + 999) / 1000;
  if (left == 0) return std::unexpected(base::describe({.kind = Failure::Kind::timed_out}));
  auto socket = base::connect_stream(address, std::min(left, spec::max_filter_connect_seconds));
  if (socket) return std::move(*socket);
  return std::unexpected(base::describe({.kind = Failure::Kind::unreachable, .error = socket.error()}));
}

// What has begun, to its end.
Verdict converse(MilterConversation& conversation, base::Descriptor socket, base::Deadline end) {
  base::carry(conversation, socket, end, {});
  base::part(conversation, std::move(socket));
  return conversation.take_verdict();
}

}  // namespace

Verdict Milter::judge(const FilterMessage& message, base::Deadline end) {
  auto socket = connect(address_, end);
  if (!socket) return {.kind = Verdict::Kind::failed, .cause = std::move(socket.error())};
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
