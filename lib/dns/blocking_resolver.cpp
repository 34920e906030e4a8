#include "dns/blocking_resolver.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <new>

namespace postern::dns {
namespace {

constexpr std::uint32_t max_cache_entries = 64;  // its memory is ours from the start

}  // namespace

void Reply::ended(const Answer& heard) noexcept {
  try {
    answer = heard;
  } catch (const std::bad_alloc&) {
    answer = failed(Answer::Failure::no_memory);
  }
}

std::expected<BlockingResolver, std::string> BlockingResolver::make(const ChannelSettings& settings) {
  ChannelSettings of_one_client = settings;
  of_one_client.cache.max_entries = std::min(settings.cache.max_entries, max_cache_entries);
  auto channel = Channel::make(of_one_client);
  if (!channel) return std::unexpected(channel.error());
  return BlockingResolver(std::move(*channel));
}

void BlockingResolver::ask(const Question& question, Reply& reply) noexcept {
  reply.answer = failed(Answer::Failure::timed_out);
  Request& request = reply;
  try {
    if (const Answer* const known = ask(question, request)) reply.ended(*known);
  } catch (const std::bad_alloc&) {
    reply.answer = failed(Answer::Failure::no_memory);
  }
}

const Answer* BlockingResolver::ask(const Question& question, Request& request) {
  return channel_->ask(question, request, std::chrono::steady_clock::now());
}

void BlockingResolver::wait(base::Deadline until) noexcept {
  while (true) {
    const base::Time now = std::chrono::steady_clock::now();
    channel_->process(now);
    if (channel_->requests() == 0 || now >= until) return;
    pollfd watched{.fd = channel_->descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&watched, 1, base::milliseconds_until(std::min(until, channel_->deadline(now))));
  }
}

}  // namespace postern::dns
