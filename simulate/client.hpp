// A client with a will of its own: thinks up sessions, sends them, and counts what it is answered.
// in      a seed; replies octet by octet; that TLS has begun
// out     outgoing(): octets to be sent; complaint(): what no server may do to it: a reply too many or too few, one that
//         answers another command, one in clear after STARTTLS
// manners patient: waits for each reply; pipelining: RFC 2920 3.1; blind: sends all at once and listens to nothing
// lives   a Ledger is lent: each message is written there as it should be stored
// source  RFC 5321 4.2, 4.1.4; RFC 2920 3.1; RFC 3207 4; RFC 4954 4
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "simulate/ledger.hpp"
#include "simulate/random.hpp"

namespace postern::simulate {

enum class Manner : std::uint8_t { patient, pipelining, blind };
enum class Farewell : std::uint8_t { quit, half_close, silence };

enum class Command : std::uint8_t {
  greeting,
  hello,
  mail,
  rcpt,
  data,
  mail_data,  // answered once, after its end
  rset,
  noop,
  starttls,
  auth,
  response,
  help,
  other,
  quit,
};

struct Login {
  std::string user, password;
  std::string secret;  // the base64 that it sent last and that must not be in memory; empty: none
};

class Client {
 public:
  void begin(std::uint64_t seed, std::uint32_t life, Ledger& ledger);

  [[nodiscard]] std::string_view outgoing() const { return std::string_view(out_).substr(sent_); }
  void note_sent(std::size_t octets) { sent_ += octets; }
  // Nothing comes after outgoing().
  [[nodiscard]] bool has_ended() const { return plan_.has_ended; }
  [[nodiscard]] Farewell farewell() const { return farewell_; }

  void hear(std::string_view octets);
  void begin_tls();

  [[nodiscard]] std::string_view complaint() const { return complaint_; }
  [[nodiscard]] bool is_blind() const { return manner_ == Manner::blind; }
  [[nodiscard]] const Login& login() const { return login_; }

 private:
  enum class Tls : std::uint8_t { none, asked_for, agreed, begun };

  void send(std::string_view octets) { out_ += octets; }
  void hear_reply(int code, std::string_view last_line);
  void react(Command command, int code);
  void go_on();
  void plan_transaction();
  void send_planned();
  void send_one(Command command);
  void send_too_early();
  void send_mail();
  void send_recipient();
  void send_body();
  void send_auth();
  void send_response();
  void send_nonsense();
  void end();

  // Commands that were sent, those not answered from `answered` on.
  struct Owed {
    std::array<Command, 64> commands;
    std::uint32_t asked = 0, answered = 0;

    void add(Command command) {
      if (asked - answered < commands.size()) commands[asked++ % commands.size()] = command;
    }
  };
  struct Plan {
    std::array<Command, 16> commands;
    std::uint32_t size = 0, next = 0;
    std::uint32_t turns_left = 0;
    bool has_ended = false;
    std::uint32_t responses = 0;  // of AUTH: 0: all at once, 1: the user is next, 2: the password, 3: nonsense
  };

  Random random_{0};
  Ledger* ledger_ = nullptr;
  std::string out_, line_, complaint_;
  std::size_t sent_ = 0;
  Login login_;
  Owed owed_;
  Plan plan_;
  Manner manner_{};
  Farewell farewell_{};
  Tls tls_{};
};

}  // namespace postern::simulate
