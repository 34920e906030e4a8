// Groups of messages: all of them whole and where they belong, and the trouble of one is not the trouble of another.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "deliver/maildir/group.hpp"
#include "tests/maildir_place.hpp"

namespace postern::deliver {
namespace {

namespace fs = std::filesystem;
using Result = Outcome::Result;
using namespace std::string_literals;

struct Mail {
  std::vector<std::string> forward_paths;
  std::string text;
};

// Messages that wait for a group, in the order in which they were begun.
class Waiting {
 public:
  explicit Waiting(MaildirRoot& root) : root_(&root) {}

  void add(const Mail& mail) {
    messages_.push_back(std::make_unique<MaildirMessage>(*root_));
    messages_.back()->begin({}, "", "");
    messages_.back()->write(mail.text);
    envelopes_.push_back(envelope_for(mail.forward_paths));
  }

  [[nodiscard]] std::vector<Outcome> commit(MaildirGroup& group) const {
    std::vector<PreparedMessage> prepared;
    for (std::size_t i = 0; i < messages_.size(); ++i) prepared.push_back({messages_[i].get(), envelopes_[i]});
    return group.commit(prepared);
  }

 private:
  MaildirRoot* root_;
  std::vector<std::unique_ptr<MaildirMessage>> messages_;
  std::vector<std::string> envelopes_;
};

std::vector<Outcome> deliver(const MaildirSettings& settings, const std::vector<Mail>& mails) {
  MaildirRoot root(settings);
  MaildirGroup group(root, SyncMany::Way::together);
  Waiting waiting(root);
  for (const Mail& mail : mails) waiting.add(mail);
  return waiting.commit(group);
}

// A letter for each outcome, and the causes of the troubles: "a-a ENOSPC: write".
std::string summary(const std::vector<Outcome>& outcomes) {
  std::string letters, causes;
  for (const Outcome& outcome : outcomes) {
    letters += outcome.result == Result::accepted ? 'a' : '-';
    if (!outcome.cause.empty()) causes += ' ' + outcome.cause;
  }
  return letters + causes;
}

const std::string head = "Return-Path: <>\n";

class MaildirGroupTest : public MaildirPlace {
 protected:
  [[nodiscard]] std::vector<std::string> texts_in(const std::string& mailbox) const {
    std::vector<std::string> texts;
    for (const fs::path& message : messages_in(root_ / mailbox)) texts.push_back(contents(message));
    std::ranges::sort(texts);
    return texts;
  }
};

TEST_F(MaildirGroupTest, every_message_arrives_whole_in_its_mailboxes) {
  std::vector<Mail> mails;
  std::map<std::string, std::vector<std::string>> expected;
  const std::vector<std::size_t> sizes{0, 1, 1024, 65519, 65520, 65521, 200'000, 1'000'000};
  for (std::size_t i = 0; i < 150; ++i) {
    const std::string text(sizes[i % sizes.size()], static_cast<char>('a' + i % 26));
    const std::string one = "user" + std::to_string(i % 3), other = "other" + std::to_string(i % 7);
    mails.push_back({{one + "@example.com", other + "@example.com"}, text});
    expected["example.com/" + one].push_back(head + text);
    expected["example.com/" + other].push_back(head + text);
  }
  EXPECT_EQ(summary(deliver(settings(), mails)), std::string(150, 'a'));
  for (auto& [mailbox, texts] : expected) {
    std::ranges::sort(texts);
    EXPECT_TRUE(texts_in(mailbox) == texts) << mailbox;
  }
}

TEST_F(MaildirGroupTest, no_message_is_a_group_too) { EXPECT_EQ(summary(deliver(settings(), {})), ""); }

TEST_F(MaildirGroupTest, a_group_is_used_again_and_so_are_its_messages) {
  MaildirRoot root(settings());
  MaildirGroup group(root, SyncMany::Way::together);
  MaildirMessage message(root);
  const std::string envelope = envelope_for({"a@example.com"});
  for (int i = 0; i < 3; ++i) {
    const PreparedMessage prepared{.message = &message, .envelope_octets = envelope};
    EXPECT_EQ(summary(group.commit({&prepared, 1})), "- EINVAL: no message or no envelope") << "nothing was begun";
    message.begin({}, "", "");
    message.write("x\n");
    EXPECT_EQ(summary(group.commit({&prepared, 1})), "a");
  }
  EXPECT_EQ(texts_in("example.com/a"), std::vector(3, head + "x\n"));
}

TEST_F(MaildirGroupTest, messages_are_begun_on_one_thread_and_made_durable_on_another) {
  MaildirRoot root(settings());
  std::vector<std::unique_ptr<Waiting>> groups;
  for (int i = 0; i < 4; ++i) {
    groups.push_back(std::make_unique<Waiting>(root));
    for (int k = 0; k < 30; ++k)
      groups.back()->add({{"a@example.com"}, std::string(k == 7 ? 100'000 : 100, static_cast<char>('a' + i))});
  }
  std::vector<std::string> summaries(groups.size());
  std::vector<std::jthread> committers;
  for (std::size_t i = 0; i < groups.size(); ++i)
    committers.emplace_back([&, i] {
      MaildirGroup group(root, SyncMany::Way::together);
      summaries[i] = summary(groups[i]->commit(group));
    });
  committers.clear();
  EXPECT_EQ(summaries, std::vector(4, std::string(30, 'a')));
  groups.clear();
  EXPECT_EQ(messages_in(root_ / "example.com/a").size(), 120U);
}

TEST_F(MaildirGroupTest, many_mailboxes_need_few_descriptors) {
  rlimit before{}, few{};
  getrlimit(RLIMIT_NOFILE, &before);
  few = before;
  few.rlim_cur = open_descriptors() + 2 + 3 + 32 + 4;  // what is open, root, files, folders, and a few
  setrlimit(RLIMIT_NOFILE, &few);
  std::vector<Mail> mails(3, {{}, "x\n"});
  for (std::size_t i = 0; i < 300; ++i) mails[i % 3].forward_paths.push_back("user" + std::to_string(i % 200));
  const std::string result = summary(deliver(settings(), mails));
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(result, "aaa");
  EXPECT_EQ(files_below_root(), 300U);
}

TEST_F(MaildirGroupTest, a_broken_envelope_defers_only_its_message) {
  MaildirRoot root(settings());
  MaildirGroup group(root, SyncMany::Way::together);
  std::vector<std::unique_ptr<MaildirMessage>> messages;
  std::vector<PreparedMessage> prepared;
  const std::string good = envelope_for({"a@example.com"});
  for (const std::string_view envelope : {std::string_view(good), std::string_view("Fa"), std::string_view(good)}) {
    messages.push_back(std::make_unique<MaildirMessage>(root));
    messages.back()->begin({}, "", "");
    prepared.push_back({messages.back().get(), envelope});
  }
  EXPECT_EQ(summary(group.commit(prepared)), "a-a EINVAL: no message or no envelope");
  EXPECT_EQ(files_below_root(), 2U);
}

TEST_F(MaildirGroupTest, a_file_in_the_place_of_a_folder_defers_only_its_messages) {
  fs::create_directories(root_ / "example.com");
  std::ofstream(root_ / "example.com/b") << "not a folder";
  const std::vector<Mail> mails{{{"a@example.com"}, "1"},
                                {{"a@example.com", "b@example.com", "c@example.com"}, "2"},
                                {{"b@example.com"}, "3"},
                                {{"c@example.com"}, "4"}};
  EXPECT_EQ(summary(deliver(settings(), mails)), "a--a ENOTDIR: example.com/b ENOTDIR: example.com/b");
  EXPECT_EQ(texts_in("example.com/a"), std::vector{head + "1"});
  EXPECT_EQ(texts_in("example.com/c"), std::vector{head + "4"});
}

TEST_F(MaildirGroupTest, a_vanished_root_defers_all) {
  MaildirSettings nowhere = settings();
  nowhere.root += "/nowhere";
  const std::vector<Mail> mails{{{"a@example.com"}, "1"}, {{"a@example.com"}, std::string(100'000, 'x')}};
  EXPECT_EQ(summary(deliver(nowhere, mails)), "-- ENOENT: new file ENOENT: new file");
}

// What `deliver` says in a process of its own, after `change` made it one that can do less; empty: it could not.
std::string summary_of_child(const std::function<bool()>& change, const std::function<std::string()>& deliver) {
  auto ends = base::make_pipe();
  const pid_t child = fork();
  if (child == 0) {
    const std::string text = change() ? deliver() : "";
    _exit(write(ends->write_end.number(), text.data(), text.size()) < 0 ? 1 : 0);
  }
  ends->write_end.close();
  std::string text(1000, '\0');
  const ssize_t octets = read(ends->read_end.number(), text.data(), text.size());
  waitpid(child, nullptr, 0);
  return text.substr(0, static_cast<std::size_t>(std::max<ssize_t>(octets, 0)));
}

// Without privilege a file gets its name by way of /proc, too, where the kernel is older than 6.10.
TEST_F(MaildirGroupTest, a_folder_that_may_not_be_written_defers_only_its_messages) {
  EXPECT_EQ(summary(deliver(settings(), {{{"a@example.com", "b@example.com"}, "1"}})), "a");
  constexpr uid_t nobody = 65534;
  fs::permissions(root_ / "example.com/b/new", fs::perms::owner_read | fs::perms::owner_exec);
  if (geteuid() == 0) {
    for (const auto& entry : fs::recursive_directory_iterator(root_))
      ASSERT_EQ(lchown(entry.path().c_str(), nobody, nobody), 0) << entry.path();
    ASSERT_EQ(chown(root_.c_str(), nobody, nobody), 0);
  }
  const auto drop = [] { return geteuid() != 0 || setresuid(nobody, nobody, nobody) == 0; };
  const std::string result = summary_of_child(drop, [this] {
    return summary(deliver(settings(), {{{"a@example.com"}, "2"},
                                        {{"a@example.com", "b@example.com"}, "3"},
                                        {{"b@example.com"}, "4"},
                                        {{"c@example.com"}, "5"}}));
  });
  EXPECT_EQ(result, "a--a EACCES: example.com/b EACCES: example.com/b");
  EXPECT_EQ(texts_in("example.com/a"), (std::vector{head + "1", head + "2"}));
  EXPECT_EQ(texts_in("example.com/b"), std::vector{head + "1"});
  EXPECT_EQ(texts_in("example.com/c"), std::vector{head + "5"});
}

TEST_F(MaildirGroupTest, a_file_that_gets_too_large_defers_only_its_message) {
  const auto limit = [] {
    const rlimit few{.rlim_cur = 80'000, .rlim_max = 80'000};
    return signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &few) == 0;
  };
  const std::string result = summary_of_child(limit, [this] {
    return summary(deliver(settings(), {{{"a@example.com"}, "1"},
                                        {{"a@example.com"}, std::string(100'000, 'x')},
                                        {{"a@example.com"}, std::string(70'000, 'y')},
                                        {{"b@example.com"}, std::string(1'000'000, 'z')}}));
  });
  EXPECT_EQ(result, "a-a- EFBIG: write EFBIG: write");
  EXPECT_EQ(texts_in("example.com/a"), (std::vector{head + "1", head + std::string(70'000, 'y')}));
}

TEST_F(MaildirGroupTest, a_full_disk_defers_what_does_not_fit_and_leaves_nothing_of_it) {
  if (mount("postern", root_.c_str(), "tmpfs", 0, "size=256k") != 0) GTEST_SKIP() << "mount is not permitted";
  const std::vector<Outcome> outcomes = deliver(settings(), {{{"a@example.com"}, "1"},
                                                             {{"b@example.com"}, std::string(1'000'000, 'x')},
                                                             {{"a@example.com"}, std::string(60'000, 'y')},
                                                             {{"a@example.com"}, "2"}});
  EXPECT_EQ(summary(outcomes), "a-aa ENOSPC: write");
  EXPECT_EQ(outcomes[1].verdict, "unable to write mail: disk full (#4.3.1)");
  EXPECT_EQ(texts_in("example.com/a"), (std::vector{head + "1", head + "2", head + std::string(60'000, 'y')}));
  EXPECT_EQ(files_below_root(), 3U);
  umount2(root_.c_str(), MNT_DETACH);
}

// No inode is left for the mailboxes of the last ones.
TEST_F(MaildirGroupTest, a_mailbox_that_cannot_be_made_defers_only_its_messages) {
  if (mount("postern", root_.c_str(), "tmpfs", 0, "nr_inodes=16") != 0) GTEST_SKIP() << "mount is not permitted";
  const std::vector<Outcome> outcomes = deliver(settings(), {{{"a@example.com"}, "1"},
                                                             {{"a@example.com", "b@example.com"}, "2"},
                                                             {{"a@example.com", "c@example.com"}, "3"},
                                                             {{"a@example.com"}, "4"}});
  EXPECT_EQ(summary(outcomes), "aa-a ENOSPC: example.com/c");
  EXPECT_EQ(texts_in("example.com/a"), (std::vector{head + "1", head + "2", head + "4"}));
  EXPECT_EQ(texts_in("example.com/b"), std::vector{head + "2"});
  umount2(root_.c_str(), MNT_DETACH);
}

// Stores groups and tells after each how many messages were accepted so far, until it is killed.
[[noreturn]] void store_until_killed(const MaildirSettings& settings, int told) {
  MaildirRoot root(settings);
  MaildirGroup group(root, SyncMany::Way::together);
  for (unsigned number = 0;;) {
    Waiting waiting(root);
    for (int i = 0; i < 20; ++i, ++number)
      waiting.add(
          {{"a@example.com", "b@example.com"}, std::to_string(number) + std::string(number % 9 * 20'000, 'x') + "\n"});
    if (summary(waiting.commit(group)) != std::string(20, 'a')) _exit(1);
    if (write(told, &number, sizeof number) != sizeof number) _exit(1);
  }
}

TEST_F(MaildirGroupTest, a_killed_process_leaves_whole_messages_and_all_that_were_accepted) {
  unsigned stored_before = 0;
  for (int round = 0; round < 6; ++round) {
    MaildirSettings here = settings();
    here.root = root_ / std::to_string(round);
    fs::create_directory(here.root);
    auto ends = base::make_pipe();
    const pid_t child = fork();
    if (child == 0) store_until_killed(here, ends->write_end.number());
    ends->write_end.close();
    unsigned accepted = 0;  // each round is killed somewhere in a later group, a little later
    for (int groups = 0; groups <= round; ++groups)
      ASSERT_EQ(read(ends->read_end.number(), &accepted, sizeof accepted), ssize_t(sizeof accepted));
    usleep(static_cast<useconds_t>(3000 * round));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (read(ends->read_end.number(), &accepted, sizeof accepted) == ssize_t(sizeof accepted)) {
    }
    for (const char* mailbox : {"example.com/a", "example.com/b"}) {
      std::vector<bool> found(accepted + 20);
      for (const fs::path& path : messages_in(fs::path(here.root) / mailbox)) {
        const std::string text = contents(path);
        const auto number = static_cast<unsigned>(std::stoul(text.substr(head.size())));
        ASSERT_LT(number, found.size());
        EXPECT_TRUE(text == head + std::to_string(number) + std::string(number % 9 * 20'000, 'x') + "\n") << path;
        found[number] = true;
      }
      EXPECT_EQ(std::count(found.begin(), found.begin() + accepted, false), 0) << "accepted, and not there";
    }
    stored_before += accepted;
  }
  EXPECT_GE(stored_before, 20U * 21);
}

}  // namespace
}  // namespace postern::deliver
