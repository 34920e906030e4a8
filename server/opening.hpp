// From accept to the greeting: the PROXY header, whether the client is let in, implicit TLS, the delay before 220.
// in      readiness of the stream, the end of the time that it wanted
// out     OpeningWant: to wait, the event that opens the session, or that nobody can be told anything
// errors  connect_* events; one line each in the log
// source  deviations D22, D32; haproxy proxy-protocol.txt 2; seed: GREETDELAY, DROP_PRE_GREET
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "server/client.hpp"
#include "server/stream.hpp"
#include "spec/policy_row.hpp"

namespace postern::server {

struct OpeningWant {
  enum class Kind : std::uint8_t { wait, session, close } kind = Kind::wait;
  std::optional<base::Interval> limit{};  // of wait, from now on; none: the last one holds
  spec::Event first{};                    // of session
  std::string_view text{};  // of its reply, as long as `served` lives; of close: the word of the log for it
};

class Opening {
 public:
  [[nodiscard]] OpeningWant begin(Client& client, Stream& stream);
  [[nodiscard]] OpeningWant advance(Client& client, Stream& stream);
  [[nodiscard]] OpeningWant time_passed(Client& client, Stream& stream);
  // The server ends.
  [[nodiscard]] OpeningWant shut_down(const Client& client) const;
  [[nodiscard]] bool is_handshake() const { return stage_ == Stage::handshake; }

 private:
  enum class Stage : std::uint8_t {
    proxy,      // waits for the PROXY header
    handshake,  // TLS begins
    greet,      // GREETDELAY runs
  };

  [[nodiscard]] OpeningWant read_proxy_header(Client& client, Stream& stream);
  [[nodiscard]] OpeningWant admit(Client& client, Stream& stream);
  [[nodiscard]] OpeningWant go_on(Client& client, Stream& stream, std::optional<spec::Event> handshake);
  [[nodiscard]] OpeningWant greet(Client& client, Stream& stream);

  Stage stage_ = Stage::proxy;
};

}  // namespace postern::server
