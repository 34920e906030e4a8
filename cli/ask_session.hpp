// A session of a client that nobody has seen, up to its first recipient: each question is asked as the server asks it, and the policy
// decides by the answers. Nothing is sent, stored or counted here; a policy service may count its question.
// in      a client (ask_client.hpp), and what it would say
// out     AskedQuestions, in the order in which they were asked, those that nobody asked at the end; how the session ended
// waits   as long as the questions do: DNS lists spec::max_dns_seconds, all else as in the server. Pauses of the policy are skipped
// errors  none: what cannot be asked is an answer
// source  docs/operating.md: The order in which a recipient is judged
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "cli/ask_client.hpp"

namespace postern::cli {

struct SaidByClient {
  std::string helo, sender, recipient;
  std::string user;  // that has logged in: his password is not asked for; empty: none
  bool begins_tls = false;
};

struct AskedQuestion {
  std::string source, name;  // `dns_list`, `bl.example`; as the metrics name them, and lists by their files
  std::string outcome;       // a word: `listed`, `refused`, `failed`; `not_asked`
  std::string answer;        // in words
  std::optional<base::Interval> took;
};

struct AskedVerdict {
  std::string line;  // of the client, that was answered last; empty: the greeting
  bool is_about_recipient = false;
  spec::Rule rule{};
  unsigned code = 0;  // 0: the connection is closed without a reply
  std::string reply, said_by;

  [[nodiscard]] bool is_accepted() const { return is_about_recipient && code >= 200 && code < 300; }
  [[nodiscard]] bool is_deferred() const { return code >= 400 && code < 500; }
};

struct AskedSession {
  std::vector<AskedQuestion> questions;
  AskedVerdict verdict;
};

[[nodiscard]] AskedSession ask_session(const MetClient& client, const SaidByClient& said);

}  // namespace postern::cli
