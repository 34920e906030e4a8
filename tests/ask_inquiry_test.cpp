#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ask/inquiry.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

namespace bit = spec::bit;

// A session that has just been given "tim" and "tanstaaftanstaaf", and a check program.
class Waiting : public ::testing::Test, public Facts {
 protected:
  void SetUp() override {
    static_cast<void>(session_.report(spec::Event::connect_ready));
    ASSERT_EQ(spec::Effect::check_credentials,
              session_.step("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n", scratch_).effect);
    start_.backend = config::BackendKind::check_program;
    home_.write_program("check",
                        "#!/bin/sh\n{ cat <&3 | tr '\\000' '|'; echo; echo \"$COLOUR $LATER\"; } >got\nexit 1\n");
    words_ = {home_.path() + "/check", "/bin/true"};
    for (std::string& word : words_) arguments_.push_back(word.data());
    arguments_.push_back(nullptr);
  }

  [[nodiscard]] const engine::Session& session() const override { return session_; }
  [[nodiscard]] const config::Start& start() const override { return start_; }
  [[nodiscard]] const base::Environment& environment() override { return *environment_; }
  [[nodiscard]] std::span<char* const> check_program() override { return arguments_; }
  [[nodiscard]] std::string local_ip() override { return "127.0.0.1"; }
  [[nodiscard]] std::string_view relay_value() override { return {}; }

  [[nodiscard]] std::unique_ptr<Inquiry> asked() {
    Asked asked = ask(engine::Question::credentials, *this, recipients_);
    auto* const inquiry = std::get_if<std::unique_ptr<Inquiry>>(&asked);
    return inquiry == nullptr ? nullptr : std::move(*inquiry);
  }

  tests::Home home_;
  std::array<char, 1024> scratch_{};
  engine::LoneSession session_{
      {.settings_and_facts = {bit::AUTH | bit::backend | bit::ALLOW_INSECURE_AUTH}, .host = "mx.example.org"}};
  config::Start start_;
  std::array<const char*, 3> variables_{"COLOUR=blue", "PATH=/bin:/usr/bin", nullptr};
  std::unique_ptr<base::Environment> environment_ = std::make_unique<base::Environment>(variables_.data());
  std::vector<std::string> words_;
  std::vector<char*> arguments_;
  Recipients recipients_;
};

// Its turn may come when the session has gone on: another user, other variables.
TEST_F(Waiting, a_password_keeps_the_variables_that_it_was_asked_with) {
  const auto inquiry = asked();
  ASSERT_NE(nullptr, inquiry);
  environment_->set("COLOUR", "red");
  environment_->set("LATER", "yes");
  inquiry->run();
  EXPECT_EQ("tim|tanstaaftanstaaf||\nblue \n", home_.read("got"));
  EXPECT_EQ(Verdict::rejected, inquiry->finding().credentials->verdict);
}

TEST_F(Waiting, a_password_outlives_the_exchange_and_the_variables_of_its_session) {
  const auto inquiry = asked();
  ASSERT_NE(nullptr, inquiry);
  static_cast<void>(session_.report(spec::Event::credentials_broken));
  environment_.reset();
  EXPECT_TRUE(session_.username().empty());
  inquiry->run();
  EXPECT_EQ("tim|tanstaaftanstaaf||\nblue \n", home_.read("got"));
  EXPECT_EQ("tim", inquiry->finding().username);
}

}  // namespace
}  // namespace postern::ask
