// What a milter answers: [recipients and message], then pieces. What stands in one piece comes at once; all that was to be said has been
// said before the next. Either pieces are [octets in it][octets], or there is [terms], and each is one packet: [letter][octets in
// it][octets]; a letter 0xFE joins the next one to it.
// oracle  a naive reader of the same packets: the verdict, its words, each change, and the letters of what is said to the filter;
//         the octets one by one change nothing; a connection that fails in the end accepts nothing
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filter/milter_conversation.hpp"
#include "fuzz/naive_milter.hpp"

namespace {

using namespace postern;
using Kind = filter::Verdict::Kind;
using fuzz::Strings;

struct Input {
  filter::FilterMessage message;
  Strings fields;  // "name\0value\0", with the space after the colon
  std::string mail;
  std::size_t chunks = 1;
  Strings pieces;
};

struct Told {
  std::string letters;  // of what was said, without macros
  Kind kind = Kind::failed;
  std::string words;
  Strings edits;
  friend bool operator==(const Told&, const Told&) = default;
};

[[noreturn]] void differ(const char* what, const Told& one, const Told& other) {
  for (const Told* told : {&one, &other}) {
    std::fprintf(stderr, "--- %s: kind %d, said %s, words %s\n", what, static_cast<int>(told->kind),
                 told->letters.c_str(), told->words.c_str());
    for (const std::string& edit : told->edits) std::fprintf(stderr, "  %s\n", edit.substr(0, 200).c_str());
  }
  std::abort();
}

std::string packet_of(char letter, std::string_view data) {
  std::string packet("\0\0", 2);
  packet += static_cast<char>((data.size() + 1) / 256);
  packet += static_cast<char>((data.size() + 1) % 256);
  return packet + letter + std::string(data);
}

std::string terms_of(std::uint8_t head) {
  std::string data("\0\0\0\6\0\0", 6);
  const unsigned actions = (head & 1U) != 0 ? 0x1FF : 1U << (head >> 4U & 7U);
  data += static_cast<char>(actions >> 8U);
  data += static_cast<char>(actions & 0xFFU);
  data += '\0';
  data += static_cast<char>(((head & 2U) != 0 ? 0xF : 0) + ((head & 4U) != 0 ? 0x10 : 0));
  data += static_cast<char>((head & 2U) != 0 ? 0xF0 : 0);
  data += static_cast<char>((head & 2U) != 0 ? 0x80 : (head & 8U) != 0 ? 0x7F : 0);
  return packet_of('O', data);
}

Strings packets_of(std::string_view octets) {
  Strings pieces{terms_of(static_cast<std::uint8_t>(octets[0]))};
  octets.remove_prefix(1);
  bool is_joined = false;
  while (!octets.empty()) {
    const char letter = octets[0];
    octets.remove_prefix(1);
    if (letter == '\xFE') {
      is_joined = true;
      continue;
    }
    const std::size_t size =
        octets.empty() ? 0 : std::min<std::size_t>(static_cast<std::uint8_t>(octets[0]), octets.size() - 1);
    const std::string packet = packet_of(letter, octets.substr(octets.empty() ? 0 : 1, size));
    octets.remove_prefix(std::min(octets.size(), 1 + size));
    if (std::exchange(is_joined, false))
      pieces.back() += packet;
    else
      pieces.push_back(packet);
  }
  return pieces;
}

Input input_of(std::string_view octets) {
  Input input;
  const auto head = static_cast<std::uint8_t>(octets[0]);
  input.message.client.address = (head & 4U) != 0 ? "2001:db8::7" : "192.0.2.7";
  if ((head & 8U) == 0) input.message.client.helo = "client.example";
  for (unsigned i = 0; i <= head % 4U; ++i)
    input.message.envelope.forward_paths.push_back(std::to_string(i) + "@x.example");
  input.mail = "From: a\nSubject:b\n\nhi\n";
  input.fields = {"From", "Subject"};
  if ((head & 16U) != 0) {
    input.mail += std::string(66'000, 'x') + "\n";
    input.chunks = 2;
  }
  octets.remove_prefix(1);
  if ((head & 32U) != 0 && !octets.empty()) {
    input.pieces = packets_of(octets);
    return input;
  }
  while (!octets.empty()) {
    const std::size_t size = std::min<std::size_t>(static_cast<std::uint8_t>(octets[0]), octets.size() - 1);
    input.pieces.emplace_back(octets.substr(1, size));
    octets.remove_prefix(1 + size);
  }
  return input;
}

// ---- the naive reader

class Naive {
 public:
  explicit Naive(const Input& input) : input_(input) {}

  Told read() {
    told_.letters = "O";
    asked_ = 'O';
    for (const std::string& piece : input_.pieces) {
      unread_ += piece;
      told_.letters += std::exchange(pending_, {});
      while (!is_over_ && take_packet()) continue;
      if (!is_over_ && !pending_.empty() && !unread_.empty()) end(Kind::failed);  // before the command has gone
      if (is_over_) break;
    }
    if (!is_over_) told_.letters += pending_;
    if (told_.kind != Kind::accept) told_.edits.clear();
    return told_;
  }

 private:
  bool take_packet() {
    if (unread_.size() < 4) return false;
    const std::uint64_t length = fuzz::naive_number(unread_);
    if (length == 0) return end(Kind::failed);
    if (unread_.size() == 4) return false;
    const std::uint64_t body = 2 * input_.mail.size() + 1'048'576;
    if (length - 1 > (unread_[4] == 'b' ? body : 65'535)) return end(Kind::failed);
    if (unread_.size() - 4 < length) return false;
    const std::string packet = unread_.substr(4, length);
    unread_.erase(0, 4 + length);
    if (!pending_.empty()) return end(Kind::failed);
    take(packet[0], packet.substr(1));
    return true;
  }

  bool end(Kind kind, std::string words = {}) {
    told_.kind = kind;
    told_.words = std::move(words);
    pending_.clear();
    is_over_ = true;
    return false;
  }

  void take(char letter, const std::string& data) {
    if (asked_ == 'O') return letter == 'O' ? take_terms(data) : void(end(Kind::failed));
    if (asked_ == 'E' && std::string_view("himb+2-eq").find(letter) != std::string_view::npos)
      return void(edits_.take(letter, data) || end(Kind::failed));
    if (letter == 'y') {
      const auto words = fuzz::naive_text(data);
      return void(words ? end(data[0] == '5' ? Kind::refuse : Kind::defer, *words) : end(Kind::failed));
    }
    if (!data.empty()) return void(end(Kind::failed));
    switch (letter) {
      case 'p': return;
      case 'a': return accept();
      case 'c': return asked_ == 'E' ? accept() : say_next();
      case 's':
        if (asked_ != 'B') break;
        chunks_ = input_.chunks;
        return say_next();
      case 'd':
        if (asked_ == 'C' || asked_ == 'H') break;
        return void(end(Kind::discard));
      case 'r': return void(end(Kind::refuse));
      case 't':
      case '4': return void(end(Kind::defer));
      default: break;
    }
    end(Kind::failed);
  }

  void take_terms(const std::string& data) {
    if (data.size() < 12) return void(end(Kind::failed));
    version_ = fuzz::naive_number(data);
    const std::uint32_t actions = fuzz::naive_number(std::string_view(data).substr(4));
    protocol_ = fuzz::naive_number(std::string_view(data).substr(8));
    bool is_fine =
        version_ >= 2 && version_ <= 6 && actions < 0x200 && protocol_ < 0x200000 && (protocol_ & 0x800) == 0;
    for (std::size_t at = 12; is_fine && at < data.size();) {
      const std::size_t nul = data.size() - at < 4 ? std::string::npos : data.find('\0', at + 4);
      is_fine = nul != std::string::npos && fuzz::naive_number(std::string_view(data).substr(at)) < 7;
      at = nul + 1;
    }
    if (!is_fine) return void(end(Kind::failed));
    edits_ = fuzz::NaiveEdits(actions, protocol_);
    say_next();
  }

  // What comes next, until it is answered.
  void say_next() {
    const std::string order = "CHMRTLNBE";
    const std::uint32_t no[] = {0x1, 0x2, 0x4, 0x8, 0x200, 0x20, 0x40, 0x10, 0};
    const std::uint32_t silent[] = {0x1000, 0x2000, 0x4000, 0x8000, 0x10000, 0x80, 0x40000, 0x80000, 0};
    for (;;) {
      const char letter = order[at_];
      const bool is_said = (protocol_ & no[at_]) == 0 && !(letter == 'H' && input_.message.client.helo.empty()) &&
                           !(letter == 'T' && version_ < 4);
      const std::size_t times = letter == 'R'   ? input_.message.envelope.forward_paths.size()
                                : letter == 'L' ? input_.fields.size()
                                : letter == 'B' ? input_.chunks
                                                : 1;
      std::size_t& done = letter == 'B' ? chunks_ : done_;
      if (!is_said || done == times) {
        done_ = 0;
        ++at_;
        continue;
      }
      ++done;
      pending_ += letter;
      asked_ = letter;
      if ((protocol_ & silent[at_]) == 0) return;
    }
  }

  void accept() {
    auto all = edits_.all();
    if (!all || !unread_.empty()) return void(end(Kind::failed));
    told_.edits = std::move(*all);
    end(Kind::accept);
  }

  const Input& input_;
  Told told_;
  fuzz::NaiveEdits edits_;
  std::string unread_, pending_;  // what comes, what is to be said
  char asked_ = 'O';
  bool is_over_ = false;
  std::uint32_t version_ = 0, protocol_ = 0;
  std::size_t at_ = 0, done_ = 0, chunks_ = 0;
};

// ---- ours

std::string letters_of(std::string_view octets) {
  std::string letters;
  while (octets.size() > 4) {
    std::size_t length = 0;
    for (int i = 0; i < 4; ++i) length = length * 256 + static_cast<std::uint8_t>(octets[static_cast<std::size_t>(i)]);
    if (octets[4] != 'D') letters += octets[4];
    octets.remove_prefix(std::min(octets.size(), 4 + length));
  }
  return letters;
}

Told told_of(std::string_view said, filter::Verdict verdict) {
  Told told{.letters = letters_of(said), .kind = verdict.kind, .words = verdict.words, .edits = {}};
  for (const filter::HeaderEdit& edit : verdict.edits.header) {
    const std::string letter(1, "himx"[static_cast<std::size_t>(edit.kind)]);
    told.edits.push_back(letter + " " + std::to_string(edit.index) + " " + edit.name + ":" + edit.value);
  }
  if (verdict.edits.reverse_path) told.edits.push_back("e " + *verdict.edits.reverse_path);
  for (const std::string& path : verdict.edits.more_recipients) told.edits.push_back("+ " + path);
  for (const std::string& path : verdict.edits.fewer_recipients) told.edits.push_back("- " + path);
  if (verdict.edits.body) told.edits.push_back("b " + *verdict.edits.body);
  if (verdict.quarantine) told.edits.push_back("q " + *verdict.quarantine);
  return told;
}

Told hold(Input& input, std::size_t at_once) {
  base::MailSpool mail("/tmp");
  mail.write(input.mail);
  input.message.mail = &mail;
  filter::MilterConversation conversation;
  const base::Time now{};
  std::string said;
  bool has_more = false;
  const auto hear = [&] {
    for (auto output = conversation.output();
         conversation.state() == base::ClientProtocol::State::busy && !output.empty(); output = conversation.output()) {
      const std::string octets(output.substr(0, at_once == 1 ? 1000 : at_once));
      said += octets;
      conversation.sent(octets.size(), now);
    }
  };
  conversation.begin(input.message, now);
  for (const std::string& piece : input.pieces) {
    hear();
    if (conversation.state() == base::ClientProtocol::State::ended) break;
    std::size_t at = 0;
    for (; at < piece.size() && conversation.state() == base::ClientProtocol::State::busy; at += at_once)
      conversation.receive(std::string_view(piece).substr(at, at_once), now);
    has_more = conversation.state() == base::ClientProtocol::State::ended && at_once == 1 && at < piece.size();
  }
  hear();
  if (conversation.state() != base::ClientProtocol::State::ended)
    conversation.fail({.kind = base::StreamFailure::Kind::closed});
  filter::Verdict verdict = conversation.take_verdict();
  if (has_more && verdict.kind == Kind::accept) verdict = {};  // unasked, as it is in one piece with the acceptance
  return told_of(said, std::move(verdict));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  Input input = input_of({reinterpret_cast<const char*>(data), size});
  const Told ours = hold(input, std::string::npos), cut = hold(input, 1), naive = Naive(input).read();
  if (!(ours == naive)) differ("ours, and the naive reader", ours, naive);
  if (!(cut == ours)) differ("octet by octet, and at once", cut, ours);
  return 0;
}
