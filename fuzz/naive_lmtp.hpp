// What a mail cluster answers, as a naive reader takes it apart: octets to lines, lines to replies, and the words of an offer.
// in      the octets that come at once; how many replies are asked for (RFC 2033; RFC 5321 4.2)
// out     take_reply() for each reply in its turn, take_early() for one that nobody waits for; die() where it is no reply
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace postern::fuzz {

class NaiveReplies {
 public:
  NaiveReplies() = default;
  NaiveReplies(const NaiveReplies&) = delete;
  NaiveReplies& operator=(const NaiveReplies&) = delete;
  virtual ~NaiveReplies() = default;

 protected:
  using Reply = std::vector<std::string>;  // its lines, without CRLF

  [[nodiscard]] virtual bool is_busy() const = 0;
  [[nodiscard]] virtual bool is_idle() const = 0;
  virtual void take_reply(int code, const Reply& reply) = 0;
  virtual void take_early(int) { die(); }
  virtual void die() = 0;

  // What it answers before it hears of it is no answer: all that was said has been heard when a piece begins.
  void take(const std::string& piece) {
    unread_ += piece;
    answerable_ = asked_;
    while (is_busy()) {
      const std::size_t end = unread_.find("\r\n");
      if (std::min(end, unread_.size()) + (end == std::string::npos ? 0 : 2) > 2048) return die();
      if (end == std::string::npos) return;
      const std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 2);
      take_line(line);
    }
    if (is_idle() && !(unread_.empty() && lines_.empty())) die();
  }

  // In capitals: each line after the first offers one.
  [[nodiscard]] static std::vector<std::string> offers_of(const Reply& reply) {
    std::vector<std::string> words;
    for (std::size_t i = 1; i < reply.size(); ++i) {
      std::string word = reply[i].substr(std::min<std::size_t>(4, reply[i].size()));
      word = word.substr(0, word.find_first_of(" \n"));
      for (char& c : word)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
      words.push_back(word);
    }
    return words;
  }

  [[nodiscard]] std::size_t asked() const { return asked_; }
  void ask(std::size_t replies) { asked_ = replies; }

 private:
  void take_line(const std::string& line) {
    const auto between = [](char c, char a, char b) { return c >= a && c <= b; };
    if (line.size() < 3 || !between(line[0], '2', '5') || !between(line[1], '0', '5') || !between(line[2], '0', '9'))
      return die();
    if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return die();
    if (!lines_.empty() && lines_[0].substr(0, 3) != line.substr(0, 3)) return die();
    lines_.push_back(line);
    const bool is_last = line.size() == 3 || line[3] == ' ';
    if (!is_last && lines_.size() == 100) return die();
    if (!is_last) return;
    const Reply reply = std::exchange(lines_, {});
    const int code = std::stoi(reply[0].substr(0, 3));
    if (answerable_ == 0) return take_early(code);
    --answerable_;
    --asked_;
    take_reply(code, reply);
  }

  std::string unread_;
  Reply lines_;
  std::size_t asked_ = 1, answerable_ = 0;
};

}  // namespace postern::fuzz
