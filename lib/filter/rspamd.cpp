#include "filter/rspamd.hpp"

#include <algorithm>

#include "base/blocking_client.hpp"
#include "filter/rspamd_conversation.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using FailureKind = base::StreamFailure::Kind;

Verdict silent(FailureKind kind, int error = 0) {
  return {.kind = Verdict::Kind::failed,
          .is_silent = true,
          .cause = describe(base::StreamFailure{.kind = kind, .error = error})};
}

unsigned whole_seconds_until(base::Deadline end) {
  return (static_cast<unsigned>(base::milliseconds_until(end)) + 999) / 1000;
}

}  // namespace

Verdict Rspamd::judge(const FilterMessage& message, base::Deadline end) {
  const unsigned seconds = std::min(whole_seconds_until(end), spec::max_filter_connect_seconds);
  if (seconds == 0) return silent(FailureKind::timed_out);
  auto socket = base::connect_stream(address_, seconds);
  if (!socket) return silent(FailureKind::unreachable, socket.error());
  RspamdConversation conversation;
  conversation.begin(message, settings_, end);
  base::carry(conversation, *socket, end, name_, base::Listening::before_each_word);
  return conversation.take_verdict();
}

}  // namespace postern::filter
