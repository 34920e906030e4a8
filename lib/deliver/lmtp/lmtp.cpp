#include "deliver/lmtp/lmtp.hpp"

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "deliver/envelope_paths.hpp"
#include "spec/limits.hpp"
#include "spec/policy_row.hpp"

namespace postern::deliver {
namespace {

using Result = Outcome::Result;
using spec::HandOverText;

constexpr int closing = 421;
constexpr std::size_t max_path_octets_told = 128;  // what is longer leaves no room for the reason

// Without its code: ours stands before it, and a client should read only one.
std::string in_words(const LmtpReply& reply) {
  return reply.text.empty() ? "mail cluster gives no reason" : reply.text;
}

std::string code_in_words(const LmtpReply& reply) { return "mail cluster answered " + std::to_string(reply.code); }

// With the recipient, unless the mail cluster has named it already.
std::string in_words(const LmtpReply& reply, std::string_view forward_path) {
  if (reply.text.contains(forward_path)) return in_words(reply);
  return '<' + std::string(forward_path.substr(0, max_path_octets_told)) + ">: " + in_words(reply);
}

Outcome judged(Result result, std::string_view words, std::string cause) {
  return {result, printable_line(words), std::move(cause)};
}

// "1700000000 lmtp 2.0.0 <user@example.com> 3sTkKx Saved": what the logs of both sides are searched for.
Outcome accepted(std::string_view words) {
  std::string verdict = std::to_string(::time(nullptr)) + " lmtp";
  if (!words.empty()) verdict.append(" ").append(words);
  return judged(Result::accepted, verdict, {});
}

Outcome not_stored(std::string cause) {
  return judged(Result::deferred, spec::text_of(HandOverText::cannot_store), std::move(cause));
}

Outcome not_collected(int error, std::string_view folder) {
  const bool is_full = error == ENOSPC || error == EDQUOT;
  return judged(Result::deferred, spec::text_of(is_full ? HandOverText::disk_full : HandOverText::cannot_store),
                describe({LmtpTrouble::Kind::unread, error}) + ": " + std::string(folder));
}

std::ptrdiff_t takers(const LmtpResult& result) {
  return result.has_sent_data ? std::ranges::count_if(result.of_each, &LmtpReply::is_positive) : 0;
}

std::string takers_in_words(const LmtpResult& result) {
  const auto count = takers(result);
  if (count == 0) return {};
  return std::to_string(count) + " of " + std::to_string(result.of_each.size()) + " recipients took it";
}

// Why a mail cluster that has ended the connection said it would (RFC 5321 3.8); empty where it said nothing.
std::string last_words(const LmtpResult& result) {
  const auto reply = std::ranges::find(result.of_each, closing, &LmtpReply::code);
  if (reply == result.of_each.end()) return {};
  return code_in_words(*reply) + (reply->text.empty() ? "" : " " + printable_line(reply->text)) + ", ";
}

Outcome failed(LmtpTrouble trouble, const LmtpResult& result, const std::string& address) {
  const bool is_unreachable = trouble.kind == LmtpTrouble::Kind::unreachable;
  std::string cause = last_words(result) + describe(trouble) + ": " + address;
  if (!is_unreachable) cause.append(", at ").append(result.stage);
  if (takers(result) > 0) cause += ", " + takers_in_words(result);
  return judged(Result::deferred,
                spec::text_of(is_unreachable ? HandOverText::cluster_unreachable : HandOverText::cluster_failed),
                std::move(cause));
}

Outcome outcome_of(const LmtpResult& result, const std::vector<std::string>& forward_paths,
                   const std::string& address) {
  if (result.needs_8bitmime)
    return judged(Result::refused, spec::text_of(HandOverText::no_8bitmime), "no 8BITMIME: " + address);
  if (result.of_all.code != 0)
    return judged(result.of_all.is_permanent() ? Result::refused : Result::deferred, in_words(result.of_all),
                  code_in_words(result.of_all));
  if (result.trouble) return failed(*result.trouble, result, address);
  const auto first = [&](auto is_so) { return std::ranges::find_if(result.of_each, is_so); };
  const auto about = [&](auto reply, Result outcome) {
    const auto index = static_cast<std::size_t>(reply - result.of_each.begin());
    const std::string others = takers_in_words(result);
    return judged(outcome, in_words(*reply, forward_paths[index]),
                  code_in_words(*reply) + (others.empty() ? "" : ", " + others));
  };
  if (const auto reply = first(&LmtpReply::is_temporary); reply != result.of_each.end())
    return about(reply, Result::deferred);
  if (const auto reply = first(&LmtpReply::is_permanent); reply != result.of_each.end())
    return about(reply, Result::refused);
  return accepted(result.of_each.front().text);
}

bool has_mark(const std::vector<LmtpTaken::Mark>& marks, const LmtpTaken::Mark& mark) {
  return std::ranges::find(marks, mark) != marks.end();
}

}  // namespace

std::string Lmtp::begin(MessageId, std::string_view received, std::string_view) {
  abandon();
  has_begun_ = true;
  received_ = received;  // memory for the message is taken when there is some of it
  if (cluster_.settings().opens_file_at_once) message_.open();
  if (message_.error() == 0) return {};
  return not_collected(message_.error(), cluster_.settings().file_folder).cause;
}

void Lmtp::append(std::string_view octets) {
  message_.write(received_);
  received_.clear();
  message_.write(octets);
  hash_.add(octets);
}

// Each path once, however often it was named.
std::optional<Lmtp::Work> Lmtp::work_for(std::string_view envelope_octets) const {
  const auto envelope = parse_envelope(envelope_octets);
  if (!envelope || has_control_octet(envelope->reverse_path)) return std::nullopt;
  Work work{.reverse_path = envelope->reverse_path, .forward_paths = {}, .marks = {}, .taken_before = {}};
  for (const std::string_view forward_path : envelope->forward_paths) {
    std::string path = forward_path_of(cluster_.settings(), forward_path);
    if (path.empty()) return std::nullopt;
    const LmtpTaken::Mark mark = LmtpTaken::mark_of(hash_, work.reverse_path, path);
    if (has_mark(work.marks, mark) || has_mark(work.taken_before, mark)) continue;
    if (cluster_.taken().has(mark)) {
      work.taken_before.push_back(mark);
    } else {
      work.marks.push_back(mark);
      work.forward_paths.push_back(std::move(path));
    }
  }
  return work;
}

Outcome Lmtp::finish(std::string_view octets, std::string_view envelope_octets) {
  if (auto outcome = prepare(octets, envelope_octets)) return std::move(*outcome);
  return conclude(cluster_.transact(mail(), base::after_seconds(cluster_.settings().timeouts.delivery_seconds)));
}

std::optional<Outcome> Lmtp::prepare(std::string_view octets, std::string_view envelope_octets) {
  append(octets);
  auto outcome = outcome_without_cluster(envelope_octets);
  if (outcome) abandon();
  return outcome;
}

std::optional<Outcome> Lmtp::outcome_without_cluster(std::string_view envelope_octets) {
  auto work = work_for(envelope_octets);
  if (!has_begun_) return not_stored("no message");
  if (!work) return not_stored("no whole envelope");
  if (message_.error() != 0) return not_collected(message_.error(), cluster_.settings().file_folder);
  work_ = std::move(*work);
  if (!work_.forward_paths.empty()) return std::nullopt;
  cluster_.taken().forget(work_.taken_before);
  return accepted({});
}

Outcome Lmtp::conclude(const LmtpResult& result) {
  Outcome outcome = outcome_of(result, work_.forward_paths, cluster_.settings().address.text);
  keep_account(result, outcome);
  abandon();
  return outcome;
}

// Once the client has a final reply the marks are not needed any more.
void Lmtp::keep_account(const LmtpResult& result, const Outcome& outcome) {
  if (outcome.result != Result::deferred) {
    cluster_.taken().forget(work_.marks);
    cluster_.taken().forget(work_.taken_before);
    return;
  }
  std::vector<LmtpTaken::Mark> takers = work_.taken_before;
  for (std::size_t i = 0; i < result.of_each.size(); ++i)
    if (result.has_sent_data && result.of_each[i].is_positive()) takers.push_back(work_.marks[i]);
  cluster_.taken().remember(takers);
}

void Lmtp::abandon() {
  received_.clear();
  message_.clear();
  hash_ = cluster_.taken().begin();
  work_ = {};
  has_begun_ = false;
}

}  // namespace postern::deliver
