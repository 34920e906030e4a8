#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "config/control.hpp"
#include "tests/daemon_home.hpp"

namespace postern::config {
namespace {

class Control : public ::testing::Test {
 protected:
  tests::Home home_;
};

TEST_F(Control, an_absent_file_is_no_value) {
  EXPECT_EQ(std::nullopt, read_line("me").value());
  EXPECT_EQ(std::nullopt, read_number("databytes").value());
  EXPECT_EQ(std::nullopt, read_list("rcpthosts").value());
}

TEST_F(Control, a_line_is_the_first_without_trailing_space) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"mail.example.com\n", "mail.example.com"},
      {"mail.example.com", "mail.example.com"},
      {"mail.example.com \t \nsecond\n", "mail.example.com"},
      {"mail.example.com hello there\n", "mail.example.com hello there"},
      {" leading\n", " leading"},
      {"# not a comment here\n", "# not a comment here"},
      {"", ""},
      {"\nsecond\n", ""},
      {"  \t\n", ""},
      {std::string(max_control_line_octets - 1, 'x') + "\n", std::string(max_control_line_octets - 1, 'x')},
      {"short\n" + std::string(5 * max_control_line_octets, 'x'), "short"},
  };
  for (const auto& [text, line] : cases) {
    home_.write("control/me", text);
    EXPECT_EQ(line, read_line("me").value()) << text;
  }
}

TEST_F(Control, a_line_with_a_control_octet_or_too_long_is_malformed) {
  home_.write("control/me", "mail.example.com\rx\n");
  EXPECT_EQ(ControlProblem::Kind::malformed, read_line("me").error().kind);
  EXPECT_EQ("control/me line 1: \"mail.example.com?x\": remove the control character (is the file UTF-16?)",
            describe(read_line("me").error()));
  home_.write("control/me",
              "b\xC3\xBC"
              "cher.example\n");
  EXPECT_EQ("control/me line 1: \"b??cher.example\": write ASCII only, an internationalised domain as xn--...",
            describe(read_line("me").error()));
  home_.write("control/me", std::string("a\0b", 3));
  EXPECT_EQ(ControlProblem::Kind::malformed, read_line("me").error().kind);
  home_.write("control/me", std::string(max_control_line_octets, 'x'));
  EXPECT_EQ("control/me line 1: \"" + std::string(60, 'x') + "...\": write one shorter line",
            describe(read_line("me").error()));
}

TEST_F(Control, what_cannot_be_read_says_why) {
  home_.write_unreadable("control/me");
  const auto line = read_line("me");
  EXPECT_EQ(ControlProblem::Kind::unreadable, line.error().kind);
  EXPECT_EQ(EISDIR, line.error().error_number);
  EXPECT_EQ("control/me: cannot be read: Is a directory", describe(line.error()));
  EXPECT_EQ(EISDIR, read_number("me").error().error_number);
  EXPECT_EQ(EISDIR, read_list("me").error().error_number);
  EXPECT_EQ(
      ENAMETOOLONG,
      read_line("a-name-much-longer-than-that-of-any-control-file-that-anybody-has-ever-seen").error().error_number);
}

TEST_F(Control, a_fifo_neither_holds_us_up_nor_is_an_empty_file) {
  ASSERT_EQ(0, ::mkfifo("control/me", 0644));
  ASSERT_FALSE(read_line("me"));
  EXPECT_EQ(read_line("me").error().kind, ControlProblem::Kind::unreadable);
}

TEST_F(Control, a_number_is_digits) {
  const std::vector<std::pair<std::string, std::optional<std::uint64_t>>> cases{
      {"0\n", 0},         {"10000000", 10000000},  {"010 \t\n", 10},
      {"", std::nullopt}, {"\n5\n", std::nullopt}, {"18446744073709551615\n", 18446744073709551615ULL}};
  for (const auto& [text, number] : cases) {
    home_.write("control/databytes", text);
    EXPECT_EQ(number, read_number("databytes").value()) << text;
  }
}

// deviation D11
TEST_F(Control, anything_but_digits_is_named_with_place_and_remedy) {
  home_.write("control/databytes", "10k\n");
  EXPECT_EQ("control/databytes line 1: \"10k\": write digits only", describe(read_number("databytes").error()));
  home_.write("control/databytes", "18446744073709551616");
  EXPECT_EQ("control/databytes line 1: \"18446744073709551616\": write a smaller number",
            describe(read_number("databytes").error()));
  for (const char* text : {"-1", " 1", "yes", "1 2", "0x10"}) {
    home_.write("control/databytes", text);
    EXPECT_EQ(ControlProblem::Kind::malformed, read_number("databytes").error().kind) << text;
  }
}

TEST_F(Control, a_list_leaves_out_blank_lines_and_comments_and_counts_them) {
  home_.write("control/rcpthosts", "# ours\n\nexample.com \t\n  \n.sub.example.com\n#x\nlast");
  const std::string text = read_list("rcpthosts").value().value();
  ControlEntries entries(text);
  std::vector<std::pair<std::string, std::size_t>> found;
  while (const auto entry = entries.next()) found.emplace_back(entry->text, entry->line);
  const std::vector<std::pair<std::string, std::size_t>> expected{
      {"example.com", 3}, {".sub.example.com", 5}, {"last", 7}};
  EXPECT_EQ(expected, found);
}

// What editors of other systems leave: forgiven, and said.
TEST_F(Control, a_line_and_a_list_are_read_whatever_editor_wrote_them) {
  for (const char* text : {"example.org\r\n",
                           "\xEF\xBB\xBF"
                           "example.org",
                           "example.org\r",
                           "\xEF\xBB\xBF"
                           "example.org \t\r\n"}) {
    ControlRemarks remarks;
    home_.write("control/me", text);
    EXPECT_EQ("example.org", read_line("me", &remarks).value()) << text;
    ASSERT_EQ(1U, remarks.size()) << text;
    EXPECT_TRUE(remarks[0].starts_with("control/me line 1: ")) << remarks[0];
    home_.write("control/rcpthosts", text);
    ControlList list("rcpthosts", EntryKind::domains);
    EXPECT_EQ(ControlList::State::present, list.load()) << text;
    EXPECT_TRUE(list.contains("example.org")) << text;
  }
  ControlRemarks remarks;
  EXPECT_TRUE(judge_list("rcpthosts", "a.org\r\nb.org\r\n", EntryKind::domains, &remarks).has_value());
  EXPECT_EQ(
      (ControlRemarks{"control/rcpthosts line 1: ends with a carriage return, which is left out; and 1 more lines"}),
      remarks);
}

TEST_F(Control, a_list_that_is_no_plain_text_is_unusable) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"a.org\rb.org\r", "control/rcpthosts line 1: \"a.org?b.org\": a carriage return ends no line here: "},
      {"# all\rb.org\r", "control/rcpthosts line 1: \"# all?b.org\": a carriage return ends no line here: "},
      {std::string("a\0.\0o\0r\0g\0\n\0", 12),
       "control/rcpthosts line 1: \"a?.?o?r?g?\": this is not plain text (UTF-16?)"},
      {std::string("x.org\na.org\0\n", 13), "control/rcpthosts line 2: \"a.org?\": this is not plain text (UTF-16?)"},
      {"b\xC3\xBC"
       "cher.example\n",
       "control/rcpthosts line 1: \"b??cher.example\": write printable ASCII only"}};
  for (const auto& [text, problem] : cases) {
    home_.write("control/rcpthosts", text);
    ControlList list("rcpthosts", EntryKind::domains);
    EXPECT_EQ(ControlList::State::unusable, list.load()) << problem;
    EXPECT_TRUE(list.problem().starts_with(problem)) << list.problem();
  }
  EXPECT_TRUE(judge_list("rcpthosts",
                         "# b\xC3\xBC"
                         "cher\n",
                         EntryKind::domains)
                  .has_value());
}

TEST_F(Control, an_entry_that_can_never_match_is_named) {
  const auto verdict = [](std::string_view entry, EntryKind kind) { return judge_entry(entry, kind).verdict; };
  using Verdict = EntryJudgement::Verdict;
  for (const char* fine :
       {"example.org", ".example.org", "[192.0.2.1]", "my_host.example", "xn--bcher-kva.example", "localhost"})
    EXPECT_EQ(Verdict::fine, verdict(fine, EntryKind::domains)) << fine;
  for (const char* idle : {"user@example.org", "@example.org", "*.example.org", "a.org b.org", "a..org", "example.org.",
                           "..example.org", ".", "a.org,b.org", "https://example.org"})
    EXPECT_EQ(Verdict::idle, verdict(idle, EntryKind::domains)) << idle;
  for (const char* fine : {"user@example.org", "@example.org", "a+b=c@example.org", "a b@example.org"})
    EXPECT_EQ(Verdict::fine, verdict(fine, EntryKind::addresses)) << fine;
  for (const char* idle : {"example.org", "a@b.org c@d.org"})
    EXPECT_EQ(Verdict::idle, verdict(idle, EntryKind::addresses));
  for (const char* wrong : {".*@example.org", "!good@example.org", "^spam", "@.*\\.xyz$", "@(a|b).org", "*@example.org",
                            "\"a b\"@example.org"})
    EXPECT_EQ(Verdict::wrong, verdict(wrong, EntryKind::addresses)) << wrong;
}

TEST_F(Control, a_list_may_be_long_but_not_endless) {
  std::string long_list;
  for (int i = 0; i < 2000; ++i) long_list += "host" + std::to_string(i) + ".example\n";
  home_.write("control/rcpthosts", long_list);
  EXPECT_EQ(long_list, read_list("rcpthosts").value());
  home_.write("control/rcpthosts", std::string(max_control_list_octets + 1, 'x'));
  EXPECT_EQ(EFBIG, read_list("rcpthosts").error().error_number);
}

TEST_F(Control, a_list_is_read_once_and_matches_in_any_case) {
  ControlList list("rcpthosts", EntryKind::domains);
  home_.write("control/rcpthosts", "Example.COM\n");
  EXPECT_EQ(ControlList::State::present, list.load());
  home_.write("control/rcpthosts", "");
  EXPECT_EQ(ControlList::State::present, list.load());
  EXPECT_TRUE(list.contains("eXample.com"));
  EXPECT_FALSE(list.contains("example.co"));
  EXPECT_FALSE(list.contains(""));
}

TEST_F(Control, a_list_tells_absent_from_unusable) {
  ControlList absent("rcpthosts", EntryKind::domains);
  EXPECT_EQ(ControlList::State::absent, absent.load());
  home_.write_unreadable("control/rcpthosts");
  ControlList unusable("rcpthosts", EntryKind::domains);
  EXPECT_EQ(ControlList::State::unusable, unusable.load());
  EXPECT_EQ("control/rcpthosts: cannot be read: Is a directory", unusable.problem());
}

TEST_F(Control, a_list_that_could_not_be_read_is_tried_again) {
  home_.write_unreadable("control/rcpthosts");
  ControlList list("rcpthosts", EntryKind::domains);
  EXPECT_EQ(ControlList::State::unusable, list.load());
  std::filesystem::remove("control/rcpthosts");
  home_.write("control/rcpthosts", "example.com\n");
  EXPECT_EQ(ControlList::State::present, list.load());
  EXPECT_TRUE(list.contains("example.com"));
}

}  // namespace
}  // namespace postern::config
