// Where a server of streams listens, ready for connect(2).
// in      the caller has parsed it, or got it from the kernel
// out     `text` is what was written, for the log
// errors  none
// source  unix(7), ip(7), ipv6(7)
#pragma once

#include <sys/socket.h>

#include <string>

namespace postern::base {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t octets = 0;
  std::string text;
};

}  // namespace postern::base
