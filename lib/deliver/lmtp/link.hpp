// One connection to a mail cluster of a process that may wait.
// in      an address, the name that we give ourselves, timeouts; then one message after the other
// out     LmtpResult of each
// lives   from open() until it is destroyed; moved between the cluster and who uses it, never shared. Name and timeouts
//         outlive it
// bounds  no call outlasts its deadline
// errors  open() gives errno; trouble is in the result, and then the connection is of no more use
// source  conversation.hpp; lib/base/blocking_client.hpp
#pragma once

#include <expected>
#include <memory>
#include <string_view>

#include "base/blocking_client.hpp"
#include "deliver/lmtp/conversation.hpp"

namespace postern::deliver {

class LmtpLink {
 public:
  // Connects, and says nothing yet.
  [[nodiscard]] static std::expected<LmtpLink, int> open(const base::SocketAddress& address, std::string_view host,
                                                         const LmtpTimeouts& timeouts, base::Deadline end);

  void transact(const LmtpMail& mail, base::Deadline end);
  [[nodiscard]] bool may_repeat() const { return conversation_->may_repeat(); }
  [[nodiscard]] LmtpResult take_result() { return conversation_->take_result(); }

  // Whether another message may be sent over it, as far as we know.
  [[nodiscard]] bool is_usable() const;
  // Says QUIT, if that needs no waiting.
  void quit() { base::part(*conversation_, std::move(socket_)); }

 private:
  LmtpLink(base::Descriptor socket, std::unique_ptr<LmtpConversation> conversation)
      : socket_(std::move(socket)), conversation_(std::move(conversation)) {}

  base::Descriptor socket_;
  std::unique_ptr<LmtpConversation> conversation_;
};

}  // namespace postern::deliver
