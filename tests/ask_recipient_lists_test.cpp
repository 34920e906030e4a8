// Two ways to one judgement: file by file as it is asked for, its entries one after the other, and all of it read before.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ask/recipients.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

using Event = spec::Event;

class ReadBefore : public ::testing::Test {
 protected:
  static std::shared_ptr<const RecipientLists> read() {
    auto lists = std::make_shared<RecipientLists>();
    lists->read();
    return lists;
  }

  // Judged by a reader of each file, which looks through all entries.
  static Recipients::Judgement judge(Recipients& recipients, std::string_view sender, std::string_view address) {
    return recipients.judge(sender, address, {.local_ip = "192.0.2.1", .relay_value = {}});
  }

  tests::Home home_;
};

// Names of few letters and labels, so that many of them meet, and all that may go wrong at their ends.
class Names {
 public:
  explicit Names(unsigned seed) : random_(seed) {}
  unsigned below(unsigned bound) { return std::uniform_int_distribution<unsigned>(0, bound - 1)(random_); }
  std::string domain() {
    static constexpr const char* labels[] = {"a", "B", "ab", "Ab", "c", "", "x-y", "[192.0.2.1]"};
    std::string name = below(3) == 0 ? "." : "";
    for (unsigned count = 1 + below(4); count > 0; --count) name.append(labels[below(8)]).append(count > 1 ? "." : "");
    return name;
  }
  std::string entry() {
    if (below(12) == 0) return "# " + domain();
    return domain() + (below(8) == 0 ? " \t" : "");
  }
  std::string sender() { return (below(2) == 0 ? "u" : "U") + ("@" + domain()); }
  std::string list(bool is_of_senders, unsigned most) {
    std::string text;
    for (unsigned count = below(most); count > 0; --count)
      text += (is_of_senders ? (below(2) == 0 ? "@" + domain() : sender()) : entry()) + (below(9) == 0 ? "\r\n" : "\n");
    if (below(4) == 0 && !text.empty()) text.pop_back();  // no line feed after the last
    return text;
  }

 private:
  std::mt19937 random_;
};

TEST_F(ReadBefore, it_judges_as_who_reads_each_file_and_scans_it) {
  home_.write("control/me", "mx.a.example\n");
  for (unsigned seed = 1; seed <= 300; ++seed) {
    Names names(seed);
    home_.write("control/rcpthosts", names.list(false, seed % 10 == 0 ? 300 : 20));
    home_.write("control/badmailfrom", names.list(true, 6));
    if (seed % 10 == 0) {  // seldom: one that is new is read when the clock has gone on
      std::vector<std::pair<std::string, std::string>> more;
      for (unsigned count = names.below(5); count > 0; --count) more.emplace_back(names.domain(), "");
      home_.write_cdb("control/morercpthosts.cdb", more);
    }
    Recipients scanning, reading;
    reading.use(read());
    for (int i = 0; i < 60; ++i) {
      const std::string sender = names.sender();
      const std::string address = i == 0 ? "postmaster" : "u@" + names.domain();
      const auto one = judge(scanning, sender, address), other = judge(reading, sender, address);
      ASSERT_EQ(one.event, other.event) << "seed " << seed << ": " << address << " from " << sender;
      ASSERT_EQ(one.address, other.address) << "seed " << seed;
      ASSERT_EQ(one.problem, other.problem) << "seed " << seed;
    }
  }
}

TEST_F(ReadBefore, it_reads_nothing_when_it_is_asked) {
  home_.write("control/rcpthosts", "example.com\n");
  home_.write("control/me", "example.com\n");
  Recipients recipients;
  recipients.use(read());
  std::filesystem::remove_all("control");
  EXPECT_EQ(Event::recipient_ours, judge(recipients, "", "user@example.com").event);
  EXPECT_EQ("user@example.com", judge(recipients, "", "user@[192.0.2.1]").address);
  EXPECT_EQ(Event::recipient_foreign, judge(recipients, "", "user@example.net").event);
}

// It is unknowable to its user, in the same words, and counted for a caller that may read it again.
TEST_F(ReadBefore, what_could_not_be_read_is_unknowable) {
  home_.write("control/rcpthosts", "example.com\n");
  home_.write("control/me", "example.com\n");
  EXPECT_EQ(0U, read()->unreadable());
  for (const char* name :
       {"badmailfrom", "badrcptto", "rcpthosts", "morercpthosts.cdb", "localiphost", "validrcptto.cdb"}) {
    const std::string file = std::string("control/") + name;
    std::filesystem::remove(file);
    home_.write_unreadable(file);
    Recipients scanning, reading;
    const auto lists = read();
    reading.use(lists);
    EXPECT_EQ(1U, lists->unreadable()) << name;
    for (const char* address : {"user@example.com", "user@example.net", "user@[192.0.2.1]", "postmaster"}) {
      const auto one = judge(scanning, "a@b.example", address), other = judge(reading, "a@b.example", address);
      EXPECT_EQ(one.event, other.event) << name << ", " << address;
      EXPECT_EQ(one.problem, other.problem) << name << ", " << address;
    }
    std::filesystem::remove(file);
    home_.write("control/rcpthosts", "example.com\n");
  }
}

TEST_F(ReadBefore, domains_that_are_given_stand_for_both_files) {
  home_.write("control/rcpthosts", "example.net\n");
  home_.write_cdb("control/morercpthosts.cdb", {{"example.net", ""}});
  auto lists = std::make_shared<RecipientLists>("Example.com\n.example.org\n");
  lists->read();
  Recipients recipients;
  recipients.use(lists);
  EXPECT_EQ(Event::recipient_ours, judge(recipients, "", "user@example.COM").event);
  EXPECT_EQ(Event::recipient_ours, judge(recipients, "", "user@a.example.org").event);
  EXPECT_EQ(Event::recipient_foreign, judge(recipients, "", "user@example.net").event);
}

// What one look-up costs must not grow with the list: a hundred thousand of them in a list of as many take less
// than a second, and minutes one entry after the other.
TEST_F(ReadBefore, a_long_list_is_not_looked_through) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "host" + std::to_string(i) + ".example\n";
  home_.write("control/rcpthosts", text);
  Recipients recipients;
  recipients.use(read());
  for (int i = 0; i < 100'000; ++i) {
    const std::string address = "user@HOST" + std::to_string(i) + ".example";
    ASSERT_EQ(Event::recipient_ours, judge(recipients, "", address).event) << address;
  }
  EXPECT_EQ(Event::recipient_foreign, judge(recipients, "", "user@host100000.example").event);
}

}  // namespace
}  // namespace postern::ask
