// One message over one connection to a mail cluster, without I/O: MAIL, a RCPT for each recipient, DATA, mail data, a reply
// for each recipient.
// in      the envelope and the message, which outlive it; what the cluster offers; replies; how many octets have been sent
// out     octets to send; LmtpResult: what was said, without any judgement of ours
// whole   mail data is sent only when every recipient was taken at RCPT: our client gets one reply for all of them, and
//         as long as no recipient has anything, that reply is true. So DATA waits for the replies to RCPT, and is not
//         pipelined with them
// groups  with PIPELINING commands go in groups of at most max_group_octets, which every socket takes without its
//         reader: we write and then read, and neither side waits for the other. Without it, one command at a time
// early   a reply before the final dot breaks the transaction: 4yz is its result, since 421 may come at any time;
//         anything else is garbage, because no recipient can have taken what was not yet sent
// probe   without a message: whether each recipient would be taken; never DATA
// bounds  the message is read in pieces, as they are sent
// errors  in LmtpResult, with the stage that they happened in
// source  RFC 2033 4.1, 4.2; RFC 2920 3.1; RFC 1870 6; RFC 6152 2; RFC 5321 3.8
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/client_protocol.hpp"
#include "base/mail_spool.hpp"
#include "deliver/lmtp/reply.hpp"
#include "deliver/lmtp/wire.hpp"

namespace postern::deliver {

struct LmtpTrouble {
  enum class Kind : std::uint8_t {
    unreachable,  // no connection; errno says why
    crowded,      // too many messages wait for one already
    unwilling,    // a connection, and neither 220 nor 250 after LHLO
    timed_out,
    closed,   // by the other side; errno, or 0 at end of file
    garbage,  // no reply, or none that belongs here
    unread,   // our own message could not be read back; errno
  } kind;
  int error = 0;
};
[[nodiscard]] std::string describe(LmtpTrouble trouble);
[[nodiscard]] LmtpTrouble trouble_of(const base::StreamFailure& failure);

struct LmtpMail {
  std::string_view reverse_path;
  std::span<const std::string> forward_paths;  // neither these nor the reverse-path have control octets
  const base::MailSpool* message;              // null: a probe, and the recipients get nothing
};

// After LHLO.
struct LmtpOffers {
  bool pipelining = false, eight_bit_mime = false, size = false;
};

struct LmtpResult {
  LmtpReply of_all{};                // to MAIL or DATA, where that was no success; code 0 otherwise
  std::vector<LmtpReply> of_each{};  // the last reply about each recipient; code 0 where there was none
  std::optional<LmtpTrouble> trouble{};
  std::string_view stage = "LHLO";  // how far it came
  bool needs_8bitmime = false;      // nothing was sent: octets above ASCII, and the mail cluster offers no 8BITMIME
  bool has_been_answered = false;   // at least one reply came, besides those to LHLO
  bool has_sent_data = false;       // something of the mail data was sent; the replies of each are about delivery
};

class LmtpTransaction {
 public:
  enum class Step : std::uint8_t {
    goes_on,
    complete,  // the connection is between two transactions
    given_up,  // after RSET it will be
    broken,    // it is of no more use
  };

  LmtpTransaction(const LmtpMail& mail, const LmtpOffers& offers) : mail_(mail), offers_(offers) {}

  [[nodiscard]] Step begin();
  [[nodiscard]] Step hear(LmtpReply reply);
  [[nodiscard]] std::string_view output() const { return group_.empty() ? piece_ : group_; }
  [[nodiscard]] Step sent(std::size_t octets);
  // All that is missing are the replies after the final dot.
  [[nodiscard]] bool waits_for_delivery() const { return stage_ == Stage::delivery && piece_.empty(); }
  Step fail(LmtpTrouble trouble);
  [[nodiscard]] bool is_probe() const { return mail_.message == nullptr; }
  [[nodiscard]] LmtpResult& result() { return result_; }
  [[nodiscard]] const LmtpResult& result() const { return result_; }

 private:
  enum class Stage : std::uint8_t { envelope, data, mail_data, delivery };

  [[nodiscard]] bool has_8bit() const { return !is_probe() && mail_.message->has_8bit(); }
  // Command 0 is MAIL, the others are RCPT.
  [[nodiscard]] std::size_t commands() const { return mail_.forward_paths.size() + 1; }
  [[nodiscard]] std::string command(std::size_t index) const;
  void say_group();
  [[nodiscard]] Step hear_of_envelope(LmtpReply reply);
  [[nodiscard]] Step hear_of_data(LmtpReply reply);
  [[nodiscard]] Step hear_early(LmtpReply reply);
  [[nodiscard]] Step hear_delivery(LmtpReply reply);
  [[nodiscard]] Step give_up() const;
  [[nodiscard]] Step take_piece();
  [[nodiscard]] bool is_closing() const;

  LmtpMail mail_;
  LmtpOffers offers_;
  Stage stage_ = Stage::envelope;
  std::string group_;  // of commands
  std::optional<LmtpWire> wire_;
  std::string_view piece_;                       // of mail data
  std::size_t said_ = 0, sent_ = 0, heard_ = 0;  // of the commands; then heard_ is of the replies of each
  LmtpResult result_;
};

}  // namespace postern::deliver
