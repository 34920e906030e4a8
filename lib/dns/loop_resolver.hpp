// A channel on an event loop: the loop tells it what can be read and what is due, and never waits for it.
// in      questions, each with its request
// out     as lib/dns/channel.hpp; ended() in a turn of the loop, never within ask()
// late    a timer of the loop is up to a tick late, and so is the end of a request whose time is over
// lives   longer than its requests, and not longer than the loop. All on the loop's thread; make() and the destructor may
//         also come before the loop runs, or when it does not run any more
// errors  make(): a sentence
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "dns/resolver.hpp"
#include "loop/loop.hpp"

namespace postern::dns {

class LoopResolver final : public Resolver, private loop::Timer {
 public:
  [[nodiscard]] static std::expected<std::unique_ptr<LoopResolver>, std::string> make(loop::Loop& loop,
                                                                                      const ChannelSettings& settings);
  LoopResolver(const LoopResolver&) = delete;
  LoopResolver& operator=(const LoopResolver&) = delete;
  ~LoopResolver() override;

  // Null: the request waits now. Otherwise it has ended with this answer, and is not called.
  [[nodiscard]] const Answer* ask(const Question& question, Request& request) override;

  [[nodiscard]] const Channel& channel() const { return *channel_; }

 private:
  class Readable;

  LoopResolver(loop::Loop& loop, std::unique_ptr<Channel> channel);
  void on_time() override { process(); }
  void process();
  void wait();

  loop::Loop& loop_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<Readable> readable_;
};

}  // namespace postern::dns
