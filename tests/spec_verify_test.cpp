// A spec with one fault is refused, with file, line and reason; and the committed one is not.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace postern::spec {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int exit_status;
  std::string said;
};

Outcome check(const fs::path& folder) {
  const std::string command = std::string(POSTERN_GENERATE) + " --check " + folder.string() + " 2>&1";
  std::FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, "cannot run " + command};
  std::string said;
  std::array<char, 4096> piece;
  for (std::size_t got = 1; got != 0;) {
    got = std::fread(piece.data(), 1, piece.size(), pipe);
    said.append(piece.data(), got);
  }
  return {pclose(pipe), said};
}

// A copy of spec/*.toml in which one text of one file is another.
class CopyOfSpec {
 public:
  CopyOfSpec() {
    std::string pattern = (fs::temp_directory_path() / "postern-spec-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    for (const char* name :
         {"settings.toml", "events.toml", "policy.toml", "replies.toml", "laws.toml", "limits.hpp", "elsewhere.toml"})
      fs::copy_file(fs::path(POSTERN_SOURCE_FOLDER "/spec") / name, folder_ / name);
  }
  ~CopyOfSpec() { fs::remove_all(folder_); }
  CopyOfSpec(const CopyOfSpec&) = delete;
  CopyOfSpec& operator=(const CopyOfSpec&) = delete;

  // The number of the line where the change begins; 0 when there is nothing to change.
  std::size_t change(const std::string& file, const std::string& from, const std::string& to) const {
    std::string text = read(folder_ / file);
    const std::size_t at = text.find(from);
    if (at == std::string::npos) return 0;
    const auto line =
        static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<long>(at), '\n')) + 1;
    text.replace(at, from.size(), to);
    std::ofstream(folder_ / file, std::ios::binary) << text;
    return line;
  }
  [[nodiscard]] const fs::path& folder() const { return folder_; }

 private:
  static std::string read(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  fs::path folder_;
};

TEST(Spec, is_whole) {
  const Outcome outcome = check(POSTERN_SOURCE_FOLDER "/spec");
  EXPECT_EQ(outcome.exit_status, 0) << outcome.said;
  EXPECT_TRUE(outcome.said.starts_with("spec: ")) << outcome.said;
}

struct Fault {
  const char* name;
  const char* file;
  const char* from;
  const char* to;
  int lines_down;         // from the change to the line that is reported
  const char* told_file;  // when it is another one
  const char* reason;
};

class Faulty : public ::testing::TestWithParam<Fault> {};

TEST_P(Faulty, spec_is_refused_with_file_line_and_reason) {
  const Fault& fault = GetParam();
  const CopyOfSpec copy;
  const std::size_t line = copy.change(fault.file, fault.from, fault.to);
  ASSERT_NE(line, 0U) << "nothing to change: " << fault.from;
  const Outcome outcome = check(copy.folder());
  EXPECT_NE(outcome.exit_status, 0);
  const bool is_here = fault.told_file == nullptr;
  const std::string where = (copy.folder() / (is_here ? fault.file : fault.told_file)).string() + ":" +
                            (is_here ? std::to_string(static_cast<int>(line) + fault.lines_down) + ": " : "");
  EXPECT_TRUE(outcome.said.contains(where)) << "wanted " << where << "\n" << outcome.said;
  EXPECT_TRUE(outcome.said.contains(fault.reason)) << "wanted " << fault.reason << "\n" << outcome.said;
  EXPECT_TRUE(outcome.said.contains("the spec is refused: ")) << outcome.said;
}

constexpr const char* rset_rule = "id = \"rset\"\non = [\"rset\"]";
INSTANTIATE_TEST_SUITE_P(
    spec, Faulty,
    ::testing::Values(
        Fault{"unknown_name_in_a_guard", "policy.toml", "if = \"errors_spent\"", "if = \"errors_spend\"", -4, nullptr,
              "unknown name at 'errors_spend'"},
        Fault{"unknown_value_in_a_guard", "policy.toml", "if = \"channel is implicit\"", "if = \"channel is tls\"", -4,
              nullptr, "unknown value of channel at 'tls'"},
        Fault{"unknown_event", "policy.toml", "on = [\"rset\"]", "on = [\"reset\"]", -2, nullptr,
              "unknown event \"reset\""},
        Fault{"unknown_reply", "policy.toml", "reply = \"flushed\"", "reply = \"flush\"", -4, nullptr,
              "unknown reply \"flush\""},
        Fault{"unknown_effect", "policy.toml", "effect = \"delay\"", "effect = \"wait\"", -5, nullptr,
              "unknown effect \"wait\""},
        Fault{"unknown_state", "policy.toml", "then = { transaction = \"mail\" }", "then = { mail = \"mail\" }", -6,
              nullptr, "unknown state \"mail\""},
        Fault{"unknown_value_in_then", "policy.toml", "then = { transaction = \"mail\" }",
              "then = { transaction = \"begun\" }", -6, nullptr, "unknown value \"begun\" of transaction"},
        Fault{"unknown_key", "policy.toml", "id = \"noop\"\n", "id = \"noop\"\nwhy = \"\"\n", 1, nullptr,
              "unknown key why"},
        Fault{"missing_key", "policy.toml", "id = \"noop\"\non = [\"noop\"]\nstep = 1\n",
              "id = \"noop\"\non = [\"noop\"]\n", -1, nullptr, "[[rule]] without step"},
        Fault{"hole", "policy.toml", "if = \"transaction is rcpt\"", "if = \"transaction is rcpt and encrypted\"", 0,
              "events.toml", "a hole: no rule decides data when errors_spent=0 channel is clear transaction is rcpt"},
        Fault{"clash", "policy.toml", "if = \"not relaying\"", "if = \"not authenticated\"", -4, nullptr,
              "a clash: recipient.relayed and recipient.not_ours have step 1 and both hold for recipient.foreign"},
        Fault{"rule_that_never_decides", "policy.toml", "[[rule]]\nid = \"noop\"",
              "[[rule]]\nid = \"noop.idle\"\non = [\"noop\"]\nstep = 2\nreply = \"ok\"\nsource = \"x\"\n\n[[rule]]\nid "
              "= \"noop\"",
              0, nullptr, "rule \"noop.idle\" never decides: no session can get there"},
        Fault{"twin_rule", "policy.toml", rset_rule, "id = \"noop\"\non = [\"rset\"]", 7, nullptr,
              "a second rule \"noop\""},
        Fault{"twin_event", "events.toml", "name = \"rset\"", "name = \"noop\"", 5, nullptr, "a second \"noop\""},
        Fault{"twin_reply", "replies.toml", "name = \"flushed\"", "name = \"ok\"", -1, nullptr, "a second \"ok\""},
        Fault{"twin_setting", "settings.toml", "name = \"FORCE_TLS\"", "name = \"SSL\"", -1, nullptr,
              "a second \"SSL\""},
        Fault{"unused_reply", "replies.toml", "[[reply]]\nname = \"ok\"",
              "[[reply]]\nname = \"idle\"\ncode = 250\ntext = \"\"\nsource = \"\"\n\n[[reply]]\nname = \"ok\"", 0,
              nullptr, "reply \"idle\" is never used"},
        Fault{"unused_effect", "events.toml", "[[effect]]\nname = \"close\"",
              "[[effect]]\nname = \"idle\"\nmeaning = \"\"\n\n[[effect]]\nname = \"close\"", 0, nullptr,
              "effect \"idle\" is never used"},
        Fault{"value_never_reached", "settings.toml", "values = [\"none\", \"helo\", \"ehlo\"]",
              "values = [\"none\", \"helo\", \"ehlo\", \"lhlo\"]", 0, "settings.toml", "greeting is never lhlo"},
        Fault{"event_in_an_unknown_state", "events.toml", "while = [\"hand_over\"]", "while = [\"handover\"]", -2,
              nullptr, "unknown value \"handover\" of waiting"},
        Fault{"event_that_nobody_decides", "events.toml", "[[event]]\nname = \"rset\"",
              "[[event]]\nname = \"turn\"\nwhile = [\"command\"]\nmeaning = \"\"\nsource = \"\"\n\n[[event]]\nname = "
              "\"rset\"",
              0, nullptr, "a hole: no rule decides turn"},
        Fault{"unknown_setting_in_a_cell", "settings.toml", "PORT = 465, SSL = 1", "PORT = 465, TLS = 1", -3, nullptr,
              "unknown setting \"TLS\""},
        Fault{"rule_that_breaks_a_law", "policy.toml", "if = \"REQUIRE_AUTH and not authenticated\"",
              "if = \"REQUIRE_AUTH and not relaying\"", 0, "policy.toml", "no_mail_before_auth_when_required"},
        Fault{"default_that_is_no_value", "settings.toml", "default = \"backend\"", "default = \"maybe\"", -2, nullptr,
              "the default of AUTH is neither 0 nor 1 nor a fact of the start"},
        Fault{"reply_of_another_class", "replies.toml", "text = \"auth type not available (#5.5.1)\"",
              "text = \"auth type not available (#4.5.1)\"", -5, nullptr, "is 504 and says 4.x.x"},
        Fault{"enhanced_code_of_another_class", "replies.toml",
              "mistake = true\nenhanced = \"5.5.1\"\ntext = \"auth type",
              "mistake = true\nenhanced = \"4.5.1\"\ntext = \"auth type", -3, nullptr, "is 504 and says 4.x.x"},
        Fault{"text_without_its_number_sign", "replies.toml", "text = \"TLS not available (4.3.0)\"",
              "text = \"TLS not available (5.3.0)\"", -3, nullptr, "is 454 and says 5.x.x"},
        Fault{"queue_exit_of_another_class", "replies.toml", "text = \"qq out of memory (#4.3.0)\"",
              "text = \"qq out of memory (#5.3.0)\"", -2, nullptr, "is said with 451: it needs (#4"},
        Fault{"hand_over_text_of_another_class", "replies.toml", "text = \"unable to store mail (#4.3.0)\"",
              "text = \"unable to store mail (#5.3.0)\"", -2, nullptr, "is said with 451: it needs (#4"},
        Fault{"question_that_is_not_waited_for", "policy.toml",
              "effect = \"check_recipient\"\nthen = { waiting = \"recipient\" }", "effect = \"check_recipient\"", -4,
              nullptr, "rule \"rcpt.check\" asks for recipient, and does not wait for the answer"},
        Fault{"wait_for_what_is_not_asked", "policy.toml", "effect = \"check_recipient\"\n", "effect = \"delay\"\n", -4,
              nullptr, "rule \"rcpt.check\" waits for recipient, and nothing is asked"},
        Fault{"answer_of_nobody_to_another_question", "events.toml", "nobody = \"recipient.unknowable\"",
              "nobody = \"credentials.broken\"", -4, nullptr,
              "credentials.broken is no answer to the question recipient"},
        Fault{"answer_of_nobody_that_lets_in", "events.toml", "nobody = \"recipient.unknowable\"",
              "nobody = \"recipient.ours\"", 0, "policy.toml", "rule \"recipient.ours\" must answer 4yz"},
        Fault{"question_that_waits_for_ever", "events.toml", "nobody = \"recipient.unknowable\"\nseconds = 60",
              "nobody = \"recipient.unknowable\"\nseconds = 3601", -4, nullptr,
              "the question recipient may wait for 3600 seconds at most"},
        Fault{"two_questions_in_one_state", "events.toml", "effect = \"check_credentials\"\nwaits = \"credentials\"",
              "effect = \"check_credentials\"\nwaits = \"recipient\"", -2, nullptr,
              "the questions recipient and credentials share an effect or a state"},
        Fault{"malformed_toml", "policy.toml", "id = \"noop\"", "id = \"noop", 0, nullptr, ""}),
    [](const auto& fault) { return std::string(fault.param.name); });

}  // namespace
}  // namespace postern::spec
