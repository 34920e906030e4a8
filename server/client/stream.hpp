// The octets of one client between two turns: what the socket may still have, and what it did not take.
// in      epoll's bits; replies
// out     octets read; replies sent, or kept until the socket takes them: then nothing more is to be read
// memory  unsent replies only while there are any
// errors  a client that has gone: send() and send_kept() are false, and the rest of the replies is lost
// source  epoll(7): edge-triggered
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "loop/channel.hpp"
#include "loop/loop.hpp"

namespace postern::server {

class Stream {
 public:
  struct Read {
    std::size_t octets;
    bool has_ended;
  };

  Stream() : channel_(base::Descriptor()) {}

  // errno; 0 for none.
  [[nodiscard]] int open(base::Descriptor socket, loop::Loop& loop, loop::Watcher& watcher);
  void note(std::uint32_t events);
  // Asks for room to send where it is needed; once a turn.
  void watch(loop::Loop& loop, loop::Watcher& watcher);
  // Closing is not enough: a child that is just being started shares the socket until it runs its program, and so long
  // epoll would go on naming the watcher.
  void close(loop::Loop& loop);

  [[nodiscard]] Read read(std::span<char> room);
  // False: `octets` are those that are lost.
  [[nodiscard]] bool send(std::string_view& octets, loop::Leave leave);
  [[nodiscard]] bool send_kept();
  [[nodiscard]] std::string take_unsent() { return std::exchange(unsent_, {}); }
  [[nodiscard]] bool has_unsent() const { return !unsent_.empty(); }
  // Sends past what is kept, which must be nothing; allocates nothing. False: not all.
  [[nodiscard]] bool send_now(std::string_view& octets) { return write_some(octets) == loop::Progress::done; }

  [[nodiscard]] loop::Channel& channel() { return channel_; }
  [[nodiscard]] int socket() const { return channel_.number(); }
  [[nodiscard]] bool is_readable() const { return is_readable_; }  // the kernel may have more
  void set_readable(bool is_readable) { is_readable_ = is_readable; }
  [[nodiscard]] bool has_hung_up() const { return has_hung_up_; }  // an end of the stream is to be read
  void set_hung_up();

 private:
  [[nodiscard]] loop::Progress write_some(std::string_view& octets, loop::Leave leave = loop::Leave::at_once);

  loop::Channel channel_;
  std::string unsent_;
  bool is_readable_ = false;
  bool has_hung_up_ = false;
  bool watches_output_ = false;
};

}  // namespace postern::server
