#include "deliver/lmtp/link.hpp"

#include <chrono>
#include <utility>

namespace postern::deliver {

std::expected<LmtpLink, int> LmtpLink::open(const base::SocketAddress& address, std::string_view host,
                                            const LmtpTimeouts& timeouts) {
  auto socket = base::connect_stream(address, timeouts.connect_seconds);
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
