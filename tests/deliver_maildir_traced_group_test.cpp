// What a group asks of the kernel, and in which order: strace sees it, and makes single calls fail.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "deliver/maildir/group.hpp"
#include "tests/maildir_place.hpp"

namespace postern::deliver {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

// One message for each word: "a ab b" are three, the second one for two mailboxes.
std::vector<Outcome> deliver(MaildirRoot& root, MaildirGroup& group, const std::string& words) {
  std::vector<std::unique_ptr<MaildirMessage>> messages;
  std::vector<std::string> envelopes;
  std::istringstream stream(words);
  for (std::string word; stream >> word;) {
    std::vector<std::string> forward_paths;
    for (const char user : word) forward_paths.push_back(user + "@example.com"s);
    envelopes.push_back(envelope_for(forward_paths));
    messages.push_back(std::make_unique<MaildirMessage>(root));
    messages.back()->begin({}, "", "");
    messages.back()->write(std::string(1024, 'x'));
  }
  std::vector<PreparedMessage> prepared;
  for (std::size_t i = 0; i < messages.size(); ++i) prepared.push_back({messages[i].get(), envelopes[i]});
  return group.commit(prepared);
}

// A group that makes the mailboxes a, b and c (and waits once for many syncs), then that of POSTERN_TEST_GROUP, whose
// outcomes it writes down. Not a test by itself, and so not among those that are listed: MaildirTracedGroupTest runs it
// under strace, and judges its calls.
TEST(DISABLED_Group, delivers_two_groups) {
  const char* path = std::getenv("POSTERN_TEST_ROOT");
  if (path == nullptr) GTEST_SKIP() << "only inside a trace";
  MaildirRoot root({.root = path, .host = "mail.example.com", .default_domain = {}});
  MaildirGroup group(root, SyncMany::Way::together);
  EXPECT_EQ(deliver(root, group, "abc").front().result, Outcome::Result::accepted);
  EXPECT_NE(access("/second-message", F_OK), 0);
  const std::vector<Outcome> outcomes = deliver(root, group, std::getenv("POSTERN_TEST_GROUP"));
  EXPECT_NE(access("/answered", F_OK), 0);
  std::ofstream file(path + "/outcomes"s);
  for (const Outcome& outcome : outcomes)
    file << (outcome.result == Outcome::Result::accepted ? "accepted" : outcome.cause) << '\n';
}

class MaildirTracedGroupTest : public TracedMaildirPlace {
 protected:
  // The calls of the second group.
  [[nodiscard]] std::string trace(const std::string& group, const std::string& options) const {
    fs::remove_all(root_ / "mail");
    setenv("POSTERN_TEST_GROUP", group.c_str(), 1);
    return TracedMaildirPlace::trace("DISABLED_Group", options);
  }

  [[nodiscard]] std::vector<std::string> outcomes() const {
    std::vector<std::string> lines;
    std::ifstream file(root_ / "mail/outcomes");
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  // How many messages of the second group are in a mailbox.
  [[nodiscard]] std::size_t stored(const char* mailbox) const {
    return messages_in(root_ / "mail/example.com" / mailbox).size() - 1;
  }
};

std::string repeated(const std::string& word, int times) {
  std::string words;
  for (int i = 0; i < times; ++i) words += word + ' ';
  return words;
}

std::ptrdiff_t count(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return std::distance(std::sregex_iterator(text.begin(), text.end(), regex), {});
}

const std::string watched = "-e trace=access,openat,write,writev,fsync,linkat,io_setup,io_submit,io_getevents ";
const std::string no_batches = "-e inject=io_setup:error=ENOSYS ";
const std::vector<std::string> all_accepted(4, "accepted");

TEST_F(MaildirTracedGroupTest, a_folder_is_synced_once_for_all_and_before_any_is_accepted) {
  const std::string calls = trace(repeated("a", 20), watched);
  EXPECT_EQ(outcomes(), std::vector(20, "accepted"s));
  std::string letters;  // one for each call that matters, in order
  std::istringstream lines(calls);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("write") && line.contains("Return-Path")) letters += 'w';
    if (line.starts_with("io_submit")) letters += 's' + std::to_string(count(line, "IOCB_CMD_FSYNC[^}]*#"));
    if (line.starts_with("io_getevents") && line.ends_with("= 20")) letters += 'd';
    if (line.starts_with("linkat") && line.contains("/example.com/a/new>") && line.ends_with("= 0")) letters += 'l';
    if (line.starts_with("fsync")) letters += line.contains("/example.com/a/new>) = 0") ? 'F' : '?';
    if (line.contains("\"/answered\"")) letters += '!';
  }
  EXPECT_EQ(letters, std::string(20, 'w') + "s20d" + std::string(20, 'l') + "F!") << calls;
}

TEST_F(MaildirTracedGroupTest, folders_are_synced_together_each_once) {
  const std::string calls = trace("a ab abc c bc", watched);
  EXPECT_EQ(outcomes(), std::vector(5, "accepted"s));
  const std::size_t last_link = calls.rfind("linkat(");
  ASSERT_NE(last_link, std::string::npos);
  const std::string after = calls.substr(last_link, calls.find("/answered") - last_link);
  EXPECT_EQ(count(after, "io_submit"), 1) << after;
  for (const char* mailbox : {"a", "b", "c"})
    EXPECT_EQ(count(after, "IOCB_CMD_FSYNC, aio_fildes=\\d+<[^>]*/example.com/"s + mailbox + "/new>"), 1) << after;
  EXPECT_EQ(count(after, "io_getevents.* = 3\n"), 1) << after;
}

TEST_F(MaildirTracedGroupTest, without_batches_each_is_synced_alone) {
  for (const std::string& refusal : {"io_setup:error=ENOSYS"s, "io_submit:error=EAGAIN"s}) {
    const std::string calls = trace("a a ab b", watched + "-e inject=" + refusal);
    EXPECT_EQ(outcomes(), all_accepted);
    EXPECT_EQ(count(calls.substr(0, calls.find("linkat(")), "fsync\\(\\d+<[^>]*#"), 4) << calls;
    EXPECT_EQ(count(calls.substr(calls.rfind("linkat(")), "fsync\\(\\d+<[^>]*/new>"), 2) << calls;
  }
}

TEST_F(MaildirTracedGroupTest, an_interrupted_wait_goes_on) {
  const std::string calls = trace("a a ab b", watched + "-e inject=io_getevents:error=EINTR:when=2");
  EXPECT_EQ(outcomes(), all_accepted);
  EXPECT_EQ(count(calls, "io_getevents.*EINTR"), 1);
}

TEST_F(MaildirTracedGroupTest, what_cannot_be_waited_for_is_not_accepted) {
  static_cast<void>(trace("a a ab b", watched + "-e inject=io_getevents:error=EINVAL:when=2"));
  EXPECT_EQ(outcomes(), std::vector(4, "EIO: sync"s));
  EXPECT_EQ(stored("a") + stored("b"), 0U);
}

// The first event of that wait is replaced by one that says EIO; whose it was is left to the moment.
std::string with_failed_event(int wait) {
  const std::string zeros(16, '0'), eio = "fbffffffffffffff";
  return watched + "-e inject=io_getevents:poke_exit=@arg4=" + zeros + zeros + eio + zeros +
         ":when=" + std::to_string(wait);
}

TEST_F(MaildirTracedGroupTest, a_file_that_cannot_be_synced_defers_only_its_message) {
  const std::string calls = trace("a a a a", with_failed_event(2));
  std::vector<std::string> sorted = outcomes();
  std::ranges::sort(sorted);
  EXPECT_EQ(sorted, (std::vector{"EIO: sync"s, "accepted"s, "accepted"s, "accepted"s})) << calls;
  EXPECT_EQ(stored("a"), 3U);
}

TEST_F(MaildirTracedGroupTest, a_folder_that_cannot_be_synced_with_others_defers_its_messages) {
  const std::string calls = trace("a a b b", with_failed_event(3));
  const std::vector<std::string> told = outcomes();
  const std::string yes = "accepted", a = "EIO: example.com/a", b = "EIO: example.com/b";
  EXPECT_TRUE(told == std::vector({a, a, yes, yes}) || told == std::vector({yes, yes, b, b})) << calls;
  EXPECT_EQ(stored("a"), told[0] == yes ? 2U : 0U);
  EXPECT_EQ(stored("b"), told[2] == yes ? 2U : 0U);
}

TEST_F(MaildirTracedGroupTest, a_folder_that_cannot_be_synced_takes_back_all_that_was_linked_into_it) {
  const auto all =
      count((static_cast<void>(trace("a ab b c", watched + no_batches)), contents(root_ / "trace")), "fsync\\(");
  const auto with_failed = [&](int from_end) {
    static_cast<void>(
        trace("a ab b c", watched + no_batches + "-e inject=fsync:error=EIO:when=" + std::to_string(all - from_end)));
    return outcomes();
  };
  const std::string yes = "accepted", a = "EIO: example.com/a", b = "EIO: example.com/b", c = "EIO: example.com/c";
  EXPECT_EQ(with_failed(0), (std::vector{yes, yes, yes, c}));
  EXPECT_EQ((std::vector{stored("a"), stored("b"), stored("c")}), (std::vector{2UZ, 2UZ, 0UZ}));
  EXPECT_EQ(with_failed(1), (std::vector{yes, b, b, yes}));
  EXPECT_EQ((std::vector{stored("a"), stored("b"), stored("c")}), (std::vector{1UZ, 0UZ, 1UZ}));
  EXPECT_EQ(with_failed(2), (std::vector{a, a, yes, yes}));
  EXPECT_EQ((std::vector{stored("a"), stored("b"), stored("c")}), (std::vector{0UZ, 1UZ, 1UZ}));
}

// Of d, which this group makes, what stands above must be synced too: the root, the domain, the mailbox.
TEST_F(MaildirTracedGroupTest, a_folder_above_that_cannot_be_synced_defers_who_needs_it) {
  const auto calls = trace("a d", watched + no_batches);
  ASSERT_EQ(outcomes(), std::vector(2, "accepted"s));
  const auto all = count(contents(root_ / "trace"), "fsync\\(");
  std::vector<std::string> causes;
  for (int from_end = 4; from_end >= 0; --from_end) {
    static_cast<void>(
        trace("a d", watched + no_batches + "-e inject=fsync:error=EIO:when=" + std::to_string(all - from_end)));
    causes.push_back(outcomes()[0] + " | " + outcomes()[1]);
    EXPECT_EQ(stored("a"), outcomes()[0] == "accepted" ? 1U : 0U);
    EXPECT_TRUE(messages_in(root_ / "mail/example.com/d").empty() == (outcomes()[1] != "accepted"));
  }
  std::ranges::sort(causes);
  EXPECT_EQ(causes, (std::vector{"EIO: example.com/a | accepted"s, "accepted | EIO: ."s, "accepted | EIO: example.com"s,
                                 "accepted | EIO: example.com/d"s, "accepted | EIO: example.com/d"s}))
      << calls;
}

// The first message of the second group is the 4th that is linked: the first group has linked 3.
TEST_F(MaildirTracedGroupTest, a_name_that_is_taken_is_followed_by_another) {
  const std::string calls = trace("a a ab b", watched + "-e inject=linkat:error=EEXIST:when=4..6");
  EXPECT_EQ(outcomes(), all_accepted);
  EXPECT_EQ(count(calls, "linkat.*EEXIST"), 3);
  EXPECT_EQ(stored("a") + stored("b"), 5U);
}

TEST_F(MaildirTracedGroupTest, only_so_many_names_are_tried) {
  static_cast<void>(trace("a a ab b", watched + "-e inject=linkat:error=EEXIST:when=4..11"));
  EXPECT_EQ(outcomes(), (std::vector{"EEXIST: example.com/a"s, "accepted"s, "accepted"s, "accepted"s}));
  EXPECT_EQ(stored("a"), 2U);
}

// Where the kernel refuses to link by descriptor: old, and we have no privilege.
TEST_F(MaildirTracedGroupTest, files_get_their_names_by_way_of_proc_too) {
  // Every other call is a link by descriptor, from the first on.
  const std::string calls = trace("a a ab b", watched + "-e inject=linkat:error=ENOENT:when=1+2");
  EXPECT_EQ(outcomes(), all_accepted);
  EXPECT_EQ(count(calls, "linkat\\(AT_FDCWD[^,]*, \"/proc/self/fd/.*AT_SYMLINK_FOLLOW\\) = 0"), 5) << calls;
}

}  // namespace
}  // namespace postern::deliver
