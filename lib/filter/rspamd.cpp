#include "filter/rspamd.hpp"

#include <algorithm>

#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using FailureKind = base::StreamFailure::Kind;

Verdict failed(FailureKind kind, int error = 0) {
  return {.kind = Verdict::Kind::failed, .cause = describe(base::StreamFailure{.kind = kind, .error = error})};
}

unsigned whole_seconds_until(base::Deadline end) {
  return (static_cast<unsigned>(base::milliseconds_until(end)) + 999) / 1000;
}

}  // namespace

Verdict Rspamd::judge(const FilterMessage& message, base::Deadline end) {
  if (auto link = links_.take()) {
    carry(*link, message, end);
    if (!link->protocol->may_repeat()) {
      Verdict verdict = link->protocol->take_verdict();
      links_.give_back(std::move(*link));
      return verdict;
    }
  }
  const unsigned seconds = std::min(whole_seconds_until(end), spec::max_filter_connect_seconds);
  if (seconds == 0) return failed(FailureKind::timed_out);
  auto socket = base::connect_stream(address_, seconds);
  if (!socket) return failed(FailureKind::unreachable, socket.error());
  RspamdLink link{.socket = std::move(*socket), .protocol = std::make_unique<RspamdConversation>()};
  carry(link, message, end);
  Verdict verdict = link.protocol->take_verdict();
  links_.give_back(std::move(link));
  return verdict;
}

void Rspamd::carry(RspamdLink& link, const FilterMessage& message, base::Deadline end) const {
  link.protocol->begin(message, settings_, end);
  base::carry(*link.protocol, link.socket, end, name_);
}

}  // namespace postern::filter
