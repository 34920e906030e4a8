// A channel for a process that may wait: questions are asked early, and waited for later.
// in      questions, each with its Reply; later the moment until which to wait
// out     the answers in the replies. One that has none by then waits on, and says timed_out as long as it does
// late    an answer that came while nobody waited is there, also when the time of its request is over by then
// lives   longer than its replies
// errors  make(): a sentence. A question that has no memory has failed, no_memory: nothing with a Reply throws
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "base/child.hpp"
#include "dns/resolver.hpp"

namespace postern::dns {

struct Reply final : Request {
  void ended(const Answer& heard) noexcept override;
  Answer answer = failed(Answer::Failure::timed_out);
};

class BlockingResolver final : public Resolver {
 public:
  [[nodiscard]] static std::expected<BlockingResolver, std::string> make(const ChannelSettings& settings);

  void ask(const Question& question, Reply& reply) noexcept;
  [[nodiscard]] const Answer* ask(const Question& question, Request& request) override;
  // Until no request is waiting any more.
  void wait(base::Deadline until) noexcept;

 private:
  explicit BlockingResolver(std::unique_ptr<Channel> channel) : channel_(std::move(channel)) {}

  std::unique_ptr<Channel> channel_;
};

}  // namespace postern::dns
