#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "loop/workers.hpp"

namespace postern::loop {
namespace {

using namespace std::chrono_literals;

struct Tally {
  std::atomic<int> running = 0, most = 0, run = 0;
  int done = 0;  // on the loop's thread alone
  std::vector<int> times;
};

class Counted final : public Job {
 public:
  Counted(Loop& loop, Tally& tally, std::size_t which, int wanted)
      : Job(loop), tally_(tally), which_(which), wanted_(wanted) {}
  void run() override {
    const int now = ++tally_.running;
    int most = tally_.most;
    while (now > most && !tally_.most.compare_exchange_weak(most, now)) {
    }
    if (which_ % 50 == 0) std::this_thread::sleep_for(1ms);
    --tally_.running;
    ++tally_.run;
  }
  void done() override {
    ++tally_.times[which_];
    if (++tally_.done == wanted_) loop().stop();
  }

 private:
  Tally& tally_;
  std::size_t which_;
  int wanted_;
};

TEST(Workers, each_job_runs_once_and_comes_back_once_to_its_loop) {
  constexpr int wanted = 2000;
  auto loop = Loop::make().value();
  Tally tally;
  tally.times.resize(wanted);
  Workers workers(3);
  std::jthread submitting([&] {
    for (std::size_t i = 0; i < wanted; ++i) workers.submit(std::make_unique<Counted>(*loop, tally, i, wanted));
  });
  loop->run();
  EXPECT_EQ(wanted, tally.run);
  EXPECT_EQ(std::vector<int>(wanted, 1), tally.times);
}

TEST(Workers, no_more_jobs_at_once_than_threads) {
  constexpr int wanted = 300;
  auto loop = Loop::make().value();
  Tally tally;
  tally.times.resize(wanted);
  Workers workers(3);
  for (std::size_t i = 0; i < wanted; ++i) workers.submit(std::make_unique<Counted>(*loop, tally, i, wanted));
  loop->run();
  EXPECT_LE(tally.most, 3);
  EXPECT_GE(tally.most, 1);
}

TEST(Workers, the_end_waits_for_what_was_handed_in) {
  auto loop = Loop::make().value();
  Tally tally;
  tally.times.resize(100);
  {
    Workers workers(2);
    for (std::size_t i = 0; i < 100; ++i) workers.submit(std::make_unique<Counted>(*loop, tally, i, 100));
  }
  EXPECT_EQ(100, tally.run);
  EXPECT_EQ(0, tally.done) << "the loop never ran";
}

}  // namespace
}  // namespace postern::loop
