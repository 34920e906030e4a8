// What cannot be answered ends once, soon, and with a reason; real sockets on loopback.
#include <gtest/gtest.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <thread>

#include "tests/outbound_asking.hpp"

namespace postern::loop {
namespace {

using Kind = base::StreamFailure::Kind;

// A Unix socket that listens and accepts nobody; without its name connect(2) fails at once.
class Nameable {
 public:
  explicit Nameable(int backlog) : path_(::testing::TempDir() + "/outbound-" + std::to_string(::getpid())) {
    auto& name = reinterpret_cast<sockaddr_un&>(address_.storage);
    name.sun_family = AF_UNIX;
    path_.copy(static_cast<char*>(name.sun_path), sizeof name.sun_path - 1);
    address_.octets = sizeof name;
    address_.text = "unix:" + path_;
    ::unlink(path_.c_str());
    if (::bind(socket_.number(), reinterpret_cast<sockaddr*>(&address_.storage), address_.octets) != 0 ||
        ::listen(socket_.number(), backlog) != 0)
      std::abort();
  }
  Nameable(const Nameable&) = delete;
  Nameable& operator=(const Nameable&) = delete;
  ~Nameable() { lose_name(); }
  void lose_name() const { ::unlink(path_.c_str()); }
  [[nodiscard]] const base::SocketAddress& address() const { return address_; }

 private:
  std::string path_;
  base::SocketAddress address_;
  base::Descriptor socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

TEST_F(Outbound, who_refuses_is_told_with_its_address) {
  const TakenPort nobody;
  make({nobody.address()});
  const Question& question = ask("x");
  const auto begun = std::chrono::steady_clock::now();
  run_to_the_end();
  ASSERT_TRUE(question.failure);
  EXPECT_EQ("no connection, ECONNREFUSED: " + nobody.address().text, question.told);
  EXPECT_LT(question.ended_at - begun, 4s);
}

TEST_F(Outbound, the_next_address_is_asked_when_the_first_refuses) {
  const TakenPort nobody;
  Service service(echo);
  make({nobody.address(), service.address()});
  for (int i = 0; i < 3; ++i) ask("x");
  run();
  for (const Question& question : questions_) EXPECT_EQ("re x\n", question.answer);
}

TEST_F(Outbound, a_connection_that_is_reset_fails_and_is_not_repeated_when_it_was_new) {
  Service service([](Peer& peer, std::size_t) {
    static_cast<void>(peer.hear());
    peer.reset();
  });
  make({service.address()});
  const Question& question = ask("x");
  run_to_the_end();
  ASSERT_TRUE(question.failure);
  EXPECT_EQ("connection closed, ECONNRESET: " + service.address().text, question.told);
  EXPECT_EQ(1U, service.connections());
  EXPECT_EQ(1, question.begun);
}

TEST_F(Outbound, what_dies_before_an_answer_is_repeated_once_when_it_was_used_before) {
  Service service([](Peer& peer, std::size_t which) {
    const auto line = peer.hear();
    peer.say("re " + *line + "\n");
    static_cast<void>(peer.hear());  // it dies of the second question
    if (which == 1) peer.say("re again\n");
  });
  make({service.address()});
  ask_in_turn({"a", "b"});
  run();
  EXPECT_EQ("re b\n", questions_.back().answer);
  EXPECT_EQ(2, questions_.back().begun);
  EXPECT_EQ(2U, service.connections());
}

// Its time in all is over, and nothing would end it any more.
TEST_F(Outbound, what_has_had_its_time_is_not_repeated) {
  Service service([](Peer& peer, std::size_t) {
    static_cast<void>(peer.hear());
    peer.say("re a\n");
    peer.be_silent();
  });
  make({service.address()});
  ends_with_all_ = false;
  Question first("a", 5s, [] {}), second("b", 5s, [this] { loop_->stop(); });
  Next later([&] { EXPECT_FALSE(pool_->submit(second, 100ms)); });
  loop_->post([&] {
    EXPECT_FALSE(pool_->submit(first, 5s));
    later.in(*loop_, 200ms);
  });
  run(4s);
  EXPECT_EQ("re a\n", first.answer);
  EXPECT_EQ(1, second.begun);
  ASSERT_TRUE(second.failure);
  EXPECT_EQ(Kind::timed_out, second.failure->kind);
  EXPECT_EQ(1U, service.connections());
  again();
}

TEST_F(Outbound, what_dies_in_the_middle_of_an_answer_is_not_repeated) {
  Service service([](Peer& peer, std::size_t) {
    static_cast<void>(peer.hear());
    peer.say("re a\n");
    static_cast<void>(peer.hear());
    peer.say("re");
  });
  make({service.address()});
  ask_in_turn({"a", "b"});
  run();
  EXPECT_EQ("re", questions_.back().answer);
  EXPECT_EQ(1, questions_.back().begun);
  ASSERT_TRUE(questions_.back().failure);
  EXPECT_EQ("connection closed: " + service.address().text, questions_.back().told);
}

TEST_F(Outbound, an_idle_connection_that_its_service_closes_is_closed) {
  Service service([](Peer& peer, std::size_t) {
    static_cast<void>(peer.hear());
    peer.say("re\n");
  });
  make({service.address()});
  ask_in_turn({"a"}, 400ms);
  run();
  EXPECT_EQ(0U, pool_->idle());
}

TEST_F(Outbound, an_idle_connection_that_speaks_unasked_is_closed) {
  Service service([](Peer& peer, std::size_t) {
    static_cast<void>(peer.hear());
    peer.say("re\n");
    std::this_thread::sleep_for(50ms);
    peer.say("and another thing\n");
    peer.be_silent();
  });
  make({service.address()});
  ask_in_turn({"a", "b"}, 400ms);
  run();
  EXPECT_EQ(0U, pool_->idle());
  EXPECT_EQ(2U, service.connections());
}

TEST_F(Outbound, idle_connections_end_by_their_age_with_a_farewell) {
  std::atomic<int> farewells = 0;
  Service service([&](Peer& peer, std::size_t) {
    while (const auto line = peer.hear()) *line == "bye" ? ++farewells : peer.say("re\n");
  });
  settings_.max_idle_age = 100ms;
  make({service.address()});
  ask_in_turn({"a", "b"}, 500ms);
  run();
  EXPECT_EQ(0U, pool_->idle());
  EXPECT_EQ(2U, service.connections());
  EXPECT_EQ(2, farewells);
}

TEST_F(Outbound, who_half_closes_has_ended) {
  Service service([](Peer& peer, std::size_t) {
    static_cast<void>(peer.hear());
    peer.end_output();
    peer.be_silent();
  });
  make({service.address()});
  const Question& question = ask("x");
  run_to_the_end();
  ASSERT_TRUE(question.failure);
  EXPECT_EQ(Kind::closed, question.failure->kind);
}

TEST_F(Outbound, a_flood_ends_the_request_and_delays_nobody) {
  Service flood([](Peer& peer, std::size_t) {
    static_cast<void>(peer.hear());
    while (peer.say(std::string(65536, 'x'))) {
    }
  });
  Service service(echo);
  make({flood.address()});
  OutboundPool<LineProtocol> other(*loop_, {.addresses = {service.address()}},
                                   [] { return std::make_unique<LineProtocol>(); });
  Question& flooded = ask("x");
  Question answered("y", 5s, [this] { stop_if_all_ended(); });
  ++asked_;
  loop_->post([&] { EXPECT_FALSE(other.submit(answered, 5s)); });
  run();
  EXPECT_EQ("re y\n", answered.answer);
  EXPECT_EQ(1, flooded.ends);
  EXPECT_LE(flooded.most_octets, LineProtocol::max_octets + 16 * 1024) << "one piece is read, and no more";
}

TEST_F(Outbound, a_large_question_goes_as_the_service_takes_it) {
  std::atomic<std::size_t> octets = 0;
  Service service([&](Peer& peer, std::size_t) {
    std::this_thread::sleep_for(100ms);
    const auto line = peer.hear();
    octets = line ? line->size() : 0;
    peer.say("re\n");
  });
  make({service.address()});
  const Question& question = ask(std::string(5'000'000, 'x'));
  run_to_the_end();
  EXPECT_EQ("re\n", question.answer);
  EXPECT_EQ(5'000'000U, octets);
}

// A machine that is gone answers nothing: neither yes nor no.
TEST_F(Outbound, connecting_has_its_time) {
  const Nameable crowded(0);
  const base::Descriptor first(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(0, ::connect(first.number(), reinterpret_cast<const sockaddr*>(&crowded.address().storage),
                         crowded.address().octets));
  settings_.connect_patience = 300ms;
  make({crowded.address()});
  const Question& question = ask("x");
  const auto begun = std::chrono::steady_clock::now();
  run_to_the_end();
  ASSERT_TRUE(question.failure);
  EXPECT_EQ("no connection, ETIMEDOUT: " + crowded.address().text, question.told);
  EXPECT_GE(question.ended_at - begun, 300ms);
  EXPECT_LT(question.ended_at - begun, 4s);
}

// proptests/models/questions.pml: LINE_FORGOTTEN
TEST_F(Outbound, who_is_in_line_when_the_next_one_finds_nobody_does_not_wait_for_the_end_of_the_rest) {
  const Nameable silent(8);
  settings_.rest = {.first = 5s, .longest = 5s};
  settings_.max_in_flight = 1;
  settings_.max_waiting = 8;
  make({silent.address()});
  ends_with_all_ = false;
  Question &served = ask("served"), &in_line = ask("in line");
  Question next("next", 5s, [] {});
  bool is_refused = false;
  Next leaving([&] {
    EXPECT_EQ(1, served.begun);
    silent.lose_name();
    served.leave();
    is_refused = pool_->submit(next, 8s).has_value();
  });
  loop_->post([&] { leaving.in(*loop_, 100ms); });
  run(1s);
  EXPECT_TRUE(is_refused);
  EXPECT_EQ(0, in_line.begun);
  EXPECT_EQ("no connection, ENOENT: " + silent.address().text, in_line.told);
}

TEST_F(Outbound, after_a_failure_nobody_connects_for_a_while) {
  TakenPort port;
  const base::SocketAddress address = port.address();
  settings_.rest = {.first = 5s, .longest = 5s};
  make({address});
  std::optional<Service> service;
  ask_in_turn({"a", "b", "c"}, 0ms);
  // The service comes up while its address rests: nothing notices before the rest is over.
  Next up([&] { service.emplace(echo, std::move(port)); });
  loop_->post([&] { up.in(*loop_, 20ms); });
  run();
  ASSERT_EQ(3U, questions_.size());
  for (const Question& question : questions_) {
    ASSERT_TRUE(question.failure);
    EXPECT_EQ(ECONNREFUSED, question.failure->error);
  }
  EXPECT_TRUE(!service || service->connections() == 0);
}

TEST_F(Outbound, who_comes_shortly_before_the_end_of_a_rest_waits_for_it) {
  TakenPort port;
  const base::SocketAddress address = port.address();
  settings_.rest = {.first = 450ms, .longest = 450ms};
  settings_.max_waiting = 1;
  make({address});
  std::optional<Service> service;
  ask_in_turn({"a", "b"}, 0ms);
  Next up([&] { service.emplace(echo, std::move(port)); });
  loop_->post([&] { up.in(*loop_, 20ms); });
  run();
  EXPECT_TRUE(questions_.front().failure) << "it had its attempt";
  EXPECT_EQ("re b\n", questions_.back().answer);
}

TEST_F(Outbound, a_service_that_comes_back_is_found) {
  TakenPort port;
  const base::SocketAddress address = port.address();
  settings_.rest = {.first = 50ms, .longest = 100ms};
  make({address});
  std::optional<Service> service;
  ask_in_turn({"a", "b", "c", "d", "e", "f"}, 200ms);
  Next up([&] { service.emplace(echo, std::move(port)); });
  loop_->post([&] { up.in(*loop_, 300ms); });
  run();
  EXPECT_TRUE(questions_.front().failure);
  EXPECT_EQ("re f\n", questions_.back().answer);
}

}  // namespace
}  // namespace postern::loop
