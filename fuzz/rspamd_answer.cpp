// What rspamd answers: its octets; what stands between two octets 0xFF comes at once.
// oracle  a naive reader of the HTTP in the same octets: the body, what is wrong, whether the connection may be used again and the
//         request repeated; the octets one by one change nothing. What a verdict says to a client is one line of printable ASCII with
//         an enhanced code of its class; its edits leave a message whose other fields and body are what they were, or all of it
#include "filter/rspamd_answer.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "filter/edit.hpp"
#include "filter/rspamd_conversation.hpp"
#include "fuzz/must.hpp"
#include "fuzz/split.hpp"

namespace {

using namespace postern;
using fuzz::must;
using State = base::ClientProtocol::State;
using Kind = filter::Verdict::Kind;
using Strings = std::vector<std::string>;

constexpr std::string_view mail_data = "A: 1\n\n";
constexpr std::size_t most_head = 8192, most_body = 262'144 + 8 * mail_data.size(), most_words = 255;
constexpr base::Time now{};

struct Told {
  Kind kind = Kind::failed;
  std::string words;
  std::size_t edits = 0;
  bool is_silent = false;
  friend bool operator==(const Told&, const Told&) = default;
};

// ---- the naive reader: all that has come so far, read again from its beginning

struct Answer {
  enum class Kind : std::uint8_t { partial, broken, whole } kind = Kind::partial;
  unsigned status = 0;
  std::string body{};
  std::size_t octets = 0;
};
const Answer broken{.kind = Answer::Kind::broken};
const Answer partial{};

class Lines {
 public:
  explicit Lines(const std::string& all) : all_(all) {}

  enum class Next : std::uint8_t { line, none_yet, wrong };
  Next next(std::string& line) {
    const std::size_t end = all_.find('\n', at);
    const std::size_t octets = (end == std::string::npos ? all_.size() : end + 1) - at;
    if (used_ + octets > most_head) return Next::wrong;
    if (end == std::string::npos) return Next::none_yet;
    used_ += octets;
    line = all_.substr(at, octets - 1);
    at = end + 1;
    if (line.empty() || line.back() != '\r') return Next::wrong;
    line.pop_back();
    return line.find('\r') != std::string::npos || line.find('\0') != std::string::npos ? Next::wrong : Next::line;
  }

  std::size_t at = 0;

 private:
  const std::string& all_;
  std::size_t used_ = 0;
};

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}
std::string trim(std::string text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.pop_back();
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.erase(0, 1);
  return text;
}
bool all_of(const std::string& text, const char* allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string::npos;
}

struct Head {
  unsigned status = 0;
  bool is_chunked = false, is_wrong = false;
  Strings lengths{};
};

void take_field(const std::string& line, Head& head) {
  constexpr const char* token = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos || !all_of(line.substr(0, colon), token)) {
    head.is_wrong = true;
    return;
  }
  const std::string name = lower(line.substr(0, colon)), value = lower(trim(line.substr(colon + 1)));
  if (name == "content-length") head.lengths.push_back(value);
  if (name == "content-encoding") head.is_wrong |= value != "identity";
  if (name == "transfer-encoding") {
    head.is_wrong |= value != "chunked" || head.is_chunked;
    head.is_chunked = true;
  }
  head.is_wrong |=
      head.lengths.size() > 1 || (name == "content-length" && (!all_of(value, "0123456789") || value.size() > 10));
}

bool take_status(const std::string& line, Head& head) {
  const std::string version = line.substr(0, 9), code = line.substr(std::min<std::size_t>(9, line.size()), 3);
  if ((version != "HTTP/1.1 " && version != "HTTP/1.0 ") || code.size() != 3 || !all_of(code, "0123456789"))
    return false;
  if (line.size() > 12 && line[12] != ' ') return false;
  head.status = static_cast<unsigned>(std::atoi(code.c_str()));
  return head.status >= 200;
}

Answer read_chunks(const std::string& all, Lines& lines, const Head& head) {
  Answer answer{.status = head.status};
  for (std::string line;;) {
    if (const auto next = lines.next(line); next != Lines::Next::line)
      return next == Lines::Next::wrong ? broken : partial;
    const std::string size = trim(line.substr(0, line.find(';')));
    if (!all_of(size, "0123456789abcdefABCDEF") || size.size() > 8) return broken;
    const std::size_t octets = std::strtoul(size.c_str(), nullptr, 16);
    if (octets > most_body - answer.body.size()) return broken;
    if (octets == 0) break;
    if (all.size() - lines.at < octets) return partial;
    answer.body += all.substr(lines.at, octets);
    lines.at += octets;
    if (const auto next = lines.next(line); next != Lines::Next::line || !line.empty())
      return next == Lines::Next::none_yet ? partial : broken;
  }
  for (std::string line = "x"; !line.empty();)
    if (const auto next = lines.next(line); next != Lines::Next::line)
      return next == Lines::Next::wrong ? broken : partial;
  answer.kind = Answer::Kind::whole;
  answer.octets = lines.at;
  return answer;
}

Answer read(const std::string& all) {
  Lines lines(all);
  Head head;
  std::string line;
  if (const auto next = lines.next(line); next != Lines::Next::line)
    return next == Lines::Next::wrong ? broken : partial;
  if (!take_status(line, head)) return broken;
  for (;;) {
    if (const auto next = lines.next(line); next != Lines::Next::line)
      return next == Lines::Next::wrong ? broken : partial;
    if (line.empty()) break;
    take_field(line, head);
    if (head.is_wrong) return broken;
  }
  if (head.is_chunked == !head.lengths.empty()) return broken;
  if (head.is_chunked) return read_chunks(all, lines, head);
  const std::size_t length = std::strtoul(head.lengths[0].c_str(), nullptr, 10);
  if (length > most_body) return broken;
  if (all.size() - lines.at < length) return partial;
  return {.kind = Answer::Kind::whole,
          .status = head.status,
          .body = all.substr(lines.at, length),
          .octets = lines.at + length};
}

Told naive(const Strings& pieces) {
  std::string all;
  for (const std::string& piece : pieces) {
    all += piece;
    const Answer answer = read(all);
    if (answer.kind == Answer::Kind::partial) continue;
    if (answer.kind == Answer::Kind::broken || answer.status != 200) return {};
    if (all.size() != answer.octets) return {};
    const filter::Verdict verdict = filter::verdict_of_rspamd(answer.body);
    return {.kind = verdict.kind, .words = verdict.words, .edits = verdict.edits.header.size()};
  }
  return {.is_silent = all.empty()};  // the connection ends
}

// ---- ours

Told hold(const Strings& pieces, std::size_t at_once, filter::Verdict& verdict) {
  base::MailSpool mail("/tmp");
  mail.write(mail_data);
  filter::FilterMessage message;
  message.mail = &mail;
  filter::RspamdConversation conversation;
  conversation.begin(message, "", now);
  while (!conversation.output().empty()) conversation.sent(conversation.output().size(), now);
  bool has_more = false;
  for (const std::string& piece : pieces) {
    std::size_t at = 0;
    for (; at < piece.size() && conversation.state() == State::busy; at += at_once)
      conversation.receive(std::string_view(piece).substr(at, at_once), now);
    if (conversation.state() == State::busy) continue;
    has_more = at_once == 1 && at < piece.size();  // unasked, as it is in one piece with the answer
    break;
  }
  if (conversation.state() == State::busy) conversation.fail({.kind = base::StreamFailure::Kind::closed});
  must(conversation.state() == State::ended, "a second answer would be heard", {});
  verdict = conversation.take_verdict();
  if (has_more) verdict = {};
  return {.kind = verdict.kind,
          .words = verdict.words,
          .edits = verdict.edits.header.size(),
          .is_silent = verdict.is_silent};
}

// ---- what it means

bool is_line(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

void check_words(const filter::Verdict& verdict) {
  const bool is_for_good = verdict.kind == Kind::refuse;
  if (!is_for_good && verdict.kind != Kind::defer) return;
  must(is_line(verdict.words) && verdict.words.size() <= most_words, "a client would not read one line", verdict.words);
  must(verdict.words.starts_with(is_for_good ? "5." : "4.") && verdict.words.size() > 6,
       "no enhanced code of its class", verdict.words);
}

std::string read_all(const base::MailSpool& mail) {
  std::string all(mail.octets(), '\0');
  must(!all.empty() && mail.read(0, all).value_or(0) == std::min(all.size(), base::spool_memory_octets), "not read",
       all);
  return all;
}

// A field that no edit names stays where it was between its neighbours, and so does the body.
void check_edits(const filter::Verdict& verdict) {
  if (verdict.kind != Kind::accept) return;
  const std::string before = "Keep-1: \xFF\n two\nSubject: old\nKeep-2:\n\nbody\n";
  base::MailSpool mail("/tmp");
  mail.write(before);
  filter::FilterMessage message{.envelope = {.forward_paths = {"a@b.example"}}};
  message.mail = &mail;
  const bool is_done = filter::apply(verdict.edits, message, mail).has_value();
  if (mail.octets() > base::spool_memory_octets) return;  // what is read in one piece is enough
  const std::string after = read_all(mail);
  if (!is_done) return must(after == before, "half of the edits are made", after);
  const auto names = [&](std::string_view name) {
    return std::ranges::any_of(verdict.edits.header,
                               [&](const filter::HeaderEdit& edit) { return lower(edit.name) == name; });
  };
  const std::size_t first = after.find("Keep-1: \xFF\n two\n"), second = after.find("Keep-2:\n");
  must(names("keep-1") || first != std::string::npos, "a field is gone", after);
  must(names("keep-2") || second != std::string::npos, "a field is gone", after);
  must(after.ends_with("\n\nbody\n"), "the body is another one", after);
  must(after.find("\n\n") == after.size() - 7, "the header ends too early", after);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Strings pieces = fuzz::split({reinterpret_cast<const char*>(data), size});
  filter::Verdict verdict, of_cut;
  const Told wanted = naive(pieces), ours = hold(pieces, std::string::npos, verdict), cut = hold(pieces, 1, of_cut);
  must(ours == wanted, "the naive reader says otherwise", ours.words);
  must(cut == wanted, "cut octet by octet it ends otherwise", cut.words);
  check_words(verdict);
  check_edits(verdict);
  return 0;
}
