#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "observe/program_output.hpp"

namespace postern::observe {
namespace {

using namespace std::chrono_literals;

class Lines final : public LogOutput {
 public:
  void write(std::string_view line) override {
    const std::lock_guard lock(mutex_);
    all_.push_back(nlohmann::json::parse(line));
  }
  std::vector<nlohmann::json> all() {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  std::mutex mutex_;
  std::vector<nlohmann::json> all_;
};

class Programs : public ::testing::Test {
 protected:
  Lines output_;
  LogVoice voice_{.program = "postern", .output = &output_, .form = LogForm::json, .process = 7};
  ProgramLines lines_{voice_};
  base::Time now_ = base::Time{} + 1h;
};

TEST_F(Programs, what_they_write_is_a_line_of_its_own_kind) {
  lines_.take("one\r\n\ntw", now_);
  lines_.take("o {\"event\":\"message\"}\nand no end", now_);
  ASSERT_EQ(2U, output_.all().size());
  for (const auto& line : output_.all()) EXPECT_EQ("program", line["event"]);
  EXPECT_EQ("one", output_.all()[0]["note"]);
  EXPECT_EQ("two {\"event\":\"message\"}", output_.all()[1]["note"]);
  lines_.end();
  ASSERT_EQ(3U, output_.all().size());
  EXPECT_EQ("and no end", output_.all()[2]["note"]);
}

TEST_F(Programs, a_line_is_as_long_as_may_be_and_no_longer) {
  const std::string longest(max_program_line_octets, 'x');
  lines_.take(longest + "\n" + longest, now_);
  lines_.take("y" + std::string(1'000'000, 'z') + "\nnext\n", now_);
  ASSERT_EQ(3U, output_.all().size());
  EXPECT_EQ(longest, output_.all()[0]["note"].get<std::string>());
  EXPECT_EQ(longest + "...", output_.all()[1]["note"].get<std::string>());
  EXPECT_EQ("next", output_.all()[2]["note"]);
}

TEST_F(Programs, are_not_told_faster_than_may_be) {
  for (unsigned i = 0; i < max_program_lines_a_second + 7; ++i) lines_.take("x\n", now_ + i * 1ms);
  EXPECT_EQ(max_program_lines_a_second, output_.all().size());
  lines_.pass(now_ + 999ms);
  EXPECT_EQ(max_program_lines_a_second, output_.all().size());
  lines_.pass(now_ + 1s);
  ASSERT_EQ(max_program_lines_a_second + 1, output_.all().size());
  EXPECT_EQ(7, output_.all().back()["left_out"]);
  lines_.take("again\n", now_ + 1s);
  EXPECT_EQ("again", output_.all().back()["note"]);
}

TEST_F(Programs, the_thread_tells_what_is_in_the_pipe_and_ends) {
  ProgramOutput programs;
  ASSERT_EQ(0, programs.open());
  ASSERT_EQ(0, programs.start(voice_));
  const std::string text = "first\nlast";
  ASSERT_EQ(static_cast<ssize_t>(text.size()), ::write(programs.descriptor(), text.data(), text.size()));
  programs.stop();
  ASSERT_EQ(2U, output_.all().size());
  EXPECT_EQ("last", output_.all()[1]["note"]);
  programs.stop();
}

}  // namespace
}  // namespace postern::observe
