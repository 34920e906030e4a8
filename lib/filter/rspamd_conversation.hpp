// A question about a message to one rspamd over one connection, without I/O: POST /checkv2 and its answer.
// in      begin() with a message, whose mail data stays until the request has ended; octets of rspamd
// out     octets for rspamd; a Verdict, when the request has ended
// lives   for one message: it is `ended` after it, and so is its connection
// bounds  an answer as http_answer.hpp says, its body max_rspamd_answer_octets()
// errors  Verdict::Kind::failed, with the cause: also a word before the whole message has gone, or after the answer. Silent where no
//         octet of an answer has come
// source  https://docs.rspamd.com: protocol; RFC 9112
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/client_protocol.hpp"
#include "filter/crlf_pieces.hpp"
#include "filter/http_answer.hpp"
#include "filter/message.hpp"
#include "filter/verdict.hpp"

namespace postern::filter {

// The head of a request, with its empty line. No value brings a line of its own: control octets become `?`.
[[nodiscard]] std::string rspamd_request(const FilterMessage& message, std::string_view settings);

// Of its body. It lists each URL and each address of a message, so what a client writes makes it longer: it may grow with that.
[[nodiscard]] std::uint64_t max_rspamd_answer_octets(const FilterMessage& message);

class RspamdConversation final : public base::ClientProtocol {
 public:
  // settings   an id for rspamd's module `settings`, or empty. end: of the time for the request
  void begin(const FilterMessage& message, std::string_view settings, base::Time end);
  [[nodiscard]] Verdict take_verdict() { return std::move(verdict_); }

  [[nodiscard]] State state() const override { return state_; }
  [[nodiscard]] std::string_view output() const override;
  void sent(std::size_t octets, base::Time) override;
  void receive(std::string_view octets, base::Time now) override;
  [[nodiscard]] base::Time deadline() const override { return end_; }
  void fail(const base::StreamFailure& failure) override;
  // Its connection was new: who closed that would close the next one.
  [[nodiscard]] bool may_repeat() const override { return false; }

 private:
  void end(std::string cause, bool is_silent = false);

  std::string head_;
  std::size_t head_sent_ = 0;
  std::optional<CrlfPieces> body_;
  HttpAnswer answer_{0};
  Verdict verdict_;
  base::Time end_{};
  State state_ = State::idle;
};

}  // namespace postern::filter
