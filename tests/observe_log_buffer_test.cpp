#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <thread>
#include <vector>

#include "base/child.hpp"
#include "observe/log_buffer.hpp"

namespace postern::observe {
namespace {

class Logging : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> pipe{};
    ASSERT_EQ(0, ::pipe2(pipe.data(), O_CLOEXEC));
    reader_ = base::Descriptor(pipe[0]);
    writer_ = base::Descriptor(pipe[1]);
  }
  // All up to the end, which comes when nothing holds the writer.
  std::string read_all() {
    std::string text;
    std::array<char, 65536> room{};
    for (ssize_t got = 0; (got = ::read(reader_.number(), room.data(), room.size())) > 0;)
      text.append(room.data(), static_cast<std::size_t>(got));
    return text;
  }
  base::Descriptor reader_, writer_;
};

TEST_F(Logging, before_the_start_lines_are_written_at_once) {
  LogBuffer log(writer_.number());
  log.write("one\n");
  std::array<char, 16> room{};
  EXPECT_EQ(4, ::read(reader_.number(), room.data(), room.size()));
}

TEST_F(Logging, lines_of_many_threads_come_whole_and_each_thread_s_in_order) {
  std::string text;
  std::jthread reading([&] { text = read_all(); });
  {
    LogBuffer log(writer_.number());
    log.start();
    std::vector<std::jthread> threads;
    for (int who = 0; who < 4; ++who)
      threads.emplace_back([&log, who] {
        for (int i = 0; i < 1000; ++i) log.write(std::to_string(who) + " " + std::to_string(i) + "\n");
      });
    threads.clear();
  }
  writer_.close();
  reading.join();
  std::array<int, 4> next{};
  std::size_t at = 0;
  for (std::size_t end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const auto who = static_cast<std::size_t>(text[at] - '0');
    ASSERT_LT(who, 4U);
    ASSERT_EQ(std::to_string(who) + " " + std::to_string(next[who]++), text.substr(at, end - at));
  }
  EXPECT_EQ((std::array<int, 4>{1000, 1000, 1000, 1000}), next);
}

// There is no reader; then there is one.
TEST_F(Logging, what_does_not_fit_is_dropped_and_told_and_nobody_waits) {
  LogBuffer log(writer_.number());
  log.start();
  const std::string line = std::string(999, 'x') + "\n";
  constexpr std::size_t wanted = 3 * LogBuffer::max_octets / 1000;
  const auto begun = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < wanted; ++i) log.write(line);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
  std::string text;
  std::jthread reading([&] { text = read_all(); });
  log.stop();
  writer_.close();
  reading.join();
  const std::size_t told = text.find("]: warning lost=");
  ASSERT_NE(std::string::npos, told);
  const std::size_t lost = std::stoul(text.substr(told + 16));
  const auto kept = static_cast<std::size_t>(std::ranges::count(text, '\n')) - 1;
  EXPECT_EQ(wanted, kept + lost);
  EXPECT_GT(lost, 0U);
  EXPECT_GE(kept, LogBuffer::max_octets / 1000);
}

TEST_F(Logging, lost_lines_are_told_in_the_form_of_the_log) {
  LogBuffer log(writer_.number(), LogForm::json);
  log.start();
  const std::string line = std::string(99999, 'x') + "\n";
  for (std::size_t i = 0; i < 2 * LogBuffer::max_octets / line.size(); ++i) log.write(line);
  std::string text;
  std::jthread reading([&] { text = read_all(); });
  log.stop();
  writer_.close();
  reading.join();
  const std::size_t told = text.rfind('\n', text.find("read too slowly"));
  ASSERT_NE(std::string::npos, told);
  EXPECT_EQ(R"({"time":")", text.substr(told + 1, 9));
  EXPECT_TRUE(text.ends_with("}\n"));
}

}  // namespace
}  // namespace postern::observe
