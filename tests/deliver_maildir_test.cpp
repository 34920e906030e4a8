// Delivery into Maildirs: what is written where, all or none, and in which order it gets to the disk.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "config/maildir_limits.hpp"
#include "config/maildir_name.hpp"
#include "deliver/maildir/maildir.hpp"
#include "spec/limits.hpp"
#include "tests/maildir_place.hpp"

namespace postern::deliver {
namespace {

namespace fs = std::filesystem;
using Result = Outcome::Result;
using config::mailbox_path;
using namespace std::string_literals;

Outcome deliver_to(const MaildirSettings& settings, const std::vector<std::string>& forward_paths,
                   const std::string& message) {
  MaildirRoot own_root(settings);
  Maildir maildir(own_root, Maildir::File::at_once);
  maildir.begin({}, "Received: x\n", "sender@client.example");
  return maildir.finish(message, envelope_for(forward_paths));
}

class MaildirTest : public MaildirPlace {
 protected:
  [[nodiscard]] Outcome deliver(const std::vector<std::string>& forward_paths,
                                const std::string& message = "Subject: t\n\nhello\n") const {
    return deliver_to(settings(), forward_paths, message);
  }
};

// RFC 5321 4.4
TEST_F(MaildirTest, a_message_begins_with_its_trace_fields) {
  const Outcome outcome = deliver({"User@Example.COM"});
  EXPECT_EQ(outcome.result, Result::accepted);
  const auto messages = messages_in(root_ / "example.com/user");
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(contents(messages[0]), "Return-Path: <sender@client.example>\nReceived: x\nSubject: t\n\nhello\n");
  EXPECT_EQ(files_below_root(), 1U) << "nothing else is left";
}

// Deviation D13, and Quoted-strings: a local part may be dots alone, begin with dots, or hold slashes.
TEST_F(MaildirTest, no_local_part_and_no_domain_is_a_way_out_of_the_root) {
  const std::vector<std::string> odd{"..@example.com",  ".@example.com",     ".hidden@example.com", "a..@example.com",
                                     "..a@example.com", "a..b@example.com",  "../../x@example.com", "a@my_host.example",
                                     "tmp@_",           "/etc/x@example.com"};
  EXPECT_EQ(deliver(odd).result, Result::accepted);
  EXPECT_EQ(files_below_root(), odd.size()) << "each message lies below the root, in a mailbox of its own";
  for (const char* mailbox : {"example.com/%2E.", "example.com/%2E", "example.com/%2Ehidden", "example.com/a..",
                              "example.com/%2E.a", "example.com/a..b", "my_host.example/a", "_/tmp"})
    EXPECT_EQ(messages_in(root_ / mailbox).size(), 1U) << mailbox;
}

TEST_F(MaildirTest, only_the_owner_may_look) {
  EXPECT_EQ(deliver({"user@example.com"}).result, Result::accepted);
  for (const char* folder :
       {"example.com", "example.com/user", "example.com/user/new", "example.com/user/cur", "example.com/user/tmp"})
    EXPECT_EQ(fs::status(root_ / folder).permissions(), fs::perms::owner_all) << folder;
  EXPECT_EQ(fs::status(messages_in(root_ / "example.com/user")[0]).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

// RFC 5321 4.4: one Return-Path, ours
TEST_F(MaildirTest, a_return_path_that_the_message_brings_is_replaced) {
  MaildirRoot own_root(settings());
  Maildir maildir(own_root, Maildir::File::at_once);
  for (const std::size_t body : {10UZ, 300'000UZ}) {
    maildir.begin({}, "Received: x\n", "sender@client.example");
    const std::string text = "\nReturn-Path: <in@the.body>\n" + std::string(body, 'x') + "\n";
    maildir.append("Return-Path: <old@x.example>\nSubject: t\nreturn-pa");
    maildir.append("th:\n <older@x.example>\nTo: u\n" + text);
    EXPECT_EQ(maildir.finish({}, envelope_for({"user@example.com"})).result, Result::accepted);
    const auto messages = messages_in(root_ / "example.com/user");
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(contents(messages[0]), "Return-Path: <sender@client.example>\nReceived: x\nSubject: t\nTo: u\n" + text);
    EXPECT_TRUE(messages[0].string().ends_with(",S=" + std::to_string(fs::file_size(messages[0]))));
    fs::remove(messages[0]);
  }
}

TEST_F(MaildirTest, delivered_to_names_each_recipient_in_a_file_of_its_own) {
  MaildirSettings naming = settings();
  naming.has_delivered_to = true;
  MaildirRoot own_root(naming);
  Maildir maildir(own_root, Maildir::File::at_once);
  maildir.begin({}, "Received: x\n", "sender@client.example");
  maildir.append("Subject: t\n\nhello\n");
  EXPECT_EQ(
      maildir.finish({}, envelope_for({"User@example.com", "user@example.com", "b c@x.example", "postmaster"})).result,
      Result::accepted);
  const auto text_of = [&](const char* mailbox) {
    const auto messages = messages_in(root_ / mailbox);
    EXPECT_EQ(messages.size(), 1U) << mailbox;
    if (messages.empty()) return std::string();
    EXPECT_TRUE(messages[0].string().ends_with(",S=" + std::to_string(fs::file_size(messages[0]))));
    return contents(messages[0]);
  };
  const auto wanted = [](const std::string& recipient) {
    return "Return-Path: <sender@client.example>\nDelivered-To: " + recipient + "\nReceived: x\nSubject: t\n\nhello\n";
  };
  EXPECT_EQ(text_of("example.com/user"), wanted("User@example.com"));
  EXPECT_EQ(text_of("x.example/b%20c"), wanted("\"b c\"@x.example"));
  EXPECT_EQ(text_of("example.com/postmaster"), wanted("postmaster@example.com"));
  EXPECT_EQ(files_below_root(), 3U);
}

// maildir(5)
TEST_F(MaildirTest, file_names_are_unique) {
  MaildirSettings odd = settings();
  odd.host = "a/b:c,d";
  MaildirRoot own_root(odd);
  Maildir maildir(own_root, Maildir::File::at_once);
  std::smatch parts;
  for (int i = 0; i < 50; ++i) {
    maildir.begin({.unix_time = 1700000000, .number = 7}, "", "");
    maildir.append("x\n");
    EXPECT_EQ(maildir.finish({}, envelope_for({"user@example.com"})).verdict, "1700000000 qp 7");
  }
  const auto messages = messages_in(root_ / "example.com/user");
  EXPECT_EQ(messages.size(), 50U);
  const std::regex shape(R"(\d{10}\.M\d{1,6}P(\d+)Q\d+\.a\\057b\\072c\?d,S=(\d+))");
  for (const fs::path& message : messages) {
    const std::string name = message.filename();
    ASSERT_TRUE(std::regex_match(name, parts, shape)) << name;
    EXPECT_EQ(parts[1], std::to_string(getpid()));
    EXPECT_EQ(parts[2], std::to_string(fs::file_size(message)));
  }
}

TEST_F(MaildirTest, every_recipient_gets_one_copy) {
  const Outcome outcome = deliver({"a@example.com", "b@example.com", "a@EXAMPLE.com", "postmaster", "a@other.example"});
  EXPECT_EQ(outcome.result, Result::accepted);
  for (const char* mailbox : {"example.com/a", "example.com/b", "example.com/postmaster", "other.example/a"}) {
    const auto messages = messages_in(root_ / mailbox);
    ASSERT_EQ(messages.size(), 1U) << mailbox;
    EXPECT_EQ(fs::hard_link_count(messages[0]), 4U);
  }
}

TEST_F(MaildirTest, many_recipients_need_few_descriptors) {
  rlimit before{}, few{};
  getrlimit(RLIMIT_NOFILE, &before);
  few = before;
  few.rlim_cur = 40;
  setrlimit(RLIMIT_NOFILE, &few);
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back("user" + std::to_string(i) + "@example.com");
  const Outcome outcome = deliver(many);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(outcome.result, Result::accepted) << outcome.cause;
  EXPECT_EQ(files_below_root(), 100U);
  for (const auto& mailbox : fs::directory_iterator(root_ / "example.com"))
    EXPECT_EQ(fs::status(mailbox.path() / "new").permissions(), fs::perms::owner_all) << "durable, and without mark";
}

TEST_F(MaildirTest, messages_of_every_size_arrive_whole) {
  std::string message(5'000'000, 'x');
  for (std::size_t i = 0; i < message.size(); i += 77) message[i] = static_cast<char>('\n' + i % 100);
  const std::string head = "Return-Path: <>\n";
  MaildirRoot own_root(settings());
  Maildir maildir(own_root, Maildir::File::at_once);
  for (const std::size_t size : {0UZ, 1UZ, 65519UZ, 65520UZ, 65521UZ, 131056UZ, message.size()}) {
    maildir.begin({}, "", "");
    for (std::size_t at = 0; at < size; at += 10007)
      maildir.append(std::string_view(message).substr(at, std::min(10007UZ, size - at)));
    EXPECT_EQ(maildir.finish({}, envelope_for({"user@example.com"})).result, Result::accepted);
    const auto messages = messages_in(root_ / "example.com/user");
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_TRUE(contents(messages[0]) == head + message.substr(0, size)) << size;
    fs::remove(messages[0]);
  }
}

TEST_F(MaildirTest, an_abandoned_message_leaves_nothing) {
  {
    MaildirRoot own_root(settings());
    Maildir maildir(own_root, Maildir::File::at_once);
    maildir.begin({}, "", "");
    maildir.append(std::string(200'000, 'x'));
    maildir.abandon();
    maildir.begin({}, "", "");
    maildir.append(std::string(200'000, 'x'));
  }
  EXPECT_EQ(fs::directory_iterator(root_), fs::directory_iterator());
}

TEST_F(MaildirTest, all_or_none) {
  fs::create_directories(root_ / "example.com");
  std::ofstream(root_ / "example.com/b") << "not a folder";
  const Outcome outcome = deliver({"a@example.com", "b@example.com", "c@example.com"});
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.verdict, "unable to store mail (#4.3.0)");
  EXPECT_EQ(outcome.cause, "ENOTDIR: example.com/b");
  EXPECT_TRUE(messages_in(root_ / "example.com/a").empty());
  EXPECT_TRUE(messages_in(root_ / "example.com/c").empty());
}

// A new/ that is elsewhere than its tmp/ is no Maildir: nothing could come into it whole (maildir(5)).
TEST_F(MaildirTest, a_new_folder_on_another_file_system_than_its_tmp_defers) {
  struct stat here{}, there{};
  if (stat(root_.c_str(), &here) != 0 || stat("/dev/shm", &there) != 0 || here.st_dev == there.st_dev)
    GTEST_SKIP() << "only one file system";
  std::string elsewhere = "/dev/shm/postern_XXXXXX";
  ASSERT_NE(mkdtemp(elsewhere.data()), nullptr);
  fs::create_directories(root_ / "example.com/b");
  fs::create_directory_symlink(elsewhere, root_ / "example.com/b/new");
  const Outcome outcome = deliver({"a@example.com", "b@example.com"});
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.cause, "ENOENT: example.com/b");
  EXPECT_TRUE(messages_in(root_ / "example.com/a").empty());
  EXPECT_TRUE(fs::is_empty(elsewhere));
  fs::remove(elsewhere);
}

TEST_F(MaildirTest, a_vanished_root_defers) {
  MaildirSettings nowhere = settings();
  nowhere.root += "/nowhere";
  const Outcome outcome = deliver_to(nowhere, {"a@example.com"}, "x\n");
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.cause, "ENOENT: new file");
  MaildirRoot nowhere_root(nowhere);
  EXPECT_EQ(Maildir(nowhere_root, Maildir::File::at_once).begin({}, "", ""), "ENOENT: new file")
      << "which the client is to hear at DATA";
}

TEST_F(MaildirTest, trouble_ends_with_its_message) {
  std::ofstream(root_ / "broken.example") << "not a folder";
  MaildirRoot own_root(settings());
  Maildir maildir(own_root, Maildir::File::at_once);
  for (const Result expected : {Result::accepted, Result::deferred, Result::accepted}) {
    maildir.begin({}, "", "");
    EXPECT_EQ(
        maildir.finish({}, envelope_for({expected == Result::accepted ? "a@example.com" : "a@broken.example"})).result,
        expected);
  }
}

TEST_F(MaildirTest, a_broken_envelope_defers) {
  MaildirRoot own_root(settings());
  Maildir maildir(own_root, Maildir::File::at_once);
  for (const std::string& octets :
       {""s, "\0"s, "Fa\0"s, "Fa\0\0"s, "Fa\0Tb\0"s, "Fa\0Tb\0Xc\0\0"s, "Fa\0Tb"s, "Tb\0\0"s, "Fa\0Tb\0\0\0"s}) {
    maildir.begin({}, "", "");
    EXPECT_EQ(maildir.finish({}, octets).result, Result::deferred);
  }
  EXPECT_EQ(maildir.finish({}, envelope_for({"a@example.com"})).result, Result::deferred) << "nothing was begun";
  EXPECT_EQ(files_below_root(), 0U);
}

TEST_F(MaildirTest, only_a_writable_folder_is_usable) {
  EXPECT_TRUE(config::is_usable_maildir_root(root_));
  EXPECT_FALSE(config::is_usable_maildir_root(root_ / "nowhere"));
  EXPECT_FALSE(config::is_usable_maildir_root(""));
  std::ofstream(root_ / "file") << "x";
  EXPECT_FALSE(config::is_usable_maildir_root(root_ / "file"));
  if (geteuid() == 0) return;  // root may write anywhere
  fs::permissions(root_, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_FALSE(config::is_usable_maildir_root(root_));
  fs::permissions(root_, fs::perms::owner_all);
}

TEST_F(MaildirTest, every_address_the_policy_accepts_has_a_mailbox) {
  const std::string long_part(spec::max_address_octets - 12, '/');
  for (const std::string& forward_path :
       {long_part + "@example.com", "a@" + long_part, "../../etc/x@../.."s, "\xff\xfe@\x80"s, "new@new"s, "tmp@new"s}) {
    const Outcome outcome = deliver({forward_path});
    EXPECT_EQ(outcome.result, Result::accepted) << outcome.cause;
    EXPECT_EQ(messages_in(root_ / mailbox_path(forward_path, "")).size(), 1U) << forward_path;
  }
}

TEST_F(MaildirTest, a_full_disk_defers_and_leaves_nothing) {
  if (mount("postern", root_.c_str(), "tmpfs", 0, "size=256k") != 0) GTEST_SKIP() << "mount is not permitted";
  const Outcome outcome = deliver({"a@example.com", "b@example.com"}, std::string(1'000'000, 'x'));
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.verdict, "unable to write mail: disk full (#4.3.1)");
  EXPECT_EQ(files_below_root(), 0U);
  EXPECT_EQ(fs::space(root_).available, fs::space(root_).capacity);
  EXPECT_EQ(deliver({"a@example.com"}).result, Result::accepted) << "a small one still fits";
  umount2(root_.c_str(), MNT_DETACH);
}

// Neither /proc nor privilege: the file has a name in .tmp while it is written.
TEST_F(MaildirTest, works_without_proc) {
  const pid_t child = fork();
  if (child == 0) {
    if (chroot(root_.c_str()) != 0 || chdir("/") != 0) _exit(2);
    MaildirSettings inside = settings();
    inside.root = "/";
    const Outcome accepted = deliver_to(inside, {"a@example.com", "b@example.com"}, "x\n");
    std::ofstream("/example.com/c") << "not a folder";
    const Outcome deferred = deliver_to(inside, {"a@example.com", "c@example.com"}, "x\n");
    _exit(accepted.result == Result::accepted && deferred.result == Result::deferred ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "chroot is not permitted";
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(messages_in(root_ / "example.com/a").size(), 1U);
  EXPECT_EQ(messages_in(root_ / "example.com/b").size(), 1U);
  EXPECT_EQ(fs::directory_iterator(root_ / ".tmp"), fs::directory_iterator());
}

class MaildirTracedTest : public TracedMaildirPlace {
 protected:
  [[nodiscard]] std::string trace(const std::string& options) const {
    return TracedMaildirPlace::trace("DISABLED_Once", options);
  }
};

// Not a test by itself, and so not among those that are listed: MaildirTracedTest runs it under strace, and judges its calls.
TEST(DISABLED_Once, delivers_two_messages) {
  const char* root = std::getenv("POSTERN_TEST_ROOT");
  if (root == nullptr) GTEST_SKIP() << "only inside a trace";
  MaildirRoot own_root({.root = root, .host = "mail.example.com", .default_domain = {}});
  Maildir maildir(own_root, Maildir::File::at_once);
  for (const char* mark : {"/first-message", "/second-message"}) {
    EXPECT_NE(access(mark, F_OK), 0);
    maildir.begin({}, "", "");
    maildir.append(std::string(1024, 'x'));
    const Outcome outcome = maildir.finish({}, envelope_for({"a@example.com", "b@example.com"}));
    std::ofstream(root + "/outcome"s) << outcome.verdict << '|' << outcome.cause;
  }
}

TEST_F(MaildirTracedTest, is_synced_before_it_is_seen_and_seen_before_it_is_accepted) {
  const std::string calls = trace("-e trace=access,openat,write,writev,fsync,linkat,close");
  const std::vector<std::string> order{R"(O_TMPFILE)",
                                       R"(writev?\(\d+<[^>]*#\d+>.*"Return-Path)",
                                       R"(fsync\(\d+<[^>]*#\d+)",
                                       R"(linkat\(.*/example.com/a/new>)",
                                       R"(linkat\(.*/example.com/b/new>)",
                                       R"(fsync\(\d+<[^>]*/example.com/a/new>\))",
                                       R"(fsync\(\d+<[^>]*/example.com/b/new>\))"};
  std::smatch found;
  std::string rest = calls;
  for (const std::string& step : order) {
    ASSERT_TRUE(std::regex_search(rest, found, std::regex(step))) << step << "\nin\n" << calls;
    rest = found.suffix();
  }
  EXPECT_FALSE(std::regex_search(rest, std::regex("linkat|fsync"))) << calls;
}

TEST_F(MaildirTracedTest, a_failed_sync_takes_every_link_back) {
  // The second message syncs its file, then a, then b; the first one made the mailboxes with syncs of their own.
  const auto syncs = [](const std::string& calls) {
    const std::regex sync(R"(fsync\()");
    return std::distance(std::sregex_iterator(calls.begin(), calls.end(), sync), {});
  };
  const auto all = syncs(contents((static_cast<void>(trace("-e trace=fsync")), root_ / "trace")));
  const fs::path mail = root_ / "mail";
  for (const int from_end : {0, 1, 2}) {
    fs::remove_all(mail);
    static_cast<void>(trace("-e trace=fsync -e inject=fsync:error=EIO:when=" + std::to_string(all - from_end)));
    EXPECT_EQ(messages_in(mail / "example.com/a").size(), 1U) << "the first message is there, the second is not";
    EXPECT_EQ(messages_in(mail / "example.com/b").size(), 1U);
    const std::string where = from_end == 0 ? "example.com/b" : from_end == 1 ? "example.com/a" : "sync";
    EXPECT_EQ(contents(mail / "outcome"), "unable to store mail (#4.3.0)|EIO: " + where);
  }
}

}  // namespace
}  // namespace postern::deliver
