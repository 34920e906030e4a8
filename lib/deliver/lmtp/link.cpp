#include "deliver/lmtp/link.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace postern::deliver {

std::expected<LmtpLink, int> LmtpLink::open(const base::SocketAddress& address, std::string_view host,
                                            const LmtpTimeouts& timeouts, base::Deadline end) {
  const auto left = static_cast<unsigned>(base::milliseconds_until(end) + 999) / 1000;
  if (left == 0) return std::unexpected(ETIMEDOUT);
  auto socket = base::connect_stream(address, std::min(left, timeouts.connect_seconds));
  if (!socket) return std::unexpected(socket.error());
  return LmtpLink(std::move(*socket), std::make_unique<LmtpConversation>(host, timeouts));
}

void LmtpLink::transact(const LmtpMail& mail, base::Deadline end) {
  conversation_->begin(mail, std::chrono::steady_clock::now());
  base::carry(*conversation_, socket_, end, {});
}

bool LmtpLink::is_usable() const {
  return conversation_->state() == base::ClientProtocol::State::idle && base::is_quiet(socket_);
}

}  // namespace postern::deliver
