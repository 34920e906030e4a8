#include "filter/rspamd_conversation.hpp"

#include <algorithm>

#include "base/angle_path.hpp"
#include "filter/rspamd_answer.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

class Request {
 public:
  Request(std::string_view first_line) : text_(first_line) { text_ += "\r\n"; }
  // Nothing where there is no value.
  void add(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    text_.append(name).append(": ");
    for (const char octet : value) text_ += (octet >= '\0' && octet < ' ') || octet == '\x7F' ? '?' : octet;
    text_ += "\r\n";
  }
  [[nodiscard]] std::string end() && { return std::move(text_) + "\r\n"; }

 private:
  std::string text_;
};

}  // namespace

// As rspamd's own milter says it: the sender in angle brackets or without is one to it, and `<>` is the null reverse-path.
std::string rspamd_request(const FilterMessage& message, std::string_view settings) {
  const FilterClient& client = message.client;
  Request request("POST /checkv2 HTTP/1.1");
  request.add("Host", "rspamd");
  request.add("User-Agent", "postern");
  request.add("Connection", "close");
  request.add("Content-Length", std::to_string(message.mail->wire_octets()));
  request.add("IP", client.address);
  request.add("Helo", client.helo);
  request.add("Hostname", client.name);
  request.add("From", base::angle_path(message.envelope.reverse_path));
  for (const std::string& path : message.envelope.forward_paths) request.add("Rcpt", base::angle_path(path));
  request.add("User", client.user);
  request.add("Queue-ID", message.id);
  request.add("MTA-Name", message.host);
  request.add("MTA-Tag", "postern");
  request.add("TLS-Version", client.tls_version);
  request.add("TLS-Cipher", client.tls_cipher);
  request.add("Settings-ID", settings);
  return std::move(request).end();
}

std::uint64_t max_rspamd_answer_octets(const FilterMessage& message) {
  constexpr std::uint64_t most = 16ULL * 1024 * 1024;
  return std::min(spec::max_filter_answer_octets + 8 * message.mail->octets(), most);
}

void RspamdConversation::begin(const FilterMessage& message, std::string_view settings, base::Time end) {
  head_ = rspamd_request(message, settings);
  head_sent_ = 0;
  body_.emplace(*message.mail);
  answer_ = HttpAnswer(max_rspamd_answer_octets(message));
  verdict_ = {};
  end_ = end;
  state_ = State::busy;
  head_ += body_->piece();  // one write for most messages
  body_->take(body_->piece().size());
  if (body_->has_failed()) this->end("the message could not be read");
}

std::string_view RspamdConversation::output() const {
  if (state_ != State::busy) return {};
  return head_sent_ < head_.size() ? std::string_view(head_).substr(head_sent_) : body_->piece();
}

void RspamdConversation::sent(std::size_t octets, base::Time) {
  if (head_sent_ < head_.size())
    head_sent_ += octets;
  else
    body_->take(octets);
  if (body_->has_failed()) end("the message could not be read");
}

void RspamdConversation::receive(std::string_view octets, base::Time) {
  if (state_ != State::busy) return end("an answer before the question");
  const bool is_early = !output().empty();
  answer_.add(octets);
  if (answer_.state() == HttpAnswer::State::malformed) return end(std::string(answer_.why()));
  const bool is_whole = answer_.state() == HttpAnswer::State::complete;
  if (is_whole && answer_.status() != 200) return end("HTTP status " + std::to_string(answer_.status()));
  if (is_early) return end("an answer before the whole question");
  if (!is_whole) return;
  if (answer_.has_more()) return end("something after the answer");
  verdict_ = verdict_of_rspamd(answer_.body());
  state_ = State::ended;
  body_.reset();
}

void RspamdConversation::fail(const base::StreamFailure& failure) {
  const bool has_begun = answer_.has_begun();
  base::StreamFailure unnamed = failure;  // the filter is named where it is reported
  unnamed.address = {};
  end((has_begun ? "an answer without an end, " : "") + describe(unnamed), !has_begun);
}

void RspamdConversation::end(std::string cause, bool is_silent) {
  verdict_ = {.kind = Verdict::Kind::failed, .is_silent = is_silent, .cause = std::move(cause)};
  body_.reset();
  state_ = State::ended;
}

}  // namespace postern::filter
