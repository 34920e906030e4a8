// One message over one connection to a mail cluster: MAIL, a RCPT for each recipient, DATA, a reply for each recipient.
// in      a connection between two transactions, the envelope, the message
// out     LmtpResult: what was said, without any judgement of ours
// whole   mail data is sent only when every recipient was taken at RCPT: our client gets one reply for all of them, and
//         as long as nobody has anything, that reply is the truth. So DATA waits for the replies to RCPT, and is not
//         pipelined with them
// groups  with PIPELINING commands go in groups of at most max_group_octets, which every socket takes without its
//         reader: we write and then read, and neither side waits for the other. Without it, one command at a time
// errors  in LmtpResult, with the stage that they happened in
// source  RFC 2033 4.1, 4.2; RFC 2920 3.1; RFC 1870 6; RFC 6152 2; RFC 5321 4.5.3.2
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/lmtp/link.hpp"
#include "deliver/lmtp/message.hpp"

namespace postern::deliver {

struct LmtpMail {
  std::string_view reverse_path;
  std::span<const std::string> forward_paths;  // neither these nor the reverse-path have control octets
  const LmtpMessage& message;
};

struct LmtpResult {
  LmtpReply of_all;                // to MAIL or DATA, where that was no success; code 0 otherwise
  std::vector<LmtpReply> of_each;  // the last reply about each recipient; code 0 where there was none
  std::optional<LmtpTrouble> trouble;
  std::string_view stage = "MAIL";  // how far it came
  bool needs_8bitmime = false;      // nothing was sent: octets above ASCII, and the mail cluster offers no 8BITMIME
  bool has_been_answered = false;   // at least one reply came
  bool has_sent_data = false;       // something of the mail data was sent; the replies of each are about delivery
};

// After a result without trouble the connection is again between two transactions.
[[nodiscard]] LmtpResult transact(LmtpLink& link, const LmtpTimeouts& timeouts, const LmtpMail& mail);

}  // namespace postern::deliver
