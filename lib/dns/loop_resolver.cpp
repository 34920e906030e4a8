#include "dns/loop_resolver.hpp"

#include <sys/epoll.h>

#include <cstring>
#include <utility>

namespace postern::dns {

class LoopResolver::Readable final : public loop::Watcher {
 public:
  explicit Readable(LoopResolver& resolver) : resolver_(resolver) {}
  void on_ready(std::uint32_t) override { resolver_.process(); }

 private:
  LoopResolver& resolver_;
};

LoopResolver::LoopResolver(loop::Loop& loop, std::unique_ptr<Channel> channel)
    : loop_(loop), channel_(std::move(channel)), readable_(std::make_unique<Readable>(*this)) {}

LoopResolver::~LoopResolver() {
  loop_.forget(channel_->descriptor());
  loop_.dispose(std::move(readable_));
}

std::expected<std::unique_ptr<LoopResolver>, std::string> LoopResolver::make(loop::Loop& loop,
                                                                             const ChannelSettings& settings) {
  auto channel = Channel::make(settings);
  if (!channel) return std::unexpected(channel.error());
  std::unique_ptr<LoopResolver> resolver(new LoopResolver(loop, std::move(*channel)));
  if (const int error = loop.watch(resolver->channel_->descriptor(), EPOLLIN, *resolver->readable_); error != 0)
    return std::unexpected(std::string("cannot ask the DNS: epoll_ctl: ") + std::strerror(error));
  return resolver;
}

const Answer* LoopResolver::ask(const Question& question, Request& request) {
  const Answer* const known = channel_->ask(question, request, loop_.now());
  if (known == nullptr) wait();
  return known;
}

void LoopResolver::process() {
  channel_->process(loop_.now());
  wait();
}

void LoopResolver::wait() {
  const base::Time due = channel_->deadline(loop_.now());
  if (due == base::Time::max())
    disarm();
  else
    loop_.arm(*this, due - loop_.now());
}

}  // namespace postern::dns
