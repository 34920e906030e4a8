#include "filter/milter_conversation.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

// NOLINTBEGIN(bugprone-unchecked-optional-access): script_ and edits_ are there while it is busy
namespace postern::filter {
namespace {

using Kind = Verdict::Kind;
using namespace std::string_view_literals;

constexpr std::size_t much_to_send = 128UZ * 1024;
constexpr std::size_t spare_body_octets = 1UZ * 1024 * 1024;
constexpr std::string_view unasked = "an answer that nobody asked for";

// A filter adds to a body, or takes from it: one that makes it more than twice as large is none.
std::size_t max_body_octets(const FilterMessage& message) {
  return 2 * static_cast<std::size_t>(message.mail->octets()) + spare_body_octets;
}

// Those that are nothing but their letter.
bool is_alone(MilterReply reply) {
  switch (reply) {
    case MilterReply::carry_on:
    case MilterReply::accept:
    case MilterReply::discard:
    case MilterReply::reject:
    case MilterReply::defer:
    case MilterReply::skip:
    case MilterReply::progress:
    case MilterReply::shutdown:
    case MilterReply::connection_failed: return true;
    default: return false;
  }
}

}  // namespace

void MilterConversation::begin(const FilterMessage& message, base::Time now) {
  message_ = &message;
  packets_ = MilterPacketReader(max_body_octets(message));
  offer(now);
}

void MilterConversation::begin_probe(base::Time now) { offer(now); }

void MilterConversation::offer(base::Time now) {
  std::string data;
  for (const std::uint32_t number : {milter_version, milter_action::all, milter_protocol::offered})
    put_milter_number(data, number);
  put_milter_data(unsent_, MilterCommand::negotiate, data);
  is_awaiting_ = true;
  state_ = State::busy;
  wait(now);
}

void MilterConversation::wait(base::Time now) {
  const bool is_content = step() >= MilterStep::header;
  deadline_ = now + std::chrono::seconds(is_content ? timeouts_.content_seconds : timeouts_.command_seconds);
}

void MilterConversation::sent(std::size_t octets, base::Time now) {
  sent_ += octets;
  if (sent_ == unsent_.size()) {
    unsent_.clear();
    sent_ = 0;
    go_on();
  }
  wait(now);
}

void MilterConversation::go_on() {
  while (state_ == State::busy && !is_awaiting_ && unsent_.size() < much_to_send) {
    const auto is_answered = script_->put_next(unsent_);
    if (is_answered)
      is_awaiting_ = *is_answered;
    else if (is_answered.error() == EMSGSIZE)
      end(Kind::refuse, "5.6.0 a field of the header is too long for a content filter",
          "a header field fits in no packet");
    else
      end(Kind::failed, {}, "the message cannot be read back" + base::error_in_words(is_answered.error()));
  }
}

void MilterConversation::receive(std::string_view octets, base::Time now) {
  if (state_ != State::busy) return;
  packets_.add(octets);
  while (state_ == State::busy) {
    const auto packet = packets_.next();
    if (!packet) break;
    hear(*packet);
    wait(now);
  }
  if (state_ == State::busy && packets_.is_malformed()) end(Kind::failed, {}, "a packet without an end or a letter");
  if (state_ == State::busy && is_our_turn() && !packets_.is_empty()) end(Kind::failed, {}, unasked);
}

void MilterConversation::hear(const MilterPacket& packet) {
  if (is_our_turn()) return end(Kind::failed, {}, unasked);
  if (!script_) return hear_terms(packet);
  const bool is_at_end = step() == MilterStep::end_of_message;
  const auto reply = static_cast<MilterReply>(packet.letter);
  if (is_at_end && MilterEdits::is_edit(packet.letter)) {
    if (const std::string wrong = edits_->add(packet); !wrong.empty()) end(Kind::failed, {}, wrong);
    return;
  }
  if (is_alone(reply) && !packet.data.empty()) return end(Kind::failed, {}, "an answer with something after its end");
  switch (reply) {
    case MilterReply::progress: return;
    case MilterReply::skip:
      if (step() != MilterStep::body) break;
      script_->skip_body();
      [[fallthrough]];
    case MilterReply::carry_on:
      if (is_at_end) return accept();
      is_awaiting_ = false;
      return go_on();
    case MilterReply::accept: return accept();
    case MilterReply::discard:
      if (step() < MilterStep::mail) break;
      return end(Kind::discard, {}, "discard");
    case MilterReply::reject: return end(Kind::refuse, {}, "reject");
    case MilterReply::defer: return end(Kind::defer, {}, "tempfail");
    case MilterReply::shutdown: return end(Kind::defer, {}, "shutdown");
    case MilterReply::text: return hear_text(packet.data);
    case MilterReply::connection_failed: return end(Kind::failed, {}, "it wants the connection to fail");
    default: break;
  }
  end(Kind::failed, {}, "an answer that does not belong there: " + milter_words({&packet.letter, 1}));
}

void MilterConversation::hear_terms(const MilterPacket& packet) {
  if (static_cast<MilterReply>(packet.letter) != MilterReply::negotiate)
    return end(Kind::failed, {}, "no answer to our offer");
  auto terms = read_milter_terms(packet.data);
  if (!terms) return end(Kind::failed, {}, terms.error());
  terms_ = std::move(*terms);
  if (message_ == nullptr) return end(Kind::accept, {}, "version " + std::to_string(terms_.version));
  script_.emplace(*message_, terms_);
  edits_.emplace(terms_, max_body_octets(*message_));
  is_awaiting_ = false;
  go_on();
}

void MilterConversation::hear_text(std::string_view data) {
  auto text = read_milter_text(data);
  if (!text) return end(Kind::failed, {}, "a reply that is none");
  end(text->code >= 500 ? Kind::refuse : Kind::defer, std::move(text->words), "reply " + std::to_string(text->code));
}

// Before the end of the message a filter takes it as it is.
void MilterConversation::accept() {
  if (!packets_.is_empty()) return end(Kind::failed, {}, unasked);
  if (const std::string wrong = edits_->finish(); !wrong.empty()) return end(Kind::failed, {}, wrong);
  verdict_ = {.kind = Kind::accept,
              .is_silent = false,
              .words = {},
              .edits = std::move(edits_->edits()),
              .quarantine = std::move(edits_->quarantine()),
              .cause = {}};
  state_ = State::ended;
}

void MilterConversation::fail(const base::StreamFailure& failure) {
  if (state_ == State::ended) return;
  base::StreamFailure nameless = failure;
  nameless.address = {};  // the filter is named where it is reported
  const bool is_silent = packets_.is_empty() && !(edits_ && edits_->has_begun());
  end(Kind::failed, {}, (is_silent ? "" : "an answer without an end, ") + describe(nameless));
  verdict_.is_silent = is_silent;
}

void MilterConversation::end(Kind kind, std::string words, std::string_view cause) {
  if (state_ == State::ended) return;
  verdict_ = {.kind = kind,
              .is_silent = false,
              .words = std::move(words),
              .edits = {},
              .quarantine = {},
              .cause = std::string(cause) + (message_ == nullptr ? "" : ", at " + std::string(name_of(step())))};
  unsent_.clear();
  sent_ = 0;
  state_ = State::ended;
}

// Also in the middle of a message, which the filter then drops.
std::string_view MilterConversation::farewell() const {
  return verdict_.kind == Kind::failed ? std::string_view() : "\0\0\0\1Q"sv;
}

}  // namespace postern::filter
// NOLINTEND(bugprone-unchecked-optional-access)
