#include "deliver/lmtp/transaction.hpp"

#include <algorithm>

#include "deliver/received.hpp"

namespace postern::deliver {
namespace {

using Kind = LmtpTrouble::Kind;

constexpr std::size_t max_group_octets = 8192;
constexpr int go_ahead = 354;

class Transaction {
 public:
  Transaction(LmtpLink& link, const LmtpTimeouts& timeouts, const LmtpMail& mail)
      : link_(link), timeouts_(timeouts), mail_(mail) {
    result_.of_each.resize(mail.forward_paths.size());
  }

  LmtpResult run() {
    // RFC 6152 3: nothing here could make such octets anything else.
    result_.needs_8bitmime = mail_.message.has_8bit() && !link_.has_8bitmime();
    if (result_.needs_8bitmime) return std::move(result_);
    const bool is_complete = send_envelope() && begin_data() && send_data() && hear_deliveries();
    if (!is_complete && !result_.trouble) reset();
    return std::move(result_);
  }

 private:
  bool failed(LmtpTrouble trouble) {
    result_.trouble = trouble;
    return false;
  }

  bool send(std::string_view octets) {
    const auto trouble = link_.send(octets, timeouts_.reply_seconds);
    return trouble ? failed(*trouble) : true;
  }

  bool hear(LmtpReply& into, base::Deadline deadline) {
    auto reply = link_.receive(deadline);
    if (!reply) return failed(reply.error());
    into = std::move(*reply);
    result_.has_been_answered = true;
    return true;
  }

  bool hear_judgement(LmtpReply& into, base::Deadline deadline) {
    if (!hear(into, deadline)) return false;
    return into.is_judgement() || failed({Kind::garbage});
  }

  // Command 0 is MAIL, the others are RCPT.
  [[nodiscard]] std::size_t commands() const { return mail_.forward_paths.size() + 1; }

  [[nodiscard]] std::string command(std::size_t index) const {
    if (index > 0) return "RCPT TO:" + angle_path(mail_.forward_paths[index - 1]) + "\r\n";
    std::string line = "MAIL FROM:" + angle_path(mail_.reverse_path);
    if (link_.has_size()) line += " SIZE=" + std::to_string(mail_.message.wire_octets());  // RFC 1870 6
    if (mail_.message.has_8bit()) line += " BODY=8BITMIME";
    return line + "\r\n";
  }

  // True when everybody was taken.
  bool send_envelope() {
    std::string group;
    std::size_t answered = 0;
    for (std::size_t sent = 0; sent < commands();) {
      group += command(sent++);
      if (link_.has_pipelining() && group.size() < max_group_octets && sent < commands()) continue;
      if (!send(group)) return false;
      group.clear();
      for (; answered < sent; ++answered)
        if (!hear_about(answered)) return false;
      if (result_.of_all.code != 0) return false;
    }
    return std::ranges::all_of(result_.of_each, &LmtpReply::is_positive);
  }

  bool hear_about(std::size_t index) {
    const base::Deadline deadline = base::after_seconds(timeouts_.reply_seconds);
    if (index > 0) {
      result_.stage = "RCPT";
      return hear_judgement(result_.of_each[index - 1], deadline);
    }
    LmtpReply reply;
    if (!hear_judgement(reply, deadline)) return false;
    if (!reply.is_positive()) result_.of_all = std::move(reply);
    return true;
  }

  bool begin_data() {
    result_.stage = "DATA";
    LmtpReply reply;
    if (!send("DATA\r\n") || !hear(reply, base::after_seconds(timeouts_.reply_seconds))) return false;
    if (reply.code == go_ahead) return true;
    if (!reply.is_temporary() && !reply.is_permanent()) return failed({Kind::garbage});
    result_.of_all = std::move(reply);
    return false;
  }

  bool send_data() {
    result_.stage = "mail data";
    result_.has_sent_data = true;
    std::ranges::fill(result_.of_each, LmtpReply{});  // that they were taken says nothing of their delivery
    LmtpWire wire(mail_.message);
    for (;;) {
      const auto piece = wire.next();
      if (!piece) return failed({Kind::unread, piece.error()});  // without the final dot: nobody takes half a message
      if (piece->empty()) return true;
      if (!send(*piece)) return false;
    }
  }

  // RFC 2033 4.2: one reply for each recipient that was taken, in the order of RCPT
  bool hear_deliveries() {
    result_.stage = "delivery";
    const base::Deadline deadline = base::after_seconds(timeouts_.delivery_seconds);
    return std::ranges::all_of(result_.of_each, [&](LmtpReply& reply) { return hear_judgement(reply, deadline); });
  }

  // 421 at any place: the mail cluster is closing.
  [[nodiscard]] bool is_closing() const {
    constexpr int closing = 421;
    return result_.of_all.code == closing ||
           std::ranges::any_of(result_.of_each, [](const LmtpReply& reply) { return reply.code == closing; });
  }

  // What the envelope left there must not meet the next one. The result is known already: trouble is the link's alone.
  void reset() {
    if (is_closing() || link_.send("RSET\r\n", timeouts_.reply_seconds)) return link_.quit();
    const auto reply = link_.receive(base::after_seconds(timeouts_.reply_seconds));
    if (!reply || !reply->is_positive()) link_.quit();
  }

  LmtpLink& link_;
  const LmtpTimeouts& timeouts_;
  const LmtpMail& mail_;
  LmtpResult result_;
};

}  // namespace

LmtpResult transact(LmtpLink& link, const LmtpTimeouts& timeouts, const LmtpMail& mail) {
  return Transaction(link, timeouts, mail).run();
}

}  // namespace postern::deliver
