// Takes new clients from one listening socket on one loop.
// in      a socket that listens and does not block; the networks of the proxies
// out     a Connection for each client, until stop()
// bounds  max_accepted in one turn. Without descriptors or memory a client gets 421 at once, and nothing is begun for
//         it: there is a spare descriptor, and the reply is there already. One line in the log for each such minute. Only
//         where the kernel itself has none do clients wait, for rest_milliseconds, in the backlog
// errors  reported in the log
// source  accept4(2)
#pragma once

#include <string_view>

#include "server/loop_context.hpp"

namespace postern::server {

class Acceptor final : public loop::Watcher, public loop::Timer {
 public:
  Acceptor(LoopContext& context, int socket, std::size_t listener)
      : context_(context), socket_(socket), listener_(listener) {}

  [[nodiscard]] int start();  // errno
  void stop();
  void on_ready(std::uint32_t events) override;
  void on_time() override;

 private:
  static constexpr int max_accepted = 64;
  static constexpr unsigned rest_milliseconds = 100;

  enum class Next : std::uint8_t { accept, stop };
  [[nodiscard]] Next accept_one();
  [[nodiscard]] Next accept_with_spare();
  void begin(base::Descriptor socket, const base::Endpoint& remote);
  void refuse(base::Descriptor socket, const base::Endpoint& remote);
  void tell(std::string_view what, int error);
  void rest(int error);

  LoopContext& context_;
  int socket_;
  std::size_t listener_;
  bool is_watched_ = false;
  base::Time told_{};
};

}  // namespace postern::server
