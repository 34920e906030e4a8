// A connection to a server under judgement, as the player of trials sees it: it says octets and hears replies.
// in      octets; how long to wait for a reply
// out     Answers, each bounded in size and time by who implements this
// errors  open(), start_tls(): a sentence; hear(): an Answer that is no reply. Nothing is thrown
// source  RFC 5321 4.2 (replies); RFC 3207
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern::audit {

struct Answer {
  enum class Kind : std::uint8_t { reply, closed, silence, garbage };
  Kind kind = Kind::silence;
  unsigned code = 0;
  std::vector<std::string> lines;  // as they came, without line ends; of garbage what came
  std::chrono::milliseconds took{};

  [[nodiscard]] bool is_reply() const { return kind == Kind::reply; }
};

class ServerTalk {
 public:
  virtual ~ServerTalk() = default;
  // Empty: connected. `tls_first`: and the handshake is done.
  [[nodiscard]] virtual std::string open(bool tls_first) = 0;
  virtual void say(std::string_view octets) = 0;
  [[nodiscard]] virtual Answer hear(std::chrono::milliseconds patience) = 0;
  [[nodiscard]] virtual std::string start_tls() = 0;
  virtual void close() = 0;
};

}  // namespace postern::audit
