// Names for messages, from DATA to the log: what Received, the reply and the log say of one message is the same.
// in      the time; the thread that asks, which no other thread of this machine is at the same time
// out     MessageId: seconds, and a number that is another one for each message of that second: the thread's number,
//         then six digits that count. They begin with the microseconds of the first call, so that a process that is
//         started again as the same number (in a container, say) does not begin where the one before it did
// lives   belongs to one thread
// bounds  unique among 1,000,000 messages a second of a thread
// source  RFC 5321 4.4 (ID is an Atom); qmail-smtpd says `TIME qp PID`
#pragma once

#include <cstdint>
#include <string>

namespace postern::deliver {

struct MessageId {
  std::int64_t unix_time = 0;
  std::uint64_t number = 0;  // 0: none

  // "1700000000-4711000007", an Atom
  [[nodiscard]] std::string text() const;
  // "1700000000 qp 4711000007", as an accepted message is answered
  [[nodiscard]] std::string verdict() const;
};

class MessageIds {
 public:
  [[nodiscard]] MessageId next(std::int64_t unix_time);

 private:
  std::uint64_t thread_ = 0;  // 0: not asked for yet
  std::uint64_t counter_ = 0;
};

}  // namespace postern::deliver
