// What a mail cluster answers to questions about recipients: [how many, at most two, over one connection] and then its octets; what
// stands between two octets 0xFF comes at once.
// oracle  a naive reader of the same replies: what is said to the cluster, octet by octet, and never DATA; a recipient is ours or
//         unknown only when exactly that was the reply to its own RCPT, after a MAIL that was taken, and nothing came that is one
//         reply too many; whether the connection may be used again; the octets one by one change nothing
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deliver/lmtp/conversation.hpp"
#include "deliver/lmtp/probe.hpp"
#include "fuzz/naive_lmtp.hpp"
#include "fuzz/split.hpp"

namespace {

using namespace postern;
using spec::Event;
using State = base::ClientProtocol::State;
using Strings = std::vector<std::string>;

const std::array<Strings, 2> recipients{Strings{"one@x.example"}, Strings{"other@x.example"}};

struct Input {
  std::size_t probes = 1;
  Strings pieces;
};

struct Told {
  std::string said;
  std::vector<Event> events;  // of each question that was begun
  State state = State::busy;
  friend bool operator==(const Told&, const Told&) = default;
};

void must(bool is_so, const char* what, const Told& one, const Told& other) {
  if (is_so) return;
  for (const Told* told : {&one, &other}) {
    std::fprintf(stderr, "%s\n%s", told == &one ? what : "---", told->said.c_str());
    for (const Event event : told->events) std::fprintf(stderr, "= %s\n", std::string(spec::name_of(event)).c_str());
  }
  std::abort();
}

Input input_of(std::string_view octets) {
  Input input{.probes = octets[0] % 2 == 0 ? 1U : 2U, .pieces = fuzz::split(octets.substr(1))};
  return input;
}

// ---- the naive reader

class Naive final : fuzz::NaiveReplies {
 public:
  explicit Naive(const Input& input) : input_(input) {}

  Told read() {
    for (const std::string& piece : input_.pieces) {
      if (stage_ == Stage::dead) break;
      take(piece);
      if (stage_ == Stage::idle && told_.events.size() < input_.probes) begin();
      if (stage_ < Stage::idle) told_.said += pending_;
      pending_.clear();
    }
    // The connection ends: what RCPT was answered stands, unless that reply may have been one to something else.
    if (!is_concluded_) conclude(stage_ == Stage::reset ? verdict() : Event::recipient_unknowable);
    told_.state = stage_ == Stage::idle ? State::idle : State::ended;
    return told_;
  }

 private:
  enum class Stage : std::uint8_t { greeting, lhlo, mail, rcpt, reset, idle, dead };

  void begin() {
    is_concluded_ = false;
    mail_ = rcpt_ = 0;
    say(Stage::mail, "MAIL FROM:<>\r\n", 1);
    if (is_pipelining_) say(Stage::mail, rcpt_line(), 2);
  }

  [[nodiscard]] std::string rcpt_line() const { return "RCPT TO:<" + recipients[told_.events.size()][0] + ">\r\n"; }

  [[nodiscard]] bool is_busy() const override { return stage_ < Stage::idle; }
  [[nodiscard]] bool is_idle() const override { return stage_ == Stage::idle; }

  void take_reply(int code, const Reply& reply) override {
    switch (stage_) {
      case Stage::greeting: return code == 220 ? say(Stage::lhlo, "LHLO mx.example.org\r\n", 1) : die();
      case Stage::lhlo: return code == 250 ? take_offers(reply) : die();
      case Stage::mail: return code / 100 == 3 ? die() : take_of_mail(code);
      case Stage::rcpt: return code / 100 == 3 ? die() : take_of_rcpt(code);
      case Stage::reset:
        if (code / 100 != 2) return die();
        conclude(verdict());
        stage_ = Stage::idle;
        return;
      default: return;
    }
  }

  void take_offers(const Reply& reply) {
    for (const std::string& word : offers_of(reply)) is_pipelining_ |= word == "PIPELINING";
    begin();
  }

  void take_of_mail(int code) {
    mail_ = code;
    if (is_pipelining_)
      stage_ = Stage::rcpt;
    else if (code / 100 == 2)
      say(Stage::rcpt, rcpt_line(), 1);
    else
      reset();
  }

  void take_of_rcpt(int code) {
    rcpt_ = code;
    reset();
  }

  // 421: it closes.
  void reset() { mail_ == 421 || rcpt_ == 421 ? die() : say(Stage::reset, "RSET\r\n", 1); }

  [[nodiscard]] Event verdict() const {
    if (mail_ / 100 != 2) return Event::recipient_unknowable;
    if (rcpt_ / 100 == 2) return Event::recipient_ours;
    return rcpt_ / 100 == 5 ? Event::recipient_unknown : Event::recipient_unknowable;
  }

  void conclude(Event event) {
    is_concluded_ = true;
    told_.events.push_back(event);
  }
  void say(Stage stage, const std::string& octets, std::size_t replies) {
    stage_ = stage;
    pending_ += octets;  // said when the piece has been heard, unless it ended the connection
    ask(replies);
  }
  void die() override { stage_ = Stage::dead; }

  const Input& input_;
  Told told_;
  Stage stage_ = Stage::greeting;
  std::string pending_;
  int mail_ = 0, rcpt_ = 0;
  bool is_pipelining_ = false, is_concluded_ = false;
};

// ---- ours

Told hold(const Input& input, std::size_t at_once) {
  static const deliver::LmtpTimeouts timeouts;
  deliver::LmtpConversation conversation("mx.example.org", timeouts);
  const base::Time now{};
  Told told;
  bool is_open = false;  // a question
  const auto begin = [&] {
    is_open = true;
    conversation.begin({.reverse_path = {}, .forward_paths = recipients[told.events.size()], .message = nullptr}, now);
  };
  const auto conclude = [&] {
    is_open = false;
    const limits::RecipientStanding standing = deliver::standing_of(conversation.take_result(), "unix:/run/lmtp");
    told.events.push_back(standing.event);
    const auto is_printable = [](char c) { return c >= ' ' && c <= '~'; };
    must(standing.is_known() == standing.trouble.empty(), "it is known, or says why not", told, told);
    must(std::ranges::all_of(standing.trouble, is_printable), "words for the log are one printable line", told, told);
  };
  const auto hear = [&] {
    for (auto output = conversation.output(); conversation.state() == State::busy && !output.empty();
         output = conversation.output()) {
      const std::string octets(output.substr(0, at_once));
      told.said += octets;
      conversation.sent(octets.size(), now);
    }
  };
  begin();
  for (const std::string& piece : input.pieces) {
    hear();
    if (conversation.state() == State::ended) break;
    for (std::size_t at = 0; at < piece.size(); at += at_once)
      conversation.receive(std::string_view(piece).substr(at, at_once), now);
    if (conversation.state() != State::busy && is_open) conclude();
    if (conversation.state() == State::idle && told.events.size() < input.probes) begin();
  }
  hear();
  if (conversation.state() == State::busy) conversation.fail({.kind = base::StreamFailure::Kind::closed});
  if (is_open) conclude();
  told.state = conversation.state();
  must(!told.said.contains("DATA"), "DATA is said", told, told);
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const Input input = input_of({reinterpret_cast<const char*>(data), size});
  const Told ours = hold(input, std::string::npos), cut = hold(input, 1), naive = Naive(input).read();
  must(ours == naive, "the naive reader says otherwise", ours, naive);
  must(cut == ours, "cut octet by octet it ends otherwise", cut, ours);
  return 0;
}
