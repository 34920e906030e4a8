// What asks over the pool: questions that remember how they ended, on a loop that ends with them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "loop/outbound_pool.hpp"
#include "tests/outbound_service.hpp"

namespace postern::loop {

using namespace std::chrono_literals;

class Question final : public OutboundRequest<LineProtocol> {
 public:
  Question(std::string line, base::Interval patience, std::function<void()> then)
      : line_(std::move(line)), patience_(patience), then_(std::move(then)) {}
  void begin(LineProtocol& line, base::Time now) override {
    ++begun;
    line.begin(line_, now, patience_);
  }
  void ended(LineProtocol& line) override {
    answer = line.answer_;
    failure = line.failure_;
    if (failure) told = describe(*failure);
    most_octets = line.most_octets_;
    end();
  }
  void failed(const base::StreamFailure& why) override {
    failure = why;
    told = describe(why);
    end();
  }
  void leave() { withdraw(); }
  void end() {
    ++ends;
    ended_at = std::chrono::steady_clock::now();
    then_();
  }

  std::string answer, told;
  std::optional<base::StreamFailure> failure;
  std::size_t most_octets = 0;
  int begun = 0, ends = 0;
  base::Time ended_at{};

 private:
  std::string line_;
  base::Interval patience_;
  std::function<void()> then_;
};

class Outbound : public ::testing::Test {
 protected:
  void make(std::vector<base::SocketAddress> addresses) {
    settings_.addresses = std::move(addresses);
    pool_ = std::make_unique<OutboundPool<LineProtocol>>(*loop_, settings_,
                                                         [] { return std::make_unique<LineProtocol>(); });
  }
  // Submitted on the loop; the loop ends when all that was asked has ended.
  Question& ask(std::string line, base::Interval patience = 5s, base::Interval in_all = 8s) {
    Question& question = questions_.emplace_back(std::move(line), patience, [this] { stop_if_all_ended(); });
    ++asked_;
    loop_->post([this, &question, in_all] {
      if (const auto failure = pool_->submit(question, in_all)) question.failed(*failure);
    });
    return question;
  }
  void stop_if_all_ended() {
    if (++ended_ == asked_ && ends_with_all_) loop_->stop();
  }
  void run(base::Interval at_most = 10s) {
    const auto end = std::chrono::steady_clock::now() + at_most;
    std::jthread guard([this, end](const std::stop_token& token) {
      while (std::chrono::steady_clock::now() < end && !token.stop_requested()) std::this_thread::sleep_for(2ms);
      loop_->stop();
    });
    loop_->run();
    guard.request_stop();
    for (const Question& question : questions_) EXPECT_LE(question.ends, 1);
  }
  // What was asked has ended; afterwards more may be asked.
  void run_to_the_end() {
    run();
    EXPECT_EQ(asked_, ended_);
    again();
  }
  // A loop that has stopped runs no more.
  void again() {
    pool_.reset();
    loop_ = Loop::make().value();
  }
  // One after the other, over one pool.
  void ask_in_turn(std::vector<std::string> lines, base::Interval pause = {}) {
    ends_with_all_ = false;
    lines_ = std::move(lines);
    pause_ = pause;
    loop_->post([this] { ask_next(); });
  }
  // The same, each at the very end of the one before it.
  void ask_at_once(std::vector<std::string> lines) {
    is_at_once_ = true;
    ask_in_turn(std::move(lines));
  }
  void ask_next() {
    if (lines_.empty()) return loop_->stop();
    Question& question =
        questions_.emplace_back(lines_.front(), 5s, [this] { is_at_once_ ? ask_next() : next_.in(*loop_, pause_); });
    lines_.erase(lines_.begin());
    if (const auto failure = pool_->submit(question, 8s)) question.failed(*failure);
  }
  class Next final : public Timer {
   public:
    explicit Next(std::function<void()> then) : then_(std::move(then)) {}
    void in(Loop& loop, base::Interval pause) { loop.arm(*this, pause); }

   private:
    void on_time() override { then_(); }
    std::function<void()> then_;
  };

  std::unique_ptr<Loop> loop_ = Loop::make().value();
  OutboundSettings settings_{.connect_patience = 2s};
  std::unique_ptr<OutboundPool<LineProtocol>> pool_;
  std::list<Question> questions_;
  std::vector<std::string> lines_;
  base::Interval pause_{};
  Next next_{[this] { ask_next(); }};
  int asked_ = 0, ended_ = 0;
  bool ends_with_all_ = true, is_at_once_ = false;
};

}  // namespace postern::loop
