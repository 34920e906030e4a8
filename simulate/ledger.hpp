// Every message of one world: what the client sent, the reply it got, and whether the disk agrees.
// in      messages as they are thought up, handed over, answered; then the disk
// out     check(): the first sentence about what is lost, doubled, mixed or half there; empty: all is well
// rule    a message that was answered 250 is whole and once in each of its mailboxes; one that was not is in none, but that
//         the end of the power may leave names that were promised to no client. What has a name in new/ is whole, always
// source  RFC 5321 4.2.5; docs/decisions/0005-durable-in-groups.md
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "simulate/disk.hpp"

namespace postern::simulate {

enum class Fate : std::uint8_t {
  in_hand,
  accepted,
  declined,   // or never handed over
  uncertain,  // the power ended before any reply
};

struct Mail {
  std::string body;   // as it is to be stored; its first line has the number
  std::string whole;  // with the trace fields: what a mailbox shows
  std::vector<std::string> mailboxes;
  std::vector<std::uint8_t> found;  // in each of them
  Fate fate;
  bool is_flawed;  // must be refused
};

// The number of a message, which its body has; else `none`.
[[nodiscard]] std::uint32_t number_in(std::string_view octets, std::uint32_t none);

class Ledger {
 public:
  void begin() { used_ = 0; }
  // The number of a message that begins; its body is the caller's to write.
  [[nodiscard]] std::uint32_t add();
  [[nodiscard]] Mail& mail(std::uint32_t number) { return mails_[number]; }
  [[nodiscard]] std::size_t size() const { return used_; }
  [[nodiscard]] std::uint64_t accepted() const;

  // Which message that is, by its body; the number of none: size().
  [[nodiscard]] std::uint32_t number_in(std::string_view octets) const {
    return std::min(simulate::number_in(octets, used_), used_);
  }
  void hand_over(std::uint32_t number, std::string_view trace, std::string_view envelope);
  void end_power();
  [[nodiscard]] std::string check(const Disk& disk);

 private:
  [[nodiscard]] std::string look_into(const Disk& disk, const Disk::Node& folder, const std::string& mailbox);
  [[nodiscard]] std::string find(const std::string& octets, const std::string& mailbox);
  [[nodiscard]] std::string judge(const Mail& mail, std::uint32_t number) const;

  std::vector<Mail> mails_;  // those beyond used_ are of earlier worlds
  std::uint32_t used_ = 0;
};

}  // namespace postern::simulate
