// The line of each refusal, by every rule of the policy that refuses: whose mail it was, and why it is refused.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>

#include "audit/dialogue.hpp"
#include "observe/journal.hpp"
#include "testing/replay.hpp"

namespace postern::observe {
namespace {

namespace bit = spec::bit;
using spec::Event;

struct Lines final : LogOutput {
  void write(std::string_view line) override { last = line; }
  std::string last;
};

// `key=value` of a line; a value in quotes without them.
std::optional<std::string> field(const std::string& line, const std::string& key) {
  const std::size_t begin = line.find(" " + key + "=");
  if (begin == std::string::npos) return std::nullopt;
  const std::size_t at = begin + key.size() + 2;
  if (line[at] == '"') return line.substr(at + 1, line.find('"', at + 1) - at - 1);
  return line.substr(at, line.find_first_of(" :\n", at) - at);
}

// As a line of the log has it: the parts of an address that a client chooses are escaped.
std::string logged(std::string_view octets) {
  Lines lines;
  LogLine("x", {.output = &lines}).client("v", octets).write();
  return lines.last.substr(lines.last.find(" v=") + 3, lines.last.size() - lines.last.find(" v=") - 4);
}

// What a session knew before a decision.
struct Known {
  std::string reverse_path, first_recipient;
  std::size_t recipients = 0;
};

class EachRefusal : public ::testing::Test {
 protected:
  void see(const testing::Moment& moment) {
    const engine::Session& session = moment.session;
    if (moment.step.code >= 400) expect_told(moment);
    known_ = {.reverse_path = std::string(session.envelope().reverse_path()),
              .first_recipient = std::string(session.envelope().first_recipient()),
              .recipients = session.envelope().recipients()};
  }

  void expect_told(const testing::Moment& moment) {
    const engine::Step& step = moment.step;
    met_.insert(step.rule);
    Journal("192.0.2.7", {}, {.output = &lines_})
        .refusal(step, {.name = "somebody", .words = "no", .why = "so", .id = {1700000000, 7}});
    const std::string& line = lines_.last;
    const bool has_transaction = !step.before.has(bit::transaction_none), is_mail = is_valid_mail(step.event),
               is_rcpt = step.event == Event::rcpt_valid || step.event == Event::rcpt_too_many ||
                         step.before.has(bit::waiting_recipient);
    EXPECT_EQ(spec::name_of(step.rule), field(line, "rule")) << line;
    EXPECT_EQ(step.reply.substr(0, step.reply.find('\r')), field(line, "reply")) << line;
    if (is_mail) {
      EXPECT_EQ(logged(moment.session.mailbox()), field(line, "from")) << line;
      EXPECT_EQ(std::nullopt, field(line, "to")) << line;
    } else if (step.event == Event::mail_malformed) {  // too long, say, or not to be read
      EXPECT_EQ(moment.session.mailbox().empty() ? std::nullopt : std::optional(logged(moment.session.mailbox())),
                field(line, "from"))
          << line;
    } else if (has_transaction) {
      EXPECT_EQ(logged(known_.reverse_path), field(line, "from")) << line;
    } else {
      EXPECT_EQ(std::nullopt, field(line, "from")) << line;
    }
    if (is_rcpt) {
      EXPECT_EQ(logged(moment.session.mailbox()), field(line, "to")) << line;
    } else if (!is_mail && step.event != Event::rcpt_malformed && step.event != Event::mail_malformed) {
      EXPECT_EQ(known_.recipients != 0, field(line, "to").has_value()) << line;
      if (known_.recipients != 0) {
        EXPECT_EQ(logged(known_.first_recipient), field(line, "to")) << line;
      }
      if (known_.recipients != 0) {
        EXPECT_EQ(std::to_string(known_.recipients), field(line, "recipients")) << line;
      }
    }
    const bool has_size =
        step.event == Event::mail_too_big || step.before.has(bit::waiting_mail_data | bit::waiting_hand_over);
    EXPECT_EQ(has_size, field(line, "octets").has_value()) << line;
    const bool is_said = step.before.has(bit::waiting_recipient | bit::waiting_credentials | bit::waiting_message |
                                         bit::waiting_hand_over);
    for (const auto& [key, value] :
         std::map<std::string, std::string>{{"said_by", "somebody"}, {"said", "no"}, {"why", "so"}})
      EXPECT_EQ(is_said ? std::optional(value) : std::nullopt, field(line, key)) << line;
  }

  static bool is_valid_mail(Event event) {
    return event == Event::mail_valid || event == Event::mail_with_auth || event == Event::mail_too_big;
  }

  Lines lines_;
  Known known_;
  std::set<spec::Rule> met_;
};

TEST_F(EachRefusal, says_whose_mail_it_was_and_who_refuses_it) {
  for (const audit::Dialogue& dialogue : audit::load_dialogues(POSTERN_SOURCE_FOLDER "/tests/dialogues")) {
    known_ = {};
    SCOPED_TRACE(dialogue.name);
    static_cast<void>(testing::replay(dialogue, {}, testing::AfterStarttls::same_session,
                                      [this](const testing::Moment& moment) { see(moment); }));
  }
  std::string missing;
  for (std::size_t event = 0; event < spec::event_count; ++event)
    for (const spec::PolicyRow& row : spec::policy_rows(static_cast<Event>(event)))
      if (spec::reply_row(row.reply).code >= 400 && !met_.contains(row.rule))
        missing += std::string(spec::name_of(row.rule)) + "\n";
  EXPECT_EQ("", missing) << "rules that no dialogue shows";
}

// The path of a line that could not be read, or that of an earlier line, is not that of the mail.
TEST(Refusal, names_no_path_of_another_line) {
  engine::LoneSession session({.settings_and_facts = {}, .host = "mx.example.org"});
  static_cast<void>(session.report(Event::connect_ready));
  std::array<char, 512> scratch{};
  const auto line_of = [&](std::string_view command) {
    const engine::Step step = session.step(command, scratch);
    Lines lines;
    Journal("192.0.2.7", {}, {.output = &lines}).refusal(step);
    return lines.last;
  };
  static_cast<void>(session.step("EHLO client.example\r\n", scratch));
  static_cast<void>(session.step("MAIL FROM:<a@b.example>\r\n", scratch));
  EXPECT_EQ(std::nullopt, field(line_of("NONSENSE\r\n"), "to"));
  EXPECT_EQ("a@b.example", field(line_of("NONSENSE\r\n"), "from"));
  EXPECT_EQ(std::nullopt, field(line_of("RCPT TO:<>nobody\r\n"), "to"));
  static_cast<void>(session.step("RSET\r\n", scratch));
  EXPECT_EQ(std::nullopt, field(line_of("MAIL FROM:x\r\n"), "from"));
  EXPECT_EQ("c@d.example", field(line_of("RCPT TO:<c@d.example>\r\n"), "to")) << "without MAIL";
}

}  // namespace
}  // namespace postern::observe
