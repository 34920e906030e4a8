// A milter as one filter of the list: each message has a connection of its own.
// in      where it listens, its name in the log; a message, and until when the answer must be there
// out     a Verdict; `cause` names what went wrong
// threads judge() is for any thread, for several at once: nothing is shared
// waits   for the connection, then as milter_conversation.hpp says, then for the end of one that takes the message; never
//         beyond the deadline
// errors  Verdict::Kind::failed
// source  Postfix MILTER_README: one connection for each client of SMTP
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/socket_address.hpp"
#include "filter/filter.hpp"
#include "filter/milter_conversation.hpp"

namespace postern::filter {

class Milter final : public Filter {
 public:
  Milter(base::SocketAddress address, std::string name) : address_(std::move(address)), name_(std::move(name)) {}

  [[nodiscard]] Verdict judge(const FilterMessage& message, base::Deadline end) override;
  [[nodiscard]] std::string_view name() const override { return name_; }

 private:
  base::SocketAddress address_;
  std::string name_;
};

// Whether one answers there in the language of milters; what it says, or what is wrong, in words.
[[nodiscard]] std::expected<std::string, std::string> probe_milter(const base::SocketAddress& address,
                                                                   base::Deadline end);

}  // namespace postern::filter
