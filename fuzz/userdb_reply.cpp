// What Dovecot's userdb answers: its octets; what stands between two octets 0xFF comes at once. An octet 0xFE begins the next question.
// oracle  a naive reader of all that came since the question: what the answer is, what is wrong, whether the connection may be used
//         again; the octets one by one change nothing but what a flood of them ends. No name is more than one line of four fields
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ask/userdb_conversation.hpp"
#include "fuzz/must.hpp"
#include "fuzz/split.hpp"

namespace {

using namespace postern;
using fuzz::must;
using State = base::ClientProtocol::State;
using Kind = ask::UserdbAnswer::Kind;
using Strings = std::vector<std::string>;

constexpr std::size_t most_octets = 16384;

struct Told {
  Kind kind = Kind::failed;
  bool has_trouble = false;
  State state = State::busy;
  friend bool operator==(const Told&, const Told&) = default;
};

// ---- the naive reader: the lines of one question, read again from the beginning of all octets

struct Answer {
  Told told;
  bool is_there = false;
  std::size_t octets = 0;  // up to its end
};

Answer read(const std::string& all, bool is_greeted, unsigned number) {
  const Answer broken{.told = {.has_trouble = true, .state = State::ended}, .is_there = true};
  std::size_t begin = 0;
  for (std::size_t end; (end = all.find('\n', begin)) != std::string::npos && end < most_octets; begin = end + 1) {
    const std::string line = all.substr(begin, end - begin);
    const Strings fields = fuzz::split(line, '\t');
    if (!is_greeted) {
      if (fields.size() < 3 || fields[0] != "VERSION" || fields[1] != "1") return broken;
      is_greeted = true;
      continue;
    }
    if (fields[0] != "USER" && fields[0] != "NOTFOUND" && fields[0] != "FAIL") continue;
    if (fields.size() < 2 || fields[1] != std::to_string(number)) return broken;
    if (fields[0] == "USER" && (fields.size() < 3 || fields[2].empty())) return broken;
    const Kind kind = fields[0] == "USER" ? Kind::user : fields[0] == "NOTFOUND" ? Kind::no_user : Kind::failed;
    return {.told = {.kind = kind, .has_trouble = kind == Kind::failed, .state = State::idle},
            .is_there = true,
            .octets = end + 1};
  }
  return all.size() > most_octets ? broken : Answer{};
}

// ---- both, question for question

struct Conversation {
  ask::UserdbConversation ours{std::chrono::seconds(1)};
  unsigned number = 0;
  bool was_answered = false;

  void begin() {
    ++number;
    ours.begin("user", {});
    ours.sent(ours.output().size(), {});
  }
  Told told() {
    if (ours.state() == State::busy) ours.fail({.kind = base::StreamFailure::Kind::closed});
    Told told{.state = ours.state()};
    const ask::UserdbAnswer answer = ours.take_answer();
    told.kind = answer.kind;
    told.has_trouble = !answer.trouble.empty();
    return told;
  }
};

Told naive(const Strings& pieces, bool is_greeted, unsigned number) {
  std::string all;
  for (const std::string& piece : pieces) {
    all += piece;
    Answer answer = read(all, is_greeted, number);
    if (!answer.is_there) continue;
    if (answer.told.state == State::idle && all.size() > answer.octets) answer.told.state = State::ended;
    return answer.told;
  }
  return {.has_trouble = true, .state = State::ended};  // the connection ends
}

void check(const std::string& input) {
  Conversation conversation;
  for (const std::string& question : fuzz::split(input, '\xFE')) {
    const Strings pieces = fuzz::split(question, '\xFF');
    conversation.begin();
    const bool is_greeted = conversation.number > 1;
    for (const std::string& piece : pieces)
      if (conversation.ours.state() == State::busy) conversation.ours.receive(piece, {});
    const Told told = conversation.told();
    must(told == naive(pieces, is_greeted, conversation.number), "the naive reader says otherwise", question);
    if (told.state != State::idle) return;
  }
}

// Octet by octet, without pieces: the same answers to the first question.
void check_cut(const std::string& question) {
  Conversation whole, cut;
  whole.begin();
  cut.begin();
  whole.ours.receive(question, {});
  for (const char& octet : question)
    if (cut.ours.state() == State::busy) cut.ours.receive({&octet, 1}, {});
  const Told one = whole.told(), other = cut.told();
  must(one.kind == other.kind && one.has_trouble == other.has_trouble, "cut octet by octet it is another answer",
       question);
}

void check_name(const std::string& name) {
  ask::UserdbConversation conversation(std::chrono::seconds(1));
  conversation.begin(name, {});
  const std::string text(conversation.output());
  const Strings lines = fuzz::split(text, '\n');
  must(lines.size() == 3 && lines[2].empty(), "not two lines", text);
  must(fuzz::split(lines[1], '\t').size() == 4 && lines[1].ends_with("\tservice=smtp"), "not four fields", text);
  must(text.find('\0') == std::string::npos && text.find('\r') == std::string::npos, "an octet that is not escaped",
       text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  check(input);
  check_cut(input);
  check_name(input);
  return 0;
}
