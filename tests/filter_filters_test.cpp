// The filters of one way out, one after the other: docs/decisions/0022-filters.md.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "config/filters.hpp"
#include "filter/filters.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using Kind = Judgement::Kind;
using OnFailure = Filters::OnFailure;

class Scripted final : public Filter {
 public:
  using Seconds = std::chrono::duration<double>;
  Scripted(std::string name, Verdict verdict, std::vector<std::string>& shown, std::vector<Seconds>& patience)
      : name_(std::move(name)), verdict_(std::move(verdict)), shown_(shown), patience_(patience) {}
  [[nodiscard]] Verdict judge(const FilterMessage& message, base::Deadline end) override {
    patience_.push_back(end - std::chrono::steady_clock::now());
    std::string octets(message.mail->octets(), '\0');
    EXPECT_TRUE(message.mail->read(0, octets));
    shown_.push_back(name_ + ' ' + octets);
    return verdict_;
  }
  [[nodiscard]] std::string_view name() const override { return name_; }

 private:
  std::string name_;
  Verdict verdict_;
  std::vector<std::string>& shown_;
  std::vector<Seconds>& patience_;
};

Verdict adds(std::string name) {
  return {.kind = Verdict::Kind::accept, .edits = {.header = {{.name = std::move(name), .value = " 1"}}}};
}
Verdict silent() { return {.kind = Verdict::Kind::failed, .is_silent = true}; }
Verdict says(Verdict::Kind kind, std::string words = {}) { return {.kind = kind, .words = std::move(words)}; }

class FilterList : public testing::Test {
 protected:
  Judgement judge(std::vector<Verdict> verdicts, OnFailure on_failure = OnFailure::defer, std::uint64_t max_octets = 0,
                  std::string_view octets = "A: 1\n\nb\n") {
    shown.clear();
    patience.clear();
    std::vector<Filters::One> all;
    for (Verdict& verdict : verdicts)
      all.push_back({std::make_unique<Scripted>("f" + std::to_string(all.size()), std::move(verdict), shown, patience),
                     ask::Source::rspamd});
    const Filters filters(std::move(all), on_failure, max_octets);
    mail.clear();
    mail.write(octets);
    message.mail = &mail;
    message.envelope = {.reverse_path = "a@b.example", .forward_paths = {"c@d.example"}};
    return filters.judge(message, mail, nullptr);
  }
  std::string left() {
    std::string octets(mail.octets(), '\0');
    EXPECT_TRUE(mail.read(0, octets));
    return octets;
  }

  std::vector<std::string> shown;
  std::vector<Scripted::Seconds> patience;
  base::MailSpool mail{"/tmp"};
  FilterMessage message;
};

TEST_F(FilterList, each_sees_what_the_former_left) {
  const Judgement judgement = judge({adds("X"), adds("Y"), says(Verdict::Kind::accept)});
  EXPECT_EQ(Kind::passed, judgement.kind);
  EXPECT_EQ("", judgement.said_by);
  EXPECT_EQ(3U, judgement.remarks.size());
  EXPECT_EQ((std::vector<std::string>{"f0 A: 1\n\nb\n", "f1 A: 1\nX: 1\n\nb\n", "f2 A: 1\nX: 1\nY: 1\n\nb\n"}), shown);
  EXPECT_EQ("A: 1\nX: 1\nY: 1\n\nb\n", left());
}

TEST_F(FilterList, a_header_that_readers_might_see_otherwise_is_written_so_that_all_see_the_same) {
  for (const auto& [octets, stored] : std::vector<std::pair<std::string, std::string>>{
           {" \nFrom: a@b\n\nx\n", "\n \nFrom: a@b\n\nx\n"},
           {"A: 1\nnot a field\nFrom: a@b\n", "A: 1\n\nnot a field\nFrom: a@b\n"},
           {"From x\n y\nFrom: a@b\n\nx\n", "X-Mailbox-Line: From x\n\n y\nFrom: a@b\n\nx\n"},
           {": z\nFrom: a@b\n", "\n: z\nFrom: a@b\n"},
           {"A: 1\n", "A: 1\n"}}) {
    EXPECT_EQ(Kind::passed, judge({says(Verdict::Kind::accept)}, OnFailure::defer, 0, octets).kind);
    EXPECT_EQ(stored, left());
    EXPECT_EQ(std::vector<std::string>{"f0 " + stored}, shown);
  }
}

TEST_F(FilterList, the_first_that_does_not_accept_is_the_last_one_asked) {
  Judgement judgement = judge({adds("X"), says(Verdict::Kind::refuse, "5.7.1 no"), says(Verdict::Kind::accept)});
  EXPECT_EQ(Kind::refused, judgement.kind);
  EXPECT_EQ("5.7.1 no", judgement.words);
  EXPECT_EQ("f1", judgement.said_by);
  EXPECT_EQ(2U, shown.size());
  EXPECT_EQ(Kind::deferred, judge({says(Verdict::Kind::defer), says(Verdict::Kind::refuse)}).kind);
  EXPECT_EQ(Kind::discarded, judge({says(Verdict::Kind::discard), says(Verdict::Kind::refuse)}).kind);
}

TEST_F(FilterList, one_that_fails_takes_the_message_only_where_the_operator_says_so) {
  EXPECT_EQ(Kind::failed, judge({adds("X"), says(Verdict::Kind::failed), adds("Y")}).kind);
  EXPECT_EQ(2U, shown.size());
  EXPECT_EQ(Kind::failed, judge({adds("X"), silent(), adds("Y")}).kind);
  const Judgement judgement = judge({adds("X"), silent(), adds("Y")}, OnFailure::accept);
  EXPECT_EQ(Kind::waived, judgement.kind);
  EXPECT_EQ("A: 1\nX: 1\nY: 1\n\nb\n", left());
  EXPECT_EQ(Kind::refused, judge({silent(), says(Verdict::Kind::refuse)}, OnFailure::accept).kind);
}

// Each has an equal share of what is left, so that a silent one leaves the next one some.
TEST_F(FilterList, they_share_the_time) {
  static_cast<void>(judge({adds("X"), silent(), says(Verdict::Kind::accept)}, OnFailure::accept));
  ASSERT_EQ(3U, patience.size());
  constexpr double all = spec::max_filter_seconds;
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(all / static_cast<double>(3 - i), patience[i].count(), 2.0) << i;
}

// It may have meant to refuse.
TEST_F(FilterList, one_that_has_spoken_is_never_waived) {
  EXPECT_EQ(Kind::failed, judge({adds("X"), says(Verdict::Kind::failed), adds("Y")}, OnFailure::accept).kind);
  EXPECT_EQ(2U, shown.size());
}

TEST_F(FilterList, edits_that_cannot_be_are_a_failure_and_none_of_them_is_made) {
  Verdict bad = adds("X");
  bad.edits.header.push_back({.name = "not one", .value = " 1"});
  const Judgement judgement = judge({bad});
  EXPECT_EQ(Kind::failed, judgement.kind);
  EXPECT_EQ(Verdict::Kind::failed, judgement.remarks.front().verdict);
  EXPECT_EQ("a field without a name that may be one", judgement.remarks.front().cause);
  EXPECT_EQ("A: 1\n\nb\n", left());
  EXPECT_EQ(Kind::failed, judge({bad}, OnFailure::accept).kind);
  EXPECT_EQ("A: 1\n\nb\n", left());
}

TEST_F(FilterList, quarantine_is_a_field_that_no_client_can_write) {
  Verdict aside = says(Verdict::Kind::accept);
  aside.quarantine = "reject 20/15\nX: y";
  EXPECT_EQ(Kind::passed, judge({aside}, OnFailure::defer, 0, "x-quarantine: no\nA: 1\n\nb\n").kind);
  EXPECT_EQ("X-Quarantine: reject 20/15?X: y\nA: 1\n\nb\n", left());
}

TEST_F(FilterList, the_mark_of_quarantine_is_no_edit_of_the_filter) {
  Verdict most = says(Verdict::Kind::accept);
  most.edits.header.assign(spec::max_filter_edits, {.name = "X", .value = " 1"});
  most.quarantine = "most";
  EXPECT_EQ(Kind::passed, judge({most}).kind);
  EXPECT_TRUE(left().starts_with("X-Quarantine: most\nA: 1\nX: 1\n"));
  most.edits.header.push_back({.name = "X", .value = " 1"});
  EXPECT_EQ(Kind::failed, judge({most}).kind);
}

TEST_F(FilterList, addresses_come_as_they_stand_on_the_wire) {
  Verdict verdict = says(Verdict::Kind::accept);
  verdict.edits.more_recipients = {"\"us er\"@d.example", "c@d.example"};
  verdict.edits.reverse_path = "\"a b\"@b.example";
  Verdict other = says(Verdict::Kind::accept);
  other.edits.fewer_recipients = {"\"US er\"@d.example"};
  EXPECT_EQ(Kind::passed, judge({verdict}).kind);
  EXPECT_EQ((std::vector<std::string>{"c@d.example", "us er@d.example"}), message.envelope.forward_paths);
  EXPECT_EQ("a b@b.example", message.envelope.reverse_path);
  EXPECT_EQ(Kind::passed, judge({verdict, other}).kind);
  EXPECT_EQ(std::vector<std::string>{"c@d.example"}, message.envelope.forward_paths);
}

TEST_F(FilterList, without_recipients_a_message_is_dropped) {
  Verdict nobody = says(Verdict::Kind::accept);
  nobody.edits.fewer_recipients = {"c@d.example"};
  EXPECT_EQ(Kind::discarded, judge({nobody, adds("X")}).kind);
  EXPECT_EQ(1U, shown.size());
}

TEST_F(FilterList, what_is_too_big_or_cannot_be_edited_is_shown_to_nobody) {
  EXPECT_EQ(Kind::too_big, judge({says(Verdict::Kind::refuse)}, OnFailure::defer, 7).kind);
  EXPECT_TRUE(shown.empty());
  EXPECT_EQ(Kind::refused, judge({says(Verdict::Kind::refuse)}, OnFailure::defer, 8).kind);
  const std::string header = "A:" + std::string(spec::max_filter_header_octets, 'a') + "\n\n";
  EXPECT_EQ(Kind::unfit, judge({says(Verdict::Kind::accept)}, OnFailure::accept, 0, header).kind);
  EXPECT_TRUE(shown.empty());
}

TEST(FilterAddresses, are_a_list_of_kinds_and_addresses) {
  const auto two = config::parse_filters(" rspamd:tcp:127.0.0.1:11333\t rspamd:unix:/run/rspamd ");
  ASSERT_TRUE(two);
  ASSERT_EQ(2U, two->size());
  EXPECT_EQ("rspamd:unix:/run/rspamd", two->back().text);
  EXPECT_EQ("unix:/run/rspamd", two->back().address.text);
  EXPECT_TRUE(config::parse_filters("")->empty());
  const std::string no_kind =
      "a filter begins with its kind: write rspamd:tcp:127.0.0.1:11333, milter:unix:/run/opendkim/opendkim.sock or "
      "policy:tcp:127.0.0.1:10040";
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"tcp:127.0.0.1:1", no_kind},
           {"rspamd", no_kind},
           {"clam=tcp:127.0.0.1:1", no_kind},
           {"rspamd:unix:/a,rspamd:unix:/b", "a comma is no part of an address: separate filters by spaces"},
           {"rspamd:tcp:127.0.0.1:0", "\"0\" is not a port: write a number from 1 to 65535"}})
    EXPECT_EQ(text + ": " + why, config::parse_filters(text).error());
  EXPECT_FALSE(config::parse_filters("rspamd:unix:/a rspamd:unix:/a"));
  std::string many;
  for (std::size_t i = 0; i < spec::max_filters; ++i) many += "rspamd:unix:/" + std::to_string(i) + ' ';
  EXPECT_TRUE(config::parse_filters(many));
  EXPECT_FALSE(config::parse_filters(many + "rspamd:unix:/one-more"));
}

}  // namespace
}  // namespace postern::filter
