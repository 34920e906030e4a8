// What a mail cluster answers: [recipients and message] and then its octets; what stands between two octets 0xFF comes at once.
// oracle  a naive reader of the same replies: who has taken the message, who has not, what is said to the cluster, octet by octet,
//         and whether the connection may be used again; the octets one by one change nothing; a connection that fails in the end
//         changes nothing of what was answered
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deliver/lmtp/conversation.hpp"
#include "fuzz/naive_lmtp.hpp"
#include "fuzz/split.hpp"

namespace {

using namespace postern;
using State = base::ClientProtocol::State;
using Strings = std::vector<std::string>;

constexpr std::string_view sender = "me@client.example";

struct Input {
  Strings recipients;
  std::string mail;
  bool has_8bit = false;
  Strings pieces;
};

struct Told {
  std::string said;
  std::vector<int> each;
  int of_all = 0;
  bool has_sent_data = false;
  State state = State::busy;
  friend bool operator==(const Told&, const Told&) = default;
};

void must(bool is_so, const char* what, const Told& one, const Told& other) {
  if (is_so) return;
  std::fprintf(stderr, "%s\n--- one\n%s\n--- other\n%s\n", what, one.said.c_str(), other.said.c_str());
  std::abort();
}

Input input_of(std::string_view octets) {
  Input input;
  const auto head = static_cast<std::uint8_t>(octets[0]);
  for (unsigned i = 0; i <= head % 4U; ++i) input.recipients.push_back("user" + std::to_string(i) + "@x.example");
  input.has_8bit = (head & 4U) != 0;
  input.mail = input.has_8bit ? "Subject: \xC3\xA4\n\n.\n" : "Subject: a\n\n.dot\nend\n";
  input.pieces = fuzz::split(octets.substr(1));
  return input;
}

// ---- the naive reader

class Naive final : fuzz::NaiveReplies {
 public:
  explicit Naive(const Input& input) : input_(input) { told_.each.resize(input.recipients.size()); }

  Told read() {
    for (const std::string& piece : input_.pieces) {
      if (stage_ == Stage::dead) break;
      take(piece);
      if (stage_ < Stage::idle) told_.said += pending_;
      pending_.clear();
    }
    told_.state = stage_ == Stage::idle ? State::idle : State::ended;  // the connection fails in the end
    return told_;
  }

 private:
  enum class Stage : std::uint8_t { greeting, lhlo, envelope, data, delivery, reset, idle, dead };

  // While mail data are on their way: they are refused for now, or the cluster is mad.
  void take_early(int code) override {
    if (stage_ == Stage::delivery && code / 100 == 4) told_.of_all = code;
    die();
  }

  [[nodiscard]] bool is_busy() const override { return stage_ < Stage::idle; }
  [[nodiscard]] bool is_idle() const override { return stage_ == Stage::idle; }

  void take_reply(int code, const Reply& reply) override {
    const bool is_judgement = code / 100 != 3;
    switch (stage_) {
      case Stage::greeting: return code == 220 ? say(Stage::lhlo, "LHLO mx.example.org\r\n", 1) : die();
      case Stage::lhlo: return code == 250 ? take_offers(reply) : die();
      case Stage::envelope: return is_judgement ? take_of_envelope(code) : die();
      case Stage::data: return take_of_data(code);
      case Stage::delivery: return is_judgement ? take_delivery(code) : die();
      case Stage::reset: stage_ = code / 100 == 2 ? Stage::idle : Stage::dead; return;
      default: return;
    }
  }

  void take_offers(const Reply& reply) {
    bool has_8bitmime = false, has_size = false;
    for (const std::string& word : offers_of(reply)) {
      is_pipelining_ |= word == "PIPELINING";
      has_8bitmime |= word == "8BITMIME";
      has_size |= word == "SIZE";
    }
    if (input_.has_8bit && !has_8bitmime) {
      stage_ = Stage::idle;
      return;
    }
    const std::size_t lines = static_cast<std::size_t>(std::ranges::count(input_.mail, '\n'));
    commands_.push_back("MAIL FROM:<" + std::string(sender) + ">" +
                        (has_size ? " SIZE=" + std::to_string(input_.mail.size() + lines) : "") +
                        (input_.has_8bit ? " BODY=8BITMIME" : "") + "\r\n");
    for (const std::string& recipient : input_.recipients) commands_.push_back("RCPT TO:<" + recipient + ">\r\n");
    stage_ = Stage::envelope;
    say_commands();
  }

  void say_commands() {
    do {
      say(Stage::envelope, commands_[said_++], asked() + 1);
    } while (is_pipelining_ && said_ < commands_.size());
  }

  void take_of_envelope(int code) {
    if (heard_ > 0)
      told_.each[heard_ - 1] = code;
    else if (code / 100 != 2)
      told_.of_all = code;
    if (++heard_ < said_) return;
    if (told_.of_all != 0) return give_up();
    if (said_ < commands_.size()) return say_commands();
    if (std::ranges::any_of(told_.each, [](int each) { return each / 100 != 2; })) return give_up();
    say(Stage::data, "DATA\r\n", 1);
  }

  void take_of_data(int code) {
    if (code != 354 && code / 100 < 4) return die();
    if (code != 354) {
      told_.of_all = code;
      return give_up();
    }
    told_.has_sent_data = true;
    std::ranges::fill(told_.each, 0);
    heard_ = 0;
    std::string text;
    for (std::size_t i = 0; i < input_.mail.size(); ++i) {
      const bool begins = i == 0 || input_.mail[i - 1] == '\n';
      if (begins && input_.mail[i] == '.') text += '.';
      text += input_.mail[i] == '\n' ? "\r\n" : std::string(1, input_.mail[i]);
    }
    say(Stage::delivery, text + ".\r\n", told_.each.size());
  }

  void take_delivery(int code) {
    told_.each[heard_++] = code;
    if (heard_ == told_.each.size()) stage_ = is_closing() ? Stage::dead : Stage::idle;
  }

  void give_up() { is_closing() ? die() : say(Stage::reset, "RSET\r\n", 1); }
  bool is_closing() const { return told_.of_all == 421 || std::ranges::count(told_.each, 421) > 0; }
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
  Strings commands_;
  std::size_t said_ = 0, heard_ = 0;
  bool is_pipelining_ = false;
};

// ---- ours

Told hold(const Input& input, std::size_t at_once) {
  static const deliver::LmtpTimeouts timeouts;
  base::MailSpool mail("/tmp");
  mail.write(input.mail);
  deliver::LmtpConversation conversation("mx.example.org", timeouts);
  const base::Time now{};
  Told told;
  const auto hear = [&] {
    for (auto output = conversation.output(); conversation.state() == State::busy && !output.empty();
         output = conversation.output()) {
      const std::string octets(output.substr(0, at_once));
      told.said += octets;
      conversation.sent(octets.size(), now);
    }
  };
  conversation.begin({sender, input.recipients, &mail}, now);
  for (const std::string& piece : input.pieces) {
    hear();
    if (conversation.state() == State::ended) break;
    for (std::size_t at = 0; at < piece.size(); at += at_once)
      conversation.receive(std::string_view(piece).substr(at, at_once), now);
  }
  hear();
  if (conversation.state() == State::busy) conversation.fail({.kind = base::StreamFailure::Kind::closed});
  told.state = conversation.state();
  const deliver::LmtpResult result = conversation.take_result();
  for (const deliver::LmtpReply& reply : result.of_each) told.each.push_back(reply.code);
  told.each.resize(input.recipients.size());
  told.of_all = result.of_all.code;
  told.has_sent_data = result.has_sent_data;
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
