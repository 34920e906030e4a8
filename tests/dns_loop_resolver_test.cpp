// A channel on a loop: answers come in a turn, and nothing is left of it when it goes. A server on loopback, silent or not.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "dns/loop_resolver.hpp"
#include "tests/dns_scripted.hpp"
#include "tests/outbound_service.hpp"

namespace postern::dns {
namespace {

using namespace std::chrono_literals;

class Server {
 public:
  explicit Server(bool is_silent) : is_silent_(is_silent) {
    const base::SocketAddress any = loop::loopback(0);
    if (::bind(socket_.number(), reinterpret_cast<const sockaddr*>(&any.storage), any.octets) != 0) std::abort();
    thread_ = std::jthread([this](const std::stop_token& end) { serve(end); });
  }
  [[nodiscard]] Servers address() const {
    sockaddr_storage bound{};
    socklen_t octets = sizeof bound;
    ::getsockname(socket_.number(), reinterpret_cast<sockaddr*>(&bound), &octets);
    return {.endpoints = {*base::endpoint_of(bound)}, .remarks = {}};
  }

 private:
  void serve(const std::stop_token& end) const {
    while (!end.stop_requested()) {
      pollfd watched{.fd = socket_.number(), .events = POLLIN, .revents = 0};
      if (::poll(&watched, 1, 5) <= 0) continue;
      Sending heard{.token = 0, .octets = std::vector<std::uint8_t>(512), .receiver = nullptr};
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      ::recvfrom(socket_.number(), heard.octets.data(), 512, 0, reinterpret_cast<sockaddr*>(&from), &size);
      Message answer(Type::a, heard.name());
      answer.put(0, unsigned{heard.octets[0]} * 256U + heard.octets[1]).a(heard.name(), 60, {"\x7f\0\0\2", 4});
      if (is_silent_) continue;
      ::sendto(socket_.number(), answer.view().data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  bool is_silent_;
  base::Descriptor socket_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  std::jthread thread_;
};

class Asking final : public Request {
 public:
  explicit Asking(std::function<void()> then) : then_(std::move(then)) {}
  void ended(const Answer& answer) override {
    heard = answer;
    then_();
  }
  Answer heard;

 private:
  std::function<void()> then_;
};

class DnsLoopResolver : public testing::Test {
 protected:
  void make(const Server& server, base::Interval patience = 2s) {
    loop_ = std::move(*loop::Loop::make());
    resolver_ = std::move(*LoopResolver::make(*loop_, {.servers = server.address(), .patience = patience}));
  }
  std::unique_ptr<loop::Loop> loop_;
  std::unique_ptr<LoopResolver> resolver_;
};

TEST_F(DnsLoopResolver, answers_in_a_turn_of_the_loop) {
  const Server server(false);
  make(server);
  Asking one([this] { loop_->stop(); });
  EXPECT_FALSE(resolver_->ask({Type::a, "a.test"}, one));
  loop_->run();
  EXPECT_EQ(Answer::Kind::found, one.heard.kind);
  EXPECT_TRUE(resolver_->ask({Type::a, "a.test"}, one));
}

TEST_F(DnsLoopResolver, ends_in_time_what_nobody_answers) {
  const Server server(true);
  make(server, 300ms);
  Asking one([this] { loop_->stop(); });
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_FALSE(resolver_->ask({Type::a, "a.test"}, one));
  loop_->run();
  EXPECT_EQ(failed(Answer::Failure::timed_out), one.heard);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 4s);
}

TEST_F(DnsLoopResolver, goes_in_the_middle_of_a_turn_and_calls_nobody) {
  const Server server(true);
  make(server);
  Asking one([] { FAIL() << "it is gone"; });
  loop_->post([&] {
    EXPECT_FALSE(resolver_->ask({Type::a, "a.test"}, one));
    resolver_.reset();
    EXPECT_FALSE(one.is_waiting());
    loop_->post([&] { loop_->stop(); });
  });
  loop_->run();
}

TEST_F(DnsLoopResolver, is_quiet_when_nothing_is_asked) {
  const Server server(false);
  make(server);
  Asking one([this] { loop_->post([this] { loop_->stop(); }); });
  EXPECT_FALSE(resolver_->ask({Type::a, "a.test"}, one));
  loop_->run();
  EXPECT_EQ(base::Time::max(), resolver_->channel().deadline(loop_->now()));
  EXPECT_EQ(0U, resolver_->channel().in_flight());
}

}  // namespace
}  // namespace postern::dns
