// A conversation with a milter that a test plays: its message, the packets of the filter, and what it hears.
// in      a message; what the filter says
// out     the commands that it hears, in words: "C [192.0.2.7] 4 49152 192.0.2.7"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/mail_spool.hpp"
#include "filter/milter_conversation.hpp"

namespace postern::filter {

inline std::string milter_number(std::uint32_t number) {
  std::string octets;
  put_milter_number(octets, number);
  return octets;
}

inline std::string milter_packet(char letter, std::string_view data = {}) {
  return milter_number(static_cast<std::uint32_t>(data.size() + 1)) + letter + std::string(data);
}

// Texts with a NUL each.
inline std::string milter_texts(char letter, std::initializer_list<std::string_view> texts, std::string data = {}) {
  for (const std::string_view text : texts) data.append(text).push_back('\0');
  return milter_packet(letter, data);
}

inline std::string milter_terms(std::uint32_t actions = milter_action::all, std::uint32_t protocol = 0,
                                std::uint32_t version = 6, std::string_view macros = {}) {
  return milter_packet('O',
                       milter_number(version) + milter_number(actions) + milter_number(protocol) + std::string(macros));
}

// The whole packets in octets: "H mx.client.example"; fields divided by '|', NUL at the end not shown.
inline std::vector<std::string> milter_commands(std::string_view octets) {
  std::vector<std::string> commands;
  while (octets.size() >= 5) {
    const auto at = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(octets[i])); };
    const std::size_t length = at(0) << 24 | at(1) << 16 | at(2) << 8 | at(3);
    std::string text(octets.substr(4, length));
    const bool is_connect = text[0] == 'C';
    while (!is_connect && text.size() > 1 && text.back() == '\0') text.pop_back();
    for (char& c : text)
      if (c == '\0') c = '|';
    if (text.size() > 1) text.insert(1, " ");
    commands.push_back(std::move(text));
    octets.remove_prefix(std::min(octets.size(), 4 + length));
  }
  if (!octets.empty()) commands.emplace_back("?");
  return commands;
}

class MilterTalk {
 public:
  using State = base::ClientProtocol::State;

  explicit MilterTalk(std::string_view mail = "From: a\nSubject: b\n\nhello\n") : spool_("/tmp") {
    spool_.write(mail);
    message = {.client = {.address = "192.0.2.7", .port = "258", .helo = "client.example"},
               .envelope = {.reverse_path = "me@client.example",
                            .reverse_path_parameters = {"SIZE=10", "BODY=8BITMIME"},
                            .forward_paths = {"you@x.example", "too@x.example"}},
               .host = "mx.example.org",
               .id = "17.42",
               .mail = &spool_};
  }
  void begin() { conversation.begin(message, now); }

  // Takes what it says until it waits.
  std::vector<std::string> heard(std::size_t piece = 1'000'000) { return milter_commands(octets(piece)); }
  std::string octets(std::size_t piece = 1'000'000) {
    std::string all;
    for (auto output = conversation.output(); is_busy() && !output.empty(); output = conversation.output()) {
      const std::string_view taken = output.substr(0, piece);
      all += taken;
      conversation.sent(taken.size(), now);
    }
    return all;
  }
  std::vector<std::string> say(std::string_view octets) {
    conversation.receive(octets, now);
    return heard();
  }
  // Everything up to the end of the message; each answer that is awaited is `c`.
  std::vector<std::string> say_until_end(std::string_view terms) {
    begin();
    std::vector<std::string> all = heard();
    const auto keep = [&all](const std::vector<std::string>& more) { all.insert(all.end(), more.begin(), more.end()); };
    keep(say(terms));
    for (int turns = 0; turns < 10'000 && is_busy() && all.back()[0] != 'E'; ++turns) keep(say(milter_packet('c')));
    return all;
  }
  // The verdict of an answer at the end of the message.
  Verdict verdict_at_end(std::string_view answer, std::string_view terms = milter_terms()) {
    say_until_end(terms);
    conversation.receive(answer, now);
    if (is_busy()) conversation.fail({.kind = base::StreamFailure::Kind::closed});
    return conversation.take_verdict();
  }
  [[nodiscard]] bool is_busy() const { return conversation.state() == State::busy; }
  [[nodiscard]] base::Interval patience() const { return conversation.deadline() - now; }

  FilterMessage message;
  MilterConversation conversation;
  base::Time now{};

 private:
  base::MailSpool spool_;
};

}  // namespace postern::filter
