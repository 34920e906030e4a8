// The command lines that timings are taken on: sessions of EHLO, MAIL, RCPT, DATA and QUIT as clients send them.
// out     lines without CRLF, always the same ones; views into `octets`
// errors  none
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern::bench {

class CommandCorpus {
 public:
  explicit CommandCorpus(std::size_t sessions) {
    std::vector<std::size_t> ends;
    for (std::size_t session = 0; session < sessions; ++session) put_session(ends);
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      lines_.push_back(std::string_view(octets_).substr(begin, end - begin));
      begin = end;
    }
  }
  CommandCorpus(const CommandCorpus&) = delete;
  CommandCorpus& operator=(const CommandCorpus&) = delete;

  [[nodiscard]] const std::vector<std::string_view>& lines() const { return lines_; }
  [[nodiscard]] std::size_t octets() const { return octets_.size(); }

 private:
  std::uint32_t random(std::uint32_t below) {
    seed_ = seed_ * 1664525U + 1013904223U;
    return (seed_ >> 8) % below;
  }

  std::string word() {
    std::string letters;
    for (std::uint32_t length = 3 + random(8); letters.size() < length;) letters += static_cast<char>('a' + random(26));
    return letters;
  }

  std::string domain() { return random(3) == 0 ? word() + "." + word() + ".org" : word() + ".example"; }
  std::string mailbox() { return (random(2) == 0 ? word() + "." + word() : word()) + "@" + domain(); }

  void put(const std::string& line, std::vector<std::size_t>& ends) {
    octets_ += line;
    ends.push_back(octets_.size());
  }

  void put_session(std::vector<std::size_t>& ends) {
    const std::string size = " SIZE=" + std::to_string(1000 + random(900000));
    const std::string body = random(2) == 0 ? " BODY=8BITMIME" : "";
    put("EHLO " + domain(), ends);
    put("MAIL FROM:<" + mailbox() + ">" + (random(2) == 0 ? size + body : ""), ends);
    put("RCPT TO:<" + mailbox() + ">", ends);
    put("DATA", ends);
    put("QUIT", ends);
  }

  std::uint32_t seed_ = 1;
  std::string octets_;
  std::vector<std::string_view> lines_;
};

}  // namespace postern::bench
