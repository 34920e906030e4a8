// From accept to the greeting: the PROXY header, the class of the client, whether it is let in, implicit TLS, the delay before
// 220.
// in      readiness of the stream, the end of the time that it set
// out     OpeningWant: to wait, for a class to be judged, too; to ask the DNS about the client, and then enter(); the event
//         that opens the session, or that no reply is possible
// errors  connect_* events; one line each in the log
// source  deviations D22, D32; haproxy proxy-protocol.txt 2; seed: GREETDELAY, DROP_PRE_GREET
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "server/client/client.hpp"
#include "server/client/stream.hpp"
#include "spec/policy_row.hpp"

namespace postern::server {

struct OpeningWant {
  enum class Kind : std::uint8_t { wait, judge, ask_dns, session, close } kind = Kind::wait;
  std::optional<base::Interval> limit{};  // of wait and judge, from now on; none: the last one holds
  spec::Event first{};                    // of session
  // Of its reply, as long as `served` lives; of close: the word of the log for it; of judge: the class, in this turn.
  std::string_view text{};
};

class Opening {
 public:
  [[nodiscard]] OpeningWant begin(Client& client, Stream& stream);
  [[nodiscard]] OpeningWant advance(Client& client, Stream& stream);
  [[nodiscard]] OpeningWant time_passed(Client& client, Stream& stream);
  // The answer to Kind::judge; null: there was no memory for it.
  [[nodiscard]] OpeningWant judged(Client& client, Stream& stream, std::shared_ptr<const ServiceProfile> served);
  // After Kind::ask_dns.
  [[nodiscard]] OpeningWant enter(Client& client, Stream& stream);
  // The server ends.
  [[nodiscard]] OpeningWant shut_down(const Client& client) const;
  // Memory ends, and no session begins: the client gets what the table says. Allocates nothing.
  void run_out(const Client& client, Stream& stream) const;
  [[nodiscard]] bool is_handshake() const { return stage_ == Stage::handshake; }

  static constexpr std::chrono::seconds longest_judgement{10};

 private:
  enum class Stage : std::uint8_t {
    proxy,      // waits for the PROXY header
    judging,    // waits for its class
    handshake,  // TLS begins
    greet,      // GREETDELAY runs
    dns,        // the name of the client is awaited, or, with DNSBL_AT_CONNECT=1, DNS lists are
  };

  [[nodiscard]] OpeningWant read_proxy_header(Client& client, Stream& stream);
  [[nodiscard]] OpeningWant admit(Client& client, Stream& stream);
  [[nodiscard]] OpeningWant let_in(Client& client, Stream& stream, spec::Event first);
  [[nodiscard]] OpeningWant go_on(Client& client, Stream& stream, std::optional<spec::Event> handshake);
  [[nodiscard]] OpeningWant greet(Client& client, Stream& stream);
  [[nodiscard]] OpeningWant hear_dns(const Client& client, Stream& stream);

  Stage stage_ = Stage::proxy;
};

}  // namespace postern::server
