// A connection to the server under judgement: replies as RFC 5321 has them, in clear and in TLS.
// in      the server's address, and its name for TLS; how long connecting, a handshake or sending may take
// out     audit::ServerTalk
// limits  max_reply_line_octets, max_reply_lines: what is longer is garbage, and is not kept
// errors  sentences; an Answer that is no reply
// source  RFC 5321 4.2, 4.5.3.1.5; RFC 3207
#pragma once

#include <optional>
#include <string>

#include "audit/judge/server_talk.hpp"
#include "base/blocking_client.hpp"
#include "tls/client_session.hpp"

namespace postern::cli {

inline constexpr std::size_t max_reply_line_octets = 4096;
inline constexpr std::size_t max_reply_lines = 200;

class JudgeTalk final : public audit::ServerTalk {
 public:
  JudgeTalk(base::SocketAddress server, std::string name, unsigned patience_seconds)
      : server_(std::move(server)), name_(std::move(name)), patience_seconds_(patience_seconds) {}

  [[nodiscard]] std::string open(bool tls_first) override;
  void say(std::string_view octets) override;
  [[nodiscard]] audit::Answer hear(std::chrono::milliseconds patience) override;
  [[nodiscard]] std::string start_tls() override;
  void close() override;

 private:
  enum class Line : std::uint8_t { whole, endless, end, late };
  [[nodiscard]] Line read_line(std::string& line, base::Deadline deadline);
  [[nodiscard]] tls::Read read_more(base::Deadline deadline);
  [[nodiscard]] tls::Read read_clear(std::span<char> room, base::Deadline deadline) const;
  void write_clear(std::string_view octets, base::Deadline deadline) const;

  base::SocketAddress server_;
  std::string name_;
  unsigned patience_seconds_;
  base::Descriptor socket_;
  std::optional<tls::ClientSession> session_;
  std::string unread_;
};

}  // namespace postern::cli
