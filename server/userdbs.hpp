// The userdbs that classes name, each with what it has said of recipients.
// in      the address of one, as a start has it
// out     the userdb of that address, made when it is first asked for; one that no class names any more keeps its memory
// lives   until all loops have ended
// threads any number
// errors  std::bad_alloc
// source  docs/decisions/0024-ask-dovecot.md
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/socket_address.hpp"
#include "limits/known_recipients.hpp"

namespace postern::server {

class Userdb {
 public:
  explicit Userdb(base::SocketAddress address) : address_(std::move(address)) {}

  [[nodiscard]] const base::SocketAddress& address() const { return address_; }
  [[nodiscard]] limits::KnownRecipients& known() { return known_; }

 private:
  base::SocketAddress address_;
  limits::KnownRecipients known_;
};

class Userdbs {
 public:
  [[nodiscard]] Userdb& of(const base::SocketAddress& address) {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find_if(
        userdbs_, [&](const std::unique_ptr<Userdb>& each) { return each->address().text == address.text; });
    return known != userdbs_.end() ? **known : *userdbs_.emplace_back(std::make_unique<Userdb>(address));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Userdb>> userdbs_;  // under mutex_; they do not move
};

}  // namespace postern::server
