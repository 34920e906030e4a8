#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ask/recipients.hpp"
#include "ask/valid_recipients.hpp"
#include "spec/limits.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

using Standing = ValidRecipients::Standing;
using Event = spec::Event;
constexpr const char* control_file = "control/validrcptto.cdb";

Standing standing_of(const std::string& address, const std::string& path = {}) {
  ValidRecipients list(path);
  std::string problem;
  const Standing asked = list.standing_of(address, problem);
  EXPECT_EQ(asked == Standing::unknowable, !problem.empty()) << address;
  ValidRecipients read(path);
  read.read();
  std::string same;
  EXPECT_EQ(asked, std::as_const(read).standing_of(address, same)) << "read before: " << address;
  EXPECT_EQ(problem, same);
  return asked;
}

TEST(ValidRecipientsTest, the_first_key_that_is_there_decides) {
  const tests::Home home;
  home.write_cdb(control_file, {{"user@example.org", ""},
                                {"gone@example.org", "-"},
                                {"list-default@example.org", ""},
                                {"list-old-default@example.org", "-moved"},
                                {"list-old-new@example.org", "yes"},
                                {"list-old-a-b@example.org", "-"},
                                {"@example.net", ""},
                                {"gone@example.net", "-"},
                                {"old-default@example.net", "-"},
                                {"@refused.example", "-"},
                                {"-default@example.com", ""}});
  const std::pair<const char*, Standing> cases[] = {
      {"user@example.org", Standing::valid},
      {"USER@Example.ORG", Standing::valid},
      {"nobody@example.org", Standing::unknown},
      {"gone@example.org", Standing::unknown},
      {"list-a@example.org", Standing::valid},
      {"list-a-b-c@example.org", Standing::valid},
      {"list-@example.org", Standing::valid},
      {"list@example.org", Standing::unknown},
      {"list-old@example.org", Standing::valid},
      {"list-old-x@example.org", Standing::unknown},
      {"list-old-new@example.org", Standing::valid},
      {"list-old-new-x@example.org", Standing::unknown},
      {"list-old-a-b@example.org", Standing::unknown},
      {"anybody@example.net", Standing::valid},
      {"gone@example.net", Standing::unknown},
      {"old-x@example.net", Standing::unknown},
      {"anybody@refused.example", Standing::unknown},
      {"user@a.example.org", Standing::unknown},
      {"-a@example.com", Standing::valid},
      {"default@example.com", Standing::unknown},
      {"a@b@example.net", Standing::valid},
  };
  for (const auto& [address, standing] : cases) EXPECT_EQ(standing, standing_of(address)) << address;
}

// RFC 5321 4.5.1, in any case of letters; what the operator says of it stands.
TEST(ValidRecipientsTest, postmaster_needs_no_entry) {
  const tests::Home home;
  home.write_cdb(control_file, {{"postmaster@example.net", "-"}, {"@refused.example", "-"}});
  for (const char* address : {"postmaster", "Postmaster", "postmaster@example.org", "PostMaster@example.org"})
    EXPECT_EQ(Standing::valid, standing_of(address)) << address;
  for (const char* address : {"postmaster@example.net", "postmaster@refused.example", "postmasters@example.org"})
    EXPECT_EQ(Standing::unknown, standing_of(address)) << address;
}

TEST(ValidRecipientsTest, without_the_control_file_every_recipient_is_valid) {
  const tests::Home home;
  EXPECT_EQ(Standing::valid, standing_of("nobody@example.org"));
  ValidRecipients list;
  list.read();
  EXPECT_TRUE(list.is_known());
}

TEST(ValidRecipientsTest, what_cannot_be_read_is_unknowable) {
  const tests::Home home;
  EXPECT_EQ(Standing::unknowable, standing_of("user@example.org", "named.cdb")) << "it is named and not there";
  home.write("named.cdb", "no cdb");
  EXPECT_EQ(Standing::unknowable, standing_of("user@example.org", "named.cdb"));
  home.write_unreadable(control_file);
  EXPECT_EQ(Standing::unknowable, standing_of("user@example.org"));
  EXPECT_EQ(Standing::unknowable, standing_of("postmaster@example.org")) << "it may be refused there";
  EXPECT_EQ(Standing::valid, standing_of("postmaster")) << "it is not asked for";
}

TEST(ValidRecipientsTest, what_could_not_be_read_is_tried_again) {
  const tests::Home home;
  ValidRecipients list("named.cdb");
  std::string problem;
  EXPECT_EQ(Standing::unknowable, list.standing_of("user@example.org", problem));
  home.write_cdb("named.cdb", {{"user@example.org", ""}});
  EXPECT_EQ(Standing::valid, list.standing_of("user@example.org", problem));
}

TEST(ValidRecipientsTest, a_cdb_that_is_cut_lets_nobody_in) {
  const tests::Home home;
  home.write_cdb("whole.cdb", {{"a@example.org", "yes"}, {"@example.net", ""}, {"b-default@example.org", "-no"}});
  const std::string whole = home.read("whole.cdb");
  const auto long_ago = std::filesystem::last_write_time("whole.cdb") - std::chrono::hours(1);
  for (std::size_t octets = 0; octets < whole.size(); ++octets) {
    home.write("cut.cdb", whole.substr(0, octets));
    std::filesystem::last_write_time("cut.cdb", long_ago);  // else each reading waits for its writer
    ValidRecipients list("cut.cdb");
    list.read();
    std::string problem;
    for (const char* address : {"a@example.org", "b-x@example.org", "c@example.net", "d@example.com"})
      EXPECT_EQ(Standing::unknowable, std::as_const(list).standing_of(address, problem)) << octets << " " << address;
  }
}

// The same in a few lines: all keys, and the first of them that is there.
std::vector<std::string> keys_of(std::string address) {
  std::ranges::transform(address, address.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::size_t at = address.rfind('@');
  std::vector<std::string> keys{address};
  for (std::size_t i = at; i-- > 0;)
    if (address[i] == '-') keys.push_back(address.substr(0, i + 1) + "default" + address.substr(at));
  keys.push_back(address.substr(at));
  return keys;
}

TEST(ValidRecipientsTest, it_looks_up_what_a_naive_reader_does) {
  const tests::Home home;
  std::mt19937 random(1);
  const auto below = [&random](unsigned bound) {
    return std::uniform_int_distribution<unsigned>(0, bound - 1)(random);
  };
  const auto word = [&below] {
    std::string text;
    for (unsigned octets = below(6); octets > 0; --octets) text += "aB-@"[below(4)];
    return text;
  };
  for (int round = 0; round < 20; ++round) {
    std::map<std::string, std::string> records;
    for (unsigned count = below(30); count > 0; --count) {
      const auto keys = keys_of(word() + "@" + (below(2) == 0 ? "x" : "y"));
      records[keys[below(static_cast<unsigned>(keys.size()))]] = below(3) == 0 ? "-" : "";
    }
    const std::string file = std::to_string(round) + ".cdb";
    home.write_cdb(file, {records.begin(), records.end()});
    ValidRecipients list(file);
    list.read();
    for (int i = 0; i < 200; ++i) {
      const std::string address = word() + "@" + (below(2) == 0 ? "X" : "y");
      Standing wanted = Standing::unknown;
      for (const std::string& key : keys_of(address)) {
        const auto found = records.find(key);
        if (found == records.end()) continue;
        wanted = found->second.empty() ? Standing::valid : Standing::unknown;
        break;
      }
      std::string problem;
      EXPECT_EQ(wanted, std::as_const(list).standing_of(address, problem)) << address;
    }
  }
}

// A legal local part has no more; one that is longer costs no more.
TEST(ValidRecipientsTest, the_keys_of_an_address_are_bounded) {
  const tests::Home home;
  home.write_cdb(control_file, {{"a-default@example.org", ""}, {"@example.net", ""}});
  const std::string dashes(spec::max_default_keys - 1, '-');
  EXPECT_EQ(Standing::valid, standing_of("a-" + dashes + "@example.org"));
  EXPECT_EQ(Standing::unknown, standing_of("a--" + dashes + "@example.org"));
  EXPECT_EQ(Standing::valid, standing_of("a--" + dashes + "@example.net"));
}

class Judged : public ::testing::Test {
 protected:
  Judged() {
    home_.write("control/rcpthosts", "example.org\n");
    home_.write("control/badmailfrom", "spam@bad.example\n");
    home_.write("control/badrcptto", "gone@example.org\n@closed.example\ngone@elsewhere.example\n");
    home_.write_cdb(control_file, {{"user@example.org", ""}, {"gone@example.org", ""}});
  }
  // Asked as files are read, and of what was read before.
  Event judge(const std::string& address, Recipients::Client client = {.local_ip = {}, .relay_value = {}}) {
    Recipients one, other;
    auto lists = std::make_shared<RecipientLists>();
    lists->read();
    other.use(lists);
    const auto judged = one.judge(sender_, address, client), same = other.judge(sender_, address, client);
    EXPECT_EQ(judged.event, same.event) << address;
    EXPECT_EQ(judged.problem, same.problem) << address;
    EXPECT_EQ(judged.event == Event::recipient_unknowable, !judged.problem.empty());
    return judged.event;
  }
  static Recipients::Client relaying() { return {.local_ip = {}, .relay_value = {}, .may_relay = true}; }

  tests::Home home_;
  std::string sender_ = "a@client.example";
};

TEST_F(Judged, the_first_list_that_says_no_decides) {
  EXPECT_EQ(Event::recipient_ours, judge("user@example.org"));
  EXPECT_EQ(Event::recipient_refused, judge("gone@example.org")) << "it is valid, too";
  EXPECT_EQ(Event::recipient_unknown, judge("nobody@example.org"));
  EXPECT_EQ(Event::recipient_foreign, judge("gone@elsewhere.example")) << "it is not taken anyway";
  EXPECT_EQ(Event::recipient_foreign, judge("user@elsewhere.example"));
  sender_ = "spam@bad.example";
  EXPECT_EQ(Event::recipient_sender_refused, judge("gone@example.org"));
}

TEST_F(Judged, who_may_relay_is_not_asked_who_is_there) {
  EXPECT_EQ(Event::recipient_ours, judge("nobody@example.org", relaying()));
  EXPECT_EQ(Event::recipient_refused, judge("gone@example.org", relaying()));
  EXPECT_EQ(Event::recipient_refused, judge("gone@elsewhere.example", relaying()));
  EXPECT_EQ(Event::recipient_foreign, judge("user@elsewhere.example", relaying()));
}

TEST_F(Judged, the_value_of_relayclient_is_no_part_of_what_is_looked_up) {
  Recipients recipients;
  const auto judged =
      recipients.judge(sender_, "gone@example.org", {.local_ip = {}, .relay_value = ".x", .may_relay = true});
  EXPECT_EQ(Event::recipient_refused, judged.event);
  EXPECT_EQ(
      "user@example.org.x",
      recipients.judge(sender_, "user@example.org", {.local_ip = {}, .relay_value = ".x", .may_relay = true}).address);
}

// Neither lets in, nor refuses for good; and it is asked for only where it matters.
TEST_F(Judged, a_list_that_cannot_be_read_is_unknowable) {
  std::filesystem::remove("control/badrcptto");
  home_.write_unreadable("control/badrcptto");
  EXPECT_EQ(Event::recipient_unknowable, judge("user@example.org"));
  EXPECT_EQ(Event::recipient_unknowable, judge("nobody@example.org")) << "the first that cannot be read defers";
  EXPECT_EQ(Event::recipient_unknowable, judge("user@elsewhere.example", relaying()));
  EXPECT_EQ(Event::recipient_foreign, judge("user@elsewhere.example"));
  std::filesystem::remove("control/badrcptto");
  home_.write(control_file, "no cdb");
  EXPECT_EQ(Event::recipient_unknowable, judge("user@example.org"));
  EXPECT_EQ(Event::recipient_ours, judge("user@example.org", relaying()));
  EXPECT_EQ(Event::recipient_foreign, judge("user@elsewhere.example"));
}

TEST_F(Judged, a_cdb_that_was_not_read_is_unknowable) {
  RecipientLists lists;
  lists.read({"named.cdb"});
  std::string problem;
  EXPECT_TRUE(lists.has_read({"", "named.cdb"}));
  EXPECT_FALSE(lists.has_read({"other.cdb"}));
  EXPECT_EQ(1U, lists.unreadable());
  EXPECT_EQ(Standing::unknowable, std::as_const(lists).standing_in("other.cdb", "user@example.org", problem));
  EXPECT_EQ("other.cdb: is not read yet", problem);
}

}  // namespace
}  // namespace postern::ask
