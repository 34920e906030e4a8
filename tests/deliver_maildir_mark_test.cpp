// The sticky bit of new/ says that it, or a folder above it, may not be on the disk yet (deliver/maildir/folders.hpp).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "deliver/maildir/maildir.hpp"
#include "tests/maildir_place.hpp"

namespace postern::deliver {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

// Not a test by itself, and so not among those that are listed: MaildirMarkTest runs it under strace.
TEST(DISABLED_Marked, delivers_a_message) {
  const char* root = std::getenv("POSTERN_TEST_ROOT");
  if (root == nullptr) GTEST_SKIP() << "only inside a trace";
  MaildirRoot own_root({.root = root, .host = "mail.example.com", .default_domain = {}});
  Maildir maildir(own_root, Maildir::File::at_once);
  maildir.begin({}, "", "");
  const Outcome outcome = maildir.finish("x\n", envelope_for({"a@example.com", "b@example.com"}));
  std::ofstream(root + "/outcome"s) << (outcome.result == Outcome::Result::accepted ? "accepted" : outcome.cause);
}

class MaildirMarkTest : public TracedMaildirPlace {
 protected:
  static constexpr fs::perms mark = fs::perms::sticky_bit;
  static constexpr fs::perms others = fs::perms::owner_all | fs::perms::set_gid;

  // Of a message for a, whose new/ is marked, and for b, whose new/ is not.
  [[nodiscard]] std::string trace(const std::string& options) const {
    fs::remove_all(root_ / "mail");
    for (const char* mailbox : {"a", "b"})
      for (const char* folder : {"tmp", "cur", "new"})
        fs::create_directories(root_ / "mail/example.com" / mailbox / folder);
    fs::permissions(new_of("a"), others | mark);
    fs::permissions(new_of("b"), others);
    return trace_again(options);
  }
  [[nodiscard]] std::string trace_again(const std::string& options) const {
    return TracedMaildirPlace::trace("DISABLED_Marked", "-e trace=fsync,fchmod " + options);
  }

  [[nodiscard]] fs::path new_of(const char* mailbox) const { return root_ / "mail/example.com" / mailbox / "new"; }
  [[nodiscard]] fs::perms mode_of(const char* mailbox) const { return fs::status(new_of(mailbox)).permissions(); }
  [[nodiscard]] std::string outcome() const { return contents(root_ / "mail/outcome"); }

  // The folders that were synced, and whose mode was changed.
  [[nodiscard]] std::vector<std::string> folders_in(const std::string& calls) const {
    const std::regex call("(fsync|fchmod)\\(\\d+<" + root_.string() + "/mail(/example.com[^>]*)?>");
    std::vector<std::string> folders;
    for (std::sregex_iterator at(calls.begin(), calls.end(), call), end; at != end; ++at)
      folders.push_back((*at)[1].str() + " mail" + (*at)[2].str());
    return folders;
  }
};

TEST_F(MaildirMarkTest, a_marked_mailbox_is_synced_with_all_folders_above_it_and_loses_the_mark) {
  const std::string calls = trace("");
  EXPECT_EQ(outcome(), "accepted");
  EXPECT_EQ(folders_in(calls),
            (std::vector{"fsync mail/example.com/a/new"s, "fsync mail/example.com/b/new"s, "fsync mail"s,
                         "fsync mail/example.com"s, "fsync mail/example.com/a"s, "fchmod mail/example.com/a/new"s}))
      << calls;
  EXPECT_EQ(mode_of("a"), others) << "the other bits stay";
  EXPECT_EQ(mode_of("b"), others);
  EXPECT_EQ(folders_in(trace_again("")),
            (std::vector{"fsync mail/example.com/a/new"s, "fsync mail/example.com/b/new"s}));
}

TEST_F(MaildirMarkTest, it_stays_after_a_sync_that_failed) {
  const std::vector<std::string> causes{"EIO: example.com/a", "EIO: example.com/b", "EIO: .", "EIO: example.com",
                                        "EIO: example.com/a"};
  for (std::size_t i = 0; i < causes.size(); ++i) {  // the first sync is that of the file
    static_cast<void>(trace("-e inject=fsync:error=EIO:when=" + std::to_string(2 + i)));
    EXPECT_EQ(outcome(), causes[i]);
    const bool is_of_b = causes[i].ends_with("b");
    EXPECT_EQ(mode_of("a"), is_of_b ? others : others | mark) << causes[i];
    static_cast<void>(trace_again(""));
    EXPECT_EQ(outcome(), "accepted");
    EXPECT_EQ(mode_of("a"), others);
  }
}

TEST_F(MaildirMarkTest, a_mailbox_that_is_made_has_it_until_it_is_durable) {
  static_cast<void>(trace_again("-e inject=fsync:error=EIO:when=2+"));
  EXPECT_EQ(outcome(), "EIO: .");
  EXPECT_EQ(mode_of("a"), fs::perms::owner_all | mark);
  EXPECT_EQ(mode_of("b"), fs::perms::owner_all | mark);
  static_cast<void>(trace_again(""));
  EXPECT_EQ(outcome(), "accepted");
  EXPECT_EQ(mode_of("a"), fs::perms::owner_all);
  EXPECT_EQ(mode_of("b"), fs::perms::owner_all);
}

TEST_F(MaildirMarkTest, one_that_cannot_be_removed_costs_no_mail) {
  for (int i = 0; i < 2; ++i) {
    const std::string inject = "-e inject=fchmod:error=EPERM";
    const std::string calls = i == 0 ? trace(inject) : trace_again(inject);
    EXPECT_EQ(outcome(), "accepted");
    EXPECT_EQ(folders_in(calls).size(), 6U) << calls;
    EXPECT_EQ(mode_of("a"), others | mark);
  }
}

}  // namespace
}  // namespace postern::deliver
