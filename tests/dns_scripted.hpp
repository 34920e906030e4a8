// A transport of which the test says what it hears, and when.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dns/transport.hpp"
#include "tests/dns_messages.hpp"

namespace postern::dns {

struct Sending {
  std::uint64_t token;
  std::vector<std::uint8_t> octets;
  Receiver* receiver;

  [[nodiscard]] std::string name() const {
    std::size_t at = 12;
    return Name::read(octets, at)->text().value_or("?");
  }
  void answer(std::string_view address = {"\x7f\0\0\2", 4}, std::uint32_t ttl = 60) const {
    receiver->heard(token, Message(Type::a, name()).a(name(), ttl, address).view());
  }
};

// What the test has done to it, it says when it is processed: as sockets do.
class Scripted final : public Transport {
 public:
  void send(std::span<const std::uint8_t> query, std::uint64_t token, Receiver& receiver) override {
    sent.push_back({token, {query.begin(), query.end()}, &receiver});
    if (on_send) on_send(sent.back());
  }
  void process() override {
    while (!to_say.empty()) {
      const auto say = std::move(to_say.front());
      to_say.pop_front();
      say();
    }
  }
  [[nodiscard]] int descriptor() const override { return 77; }
  [[nodiscard]] base::Interval until_next(base::Interval bound) const override { return std::min(bound, next); }

  std::vector<Sending> sent;
  std::deque<std::function<void()>> to_say;
  std::function<void(const Sending&)> on_send;
  base::Interval next = std::chrono::hours(1);
};

}  // namespace postern::dns
