// What a policy service answers: its octets; what stands between two octets 0xFF comes at once.
// oracle  a naive reader of the same octets: what the action is, what is wrong, whether the connection may be used again and the
//         request repeated; the octets one by one change nothing. What a client reads of it is one line of printable ASCII with an
//         enhanced code of its class, and a header field is one line
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ask/policy_conversation.hpp"
#include "fuzz/must.hpp"
#include "fuzz/split.hpp"

namespace {

using namespace postern;
using fuzz::must;
using State = base::ClientProtocol::State;
using Kind = ask::PolicyVerdict::Kind;
using Strings = std::vector<std::string>;

constexpr std::string_view request = "request=smtpd_access_policy\n\n";
constexpr std::size_t most_octets = 4096, most_words = 255, most_field = 999;

struct Told {
  std::string action;
  bool has_failed = false, may_repeat = false;
  State state = State::busy;
  friend bool operator==(const Told&, const Told&) = default;
};

// ---- the naive reader: all that has come so far, read again from its beginning

struct Answer {
  enum class Kind : std::uint8_t { partial, broken, whole } kind = Kind::partial;
  std::string action;
  std::size_t octets = 0;
};

Answer read(const std::string& all) {
  Strings actions;
  const std::size_t nul = std::min(all.find('\0'), most_octets);
  for (std::size_t begin = 0, end = 0; (end = all.find('\n', begin)) < nul; begin = end + 1) {
    const std::string line = all.substr(begin, end - begin);
    if (line.empty() && actions.size() == 1) return {Answer::Kind::whole, actions[0], end + 1};
    if (line.empty() || line.find('=') == std::string::npos || line.find('=') == 0)
      return {Answer::Kind::broken, {}, 0};
    if (line.substr(0, line.find('=')) == "action") actions.push_back(line.substr(7));
    if (actions.size() == 2) return {Answer::Kind::broken, {}, 0};
  }
  return {all.size() > nul ? Answer::Kind::broken : Answer::Kind::partial, {}, 0};
}

Told naive(const Strings& pieces) {
  std::string all;
  for (const std::string& piece : pieces) {
    all += piece;
    const Answer answer = read(all);
    if (answer.kind == Answer::Kind::broken) return {.has_failed = true, .state = State::ended};
    if (answer.kind == Answer::Kind::whole)
      return {.action = answer.action, .state = all.size() > answer.octets ? State::ended : State::idle};
  }
  return {.has_failed = true, .may_repeat = all.empty(), .state = State::ended};  // the connection ends
}

// ---- ours

Told hold(const Strings& pieces, std::size_t at_once) {
  ask::PolicyConversation conversation(std::chrono::seconds(1));
  const base::Time now{};
  conversation.begin(request, now);
  conversation.sent(request.size(), now);
  for (const std::string& piece : pieces) {
    if (conversation.state() != State::busy) break;
    for (std::size_t at = 0; at < piece.size(); at += at_once) {
      if (at_once == 1 && conversation.state() == State::ended) break;
      // What comes after the answer in one piece is unasked, also octet by octet.
      conversation.receive(std::string_view(piece).substr(at, at_once), now);
      if (at_once == 1 && conversation.state() == State::idle && at + 1 < piece.size()) {
        Told told{.action = conversation.take_answer().action};
        conversation.receive(piece.substr(at + 1, 1), now);
        told.state = conversation.state();
        return told;
      }
    }
  }
  if (conversation.state() == State::busy) conversation.fail({.kind = base::StreamFailure::Kind::closed});
  Told told{.may_repeat = conversation.may_repeat(), .state = conversation.state()};
  ask::PolicyAnswer answer = conversation.take_answer();
  told.has_failed = !answer.trouble.empty();
  told.action = std::move(answer.action);
  return told;
}

// ---- what it means

bool is_line(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

void check_verdict(std::string_view action) {
  const ask::PolicyVerdict verdict = ask::policy_verdict(action);
  const std::string& words = verdict.words;
  const bool is_for_good = verdict.kind == Kind::refuse;
  const bool is_for_client = is_for_good || verdict.kind == Kind::defer || verdict.kind == Kind::defer_if_permit ||
                             verdict.kind == Kind::defer_if_refuse;
  if (is_for_client) {
    must(is_line(words) && words.size() <= most_words, "a client would not read one line", words);
    must(words.starts_with(is_for_good ? "5." : "4.") && words.size() > 6, "no enhanced code of its class", words);
  } else if (verdict.kind == Kind::prepend && !words.empty()) {
    must(words.back() == '\n' && is_line(std::string_view(words).substr(0, words.size() - 1)), "not one line", words);
    must(words.size() <= most_field && words.find(':') != std::string::npos && words.find(':') != 0, "no field", words);
  } else {
    must(words.empty(), "words for nobody", words);
  }
  const bool says_ok = action.find_first_of("OoPp") < action.size();
  must(verdict.kind != Kind::permit || says_ok, "permitted without a word for it", action);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Strings pieces = fuzz::split({reinterpret_cast<const char*>(data), size});
  const Told wanted = naive(pieces), ours = hold(pieces, std::string::npos), cut = hold(pieces, 1);
  must(ours == wanted, "the naive reader says otherwise", ours.action);
  must(cut == wanted, "cut octet by octet it ends otherwise", cut.action);
  check_verdict(ours.action);
  return 0;
}
