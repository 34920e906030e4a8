// A session that waits for an answer about a recipient, and policy services that say what a test wants.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ask/policy_inquiry.hpp"
#include "config/policy_services.hpp"

namespace postern::ask {

class PolicyServices : public ::testing::Test {
 protected:
  PolicyServices() {
    start_.policy_services = config::parse_policy_services("unix:/one tcp:127.0.0.1:2 unix:/three").value();
    static_cast<void>(session_.report(spec::Event::connect_ready));
    say("EHLO client.example\r\n");
    say("MAIL FROM:<me@sender.example> SIZE=1234\r\n");
    say("RCPT TO:<user@ours.example>\r\n");
  }

  engine::Step say(std::string_view line) { return session_.step(line, scratch_); }
  static constexpr engine::Answer ours{spec::Event::recipient_ours, "user@ours.example"};

  PolicyInquiry inquiry(const engine::Answer& found = ours) { return {start_, session_, found, client_, memory_}; }
  void begin_another() {
    static_cast<void>(session_.report(spec::Event::recipient_unknowable));
    say("RSET\r\n");
    say("MAIL FROM:<second@sender.example>\r\n");
    say("RCPT TO:<user@ours.example>\r\n");
  }
  // "!": it does not answer; "?": what it answers is no answer.
  engine::Answer answer_to(const std::vector<std::string>& answers, const engine::Answer& found = ours) {
    memory_ = {};
    return answer_next(answers, found);
  }
  engine::Answer answer_next(const std::vector<std::string>& answers, const engine::Answer& found = ours) {
    inquiry_.emplace(inquiry(found));
    asked_ = 0;
    for (const std::string& answer : answers) {
      if (inquiry_->next() == nullptr) break;
      ++asked_;
      const bool is_trouble = answer == "!" || answer == "?";
      inquiry_->hear(is_trouble ? PolicyAnswer{.trouble = "why", .has_begun = answer == "?"}
                                : PolicyAnswer{.action = answer});
    }
    EXPECT_EQ(nullptr, inquiry_->next()) << asked_;
    return inquiry_->answer();
  }

  std::array<char, 1024> scratch_{};
  engine::LoneSession session_{{.settings_and_facts = {}, .host = "mx.example.org"}};
  config::Start start_;
  PolicyClient client_{.address = "192.0.2.1",
                       .port = "4711",
                       .server_address = "192.0.2.2",
                       .server_port = "25",
                       .tls_version = {},
                       .tls_cipher = {},
                       .session = "a.b"};
  PolicyMemory memory_;
  std::optional<PolicyInquiry> inquiry_;
  std::size_t asked_ = 0;
};

}  // namespace postern::ask
