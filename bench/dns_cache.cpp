// What an answer of the DNS costs: one that is known, one that is kept in place of the oldest, one that is read. A line each,
// in nanoseconds of processor time.
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "dns/channel.hpp"
#include "dns/message.hpp"

namespace {

using namespace postern;

// Nothing is on its way here.
class NoTransport final : public dns::Transport {
 public:
  void send(std::span<const std::uint8_t>, std::uint64_t token, dns::Receiver& receiver) override {
    receiver.heard_nothing(token, dns::Answer::Failure::no_server);
  }
  void process() override {}
  [[nodiscard]] int descriptor() const override { return -1; }
  [[nodiscard]] base::Interval until_next(base::Interval bound) const override { return bound; }
};

class Silent final : public dns::Request {
 public:
  void ended(const dns::Answer&) override {}
};

double nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <typename Work>
void measure(const char* what, unsigned times, Work work) {
  for (unsigned i = 0; i < times / 10; ++i) work(i);
  const double begun = nanoseconds();
  for (unsigned i = 0; i < times; ++i) work(i);
  std::printf("%-28s %8.0f ns\n", what, (nanoseconds() - begun) / times);
}

std::vector<std::uint8_t> listed(const dns::Name& name) {
  const dns::QueryOctets query(dns::Type::a, name, 7);
  std::vector<std::uint8_t> message(query.view().begin(), query.view().end());
  message[2] = 0x81, message[3] = 0x80, message[7] = 1;
  for (const int octet : {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 2})
    message.push_back(static_cast<std::uint8_t>(octet));
  return message;
}

}  // namespace

int main() {
  constexpr unsigned known = 4096, times = 1'000'000;
  std::vector<std::string> names;
  for (unsigned i = 0; i < 4 * known; ++i)
    names.push_back(std::to_string(i % 256) + "." + std::to_string(i / 256) + ".2.192.zen.bl.example");
  const base::SipHash::Key secret{1, 2};
  const base::Time now{};
  const dns::Answer none{.kind = dns::Answer::Kind::none, .ttl_seconds = 600};

  dns::Channel channel({.cache = {.failed_for = std::chrono::hours(1)}}, std::make_unique<NoTransport>(), secret);
  Silent request;
  for (unsigned i = 0; i < known; ++i) {
    if (channel.ask({dns::Type::a, names[i]}, request, now) == nullptr) channel.process(now);
  }
  unsigned missed = 0;
  measure("a known answer, asked for", times,
          [&](unsigned i) { missed += channel.ask({dns::Type::a, names[i % known]}, request, now) == nullptr; });
  if (missed != 0) return 1;

  dns::Cache cache({}, secret);
  std::vector<dns::Name> parsed;
  for (const std::string& name : names) parsed.push_back(*dns::Name::of(name));
  measure("one that replaces the oldest", times,
          [&](unsigned i) { cache.put(dns::Type::a, parsed[i % (4 * known)], none, now); });

  const std::vector<std::uint8_t> message = listed(parsed[0]);
  if (message.size() != 58) return 1;
  unsigned found = 0;
  measure("one of 58 octets, read", times, [&](unsigned) {
    found += dns::read_answer(message, dns::Type::a, parsed[0]).kind == dns::Answer::Kind::found;
  });
  return found == 0 ? 1 : 0;
}
