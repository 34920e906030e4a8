#include "deliver/lmtp/transaction.hpp"

#include <algorithm>
#include <utility>

#include "base/angle_path.hpp"

namespace postern::deliver {
namespace {

using Kind = LmtpTrouble::Kind;

constexpr std::size_t max_group_octets = 8192;
constexpr int go_ahead = 354;
constexpr int closing = 421;

}  // namespace

std::string describe(LmtpTrouble trouble) {
  using Stream = base::StreamFailure::Kind;
  const auto of_connection = [&](Stream kind) { return base::describe({.kind = kind, .error = trouble.error}); };
  switch (trouble.kind) {
    case Kind::unreachable: return of_connection(Stream::unreachable);
    case Kind::crowded: return of_connection(Stream::crowded);
    case Kind::timed_out: return of_connection(Stream::timed_out);
    case Kind::closed: return of_connection(Stream::closed);
    case Kind::unwilling: return "not greeted as LMTP is";
    case Kind::garbage: return "no valid reply";
    case Kind::unread: break;
  }
  return "own temporary file" + base::error_in_words(trouble.error);
}

LmtpTrouble trouble_of(const base::StreamFailure& failure) {
  switch (failure.kind) {
    case base::StreamFailure::Kind::unreachable: return {Kind::unreachable, failure.error};
    case base::StreamFailure::Kind::timed_out: return {Kind::timed_out, failure.error};
    case base::StreamFailure::Kind::closed: return {Kind::closed, failure.error};
    case base::StreamFailure::Kind::crowded: break;
  }
  return {Kind::crowded, failure.error};
}

LmtpTransaction::Step LmtpTransaction::begin() {
  result_.stage = "MAIL";
  result_.of_each.resize(mail_.forward_paths.size());
  // RFC 6152 3: nothing here could make such octets anything else.
  result_.needs_8bitmime = has_8bit() && !offers_.eight_bit_mime;
  if (result_.needs_8bitmime) return Step::complete;
  say_group();
  return Step::goes_on;
}

LmtpTransaction::Step LmtpTransaction::fail(LmtpTrouble trouble) {
  result_.trouble = trouble;
  return Step::broken;
}

std::string LmtpTransaction::command(std::size_t index) const {
  if (index > 0) return "RCPT TO:" + base::angle_path(mail_.forward_paths[index - 1]) + "\r\n";
  std::string line = "MAIL FROM:" + base::angle_path(mail_.reverse_path);
  const bool says_size = offers_.size && !is_probe();
  if (says_size) line += " SIZE=" + std::to_string(mail_.message->wire_octets());  // RFC 1870 6
  if (has_8bit()) line += " BODY=8BITMIME";
  return line + "\r\n";
}

void LmtpTransaction::say_group() {
  do {
    group_ += command(said_++);
  } while (offers_.pipelining && group_.size() < max_group_octets && said_ < commands());
}

LmtpTransaction::Step LmtpTransaction::sent(std::size_t octets) {
  if (!group_.empty()) {
    sent_ += static_cast<std::size_t>(std::ranges::count(std::string_view(group_).substr(0, octets), '\n'));
    group_.erase(0, octets);
    return Step::goes_on;
  }
  piece_.remove_prefix(octets);
  return piece_.empty() && stage_ == Stage::mail_data ? take_piece() : Step::goes_on;
}

LmtpTransaction::Step LmtpTransaction::take_piece() {
  const auto piece = wire_->next();
  if (!piece) return fail({Kind::unread, piece.error()});  // without the final dot: none takes half a message
  piece_ = *piece;
  if (!piece_.empty()) return Step::goes_on;
  stage_ = Stage::delivery;
  result_.stage = "delivery";
  heard_ = 0;
  return Step::goes_on;
}

LmtpTransaction::Step LmtpTransaction::hear(LmtpReply reply) {
  result_.has_been_answered = true;
  switch (stage_) {
    case Stage::envelope: return hear_of_envelope(std::move(reply));
    case Stage::data: return hear_of_data(std::move(reply));
    case Stage::mail_data: return hear_early(std::move(reply));
    case Stage::delivery: break;
  }
  return hear_delivery(std::move(reply));
}

LmtpTransaction::Step LmtpTransaction::hear_of_envelope(LmtpReply reply) {
  if (heard_ > 0) result_.stage = "RCPT";
  if (heard_ == sent_ || !reply.is_judgement()) return fail({Kind::garbage});
  if (heard_ > 0)
    result_.of_each[heard_ - 1] = std::move(reply);
  else if (!reply.is_positive())
    result_.of_all = std::move(reply);
  if (++heard_ < said_) return Step::goes_on;
  if (result_.of_all.code != 0) return give_up();
  if (said_ < commands()) {
    say_group();
    return Step::goes_on;
  }
  if (is_probe() || !std::ranges::all_of(result_.of_each, &LmtpReply::is_positive)) return give_up();
  stage_ = Stage::data;
  result_.stage = "DATA";
  group_ = "DATA\r\n";
  return Step::goes_on;
}

LmtpTransaction::Step LmtpTransaction::hear_of_data(LmtpReply reply) {
  if (!group_.empty()) return fail({Kind::garbage});
  if (reply.code != go_ahead) {
    if (!reply.is_temporary() && !reply.is_permanent()) return fail({Kind::garbage});
    result_.of_all = std::move(reply);
    return give_up();
  }
  stage_ = Stage::mail_data;
  result_.stage = "mail data";
  result_.has_sent_data = true;
  std::ranges::fill(result_.of_each, LmtpReply{});  // that they were taken says nothing of their delivery
  wire_.emplace(*mail_.message);
  return take_piece();
}

LmtpTransaction::Step LmtpTransaction::hear_early(LmtpReply reply) {
  if (!reply.is_temporary()) return fail({Kind::garbage});
  result_.of_all = std::move(reply);
  return Step::broken;
}

// RFC 2033 4.2: one reply for each recipient that was taken, in the order of RCPT
LmtpTransaction::Step LmtpTransaction::hear_delivery(LmtpReply reply) {
  if (!reply.is_judgement()) return fail({Kind::garbage});
  result_.of_each[heard_] = std::move(reply);
  if (++heard_ < result_.of_each.size()) return Step::goes_on;
  return is_closing() ? Step::broken : Step::complete;
}

// What the envelope left there must not meet the next one.
LmtpTransaction::Step LmtpTransaction::give_up() const { return is_closing() ? Step::broken : Step::given_up; }

// 421 at any place: the mail cluster is closing.
bool LmtpTransaction::is_closing() const {
  return result_.of_all.code == closing ||
         std::ranges::any_of(result_.of_each, [](const LmtpReply& reply) { return reply.code == closing; });
}

}  // namespace postern::deliver
