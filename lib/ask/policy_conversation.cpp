#include "ask/policy_conversation.hpp"

#include <utility>

namespace postern::ask {

std::string policy_trouble(base::StreamFailure failure) {
  failure.address = {};  // the service is named where it is reported
  return describe(failure);
}

void PolicyConversation::begin(std::string_view request, base::Time now) {
  unsent_ = request;
  deadline_ = now + patience_;
  reader_.clear();
  answer_ = {};
  may_repeat_ = false;
  state_ = State::busy;
}

// What comes before the whole request has gone answers something else.
void PolicyConversation::receive(std::string_view octets, base::Time) {
  if (state_ != State::busy || !unsent_.empty()) return end("an answer before the question", true);
  reader_.add(octets);
  switch (reader_.state()) {
    case PolicyReplyReader::State::partial: return;
    case PolicyReplyReader::State::malformed: return end("a malformed answer", true);
    case PolicyReplyReader::State::complete: break;
  }
  answer_.action = reader_.action();
  state_ = reader_.has_more() ? State::ended : State::idle;
}

void PolicyConversation::fail(const base::StreamFailure& failure) {
  const bool has_begun = reader_.has_begun();
  end((has_begun ? "an answer without an end, " : "") + policy_trouble(failure), has_begun);
  may_repeat_ = failure.kind == base::StreamFailure::Kind::closed && !has_begun;
}

void PolicyConversation::end(std::string trouble, bool has_begun) {
  answer_ = {.action = {}, .trouble = std::move(trouble), .has_begun = has_begun};
  unsent_ = {};
  may_repeat_ = false;
  state_ = State::ended;
}

}  // namespace postern::ask
