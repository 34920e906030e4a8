// Messages that filters judge before they are handed over: docs/decisions/0022-filters.md.
#include <gtest/gtest.h>

#include <algorithm>

#include "deliver/delivery_threads.hpp"
#include "deliver/filtered_message.hpp"
#include "tests/daemon_home.hpp"

namespace postern::deliver {
namespace {

using Result = Outcome::Result;
using namespace std::string_literals;

// A way out that tells what it was given.
class Told final : public OutgoingMessage {
 public:
  explicit Told(std::string& told) : told_(told) {}
  std::string begin(MessageId, std::string_view received, std::string_view reverse_path) override {
    told_ = "<" + std::string(reverse_path) + "> " + std::string(received);
    return {};
  }
  void append(std::string_view octets) override { told_ += octets; }
  [[nodiscard]] Outcome finish(std::string_view octets, std::string_view envelope_octets) override {
    told_.append(octets).append("| ").append(envelope_octets);
    return {Result::accepted, "fine"};
  }
  void abandon() override { told_ += "abandoned"; }

 private:
  std::string& told_;
};

class Scripted final : public filter::Filter {
 public:
  explicit Scripted(filter::Verdict verdict, filter::FilterMessage& shown)
      : verdict_(std::move(verdict)), shown_(shown) {}
  [[nodiscard]] filter::Verdict judge(const filter::FilterMessage& message, base::Deadline) override {
    shown_ = message;
    return verdict_;
  }
  [[nodiscard]] std::string_view name() const override { return "scripted"; }

 private:
  filter::Verdict verdict_;
  filter::FilterMessage& shown_;
};

class Filtered : public testing::Test {
 protected:
  Outcome deliver(filter::Verdict verdict, filter::Filters::OnFailure on_failure = filter::Filters::OnFailure::defer,
                  const std::vector<std::string>& pieces = {"A: 1\n\nbody\n"}) {
    std::vector<filter::Filters::One> one;
    one.push_back({std::make_unique<Scripted>(std::move(verdict), shown), ask::Source::rspamd});
    const filter::Filters filters(std::move(one), on_failure, 0);
    FilteredMessage message(std::make_unique<Told>(told), filters, "/tmp", FilteredMessage::File::at_once);
    message.introduce(
        {.client = {.address = "192.0.2.7"}, .reverse_path_parameters = {"SIZE=5"}, .host = "mx.example"});
    EXPECT_EQ("", message.begin({.unix_time = 7, .number = 9}, "Received: x\n", "a@b.example"));
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) message.append(pieces[i]);
    return message.finish(pieces.back(), "Fa@b.example\0Tc@d.example\0Te@f.example\0\0"s);
  }
  filter::FilterMessage shown;
  std::string told;
};

filter::Verdict says(filter::Verdict::Kind kind, std::string words = {}) {
  return {.kind = kind, .words = std::move(words)};
}

TEST_F(Filtered, what_passes_goes_on_as_it_came) {
  EXPECT_EQ(Result::accepted, deliver(says(filter::Verdict::Kind::accept)).result);
  EXPECT_EQ("<a@b.example> Received: x\nA: 1\n\nbody\n| Fa@b.example\0Tc@d.example\0Te@f.example\0\0"s, told);
  EXPECT_EQ("192.0.2.7", shown.client.address);
  EXPECT_EQ("a@b.example", shown.envelope.reverse_path);
  EXPECT_EQ((std::vector<std::string>{"c@d.example", "e@f.example"}), shown.envelope.forward_paths);
  EXPECT_EQ((std::vector<std::string>{"SIZE=5"}), shown.envelope.reverse_path_parameters);
  EXPECT_EQ("7-9", shown.id);
}

TEST_F(Filtered, what_a_filter_makes_of_it_is_handed_on_below_our_received) {
  filter::Verdict verdict = says(filter::Verdict::Kind::accept);
  verdict.edits = {.header = {{.kind = filter::HeaderEdit::Kind::insert, .name = "X", .value = " 1"}},
                   .reverse_path = "",
                   .more_recipients = {"g@h.example"},
                   .fewer_recipients = {"c@d.example"}};
  EXPECT_EQ(Result::accepted, deliver(verdict).result);
  EXPECT_EQ("<> Received: x\nX: 1\nA: 1\n\nbody\n| F\0Te@f.example\0Tg@h.example\0\0"s, told);
}

TEST_F(Filtered, what_does_not_pass_is_never_begun) {
  for (const auto& [kind, result, verdict] : std::vector<std::tuple<filter::Verdict::Kind, Result, std::string>>{
           {filter::Verdict::Kind::refuse, Result::filter_refused, "this message is not taken here (#5.7.1)"},
           {filter::Verdict::Kind::defer, Result::filter_deferred,
            "this message is not taken now, try again later (#4.7.1)"},
           {filter::Verdict::Kind::discard, Result::filter_discarded, "7 qp 9"},
           {filter::Verdict::Kind::failed, Result::filter_failed, "a filter has failed"}}) {
    told.clear();
    const Outcome outcome = deliver(says(kind));
    EXPECT_EQ(result, outcome.result);
    EXPECT_EQ(verdict, outcome.verdict);
    EXPECT_EQ("abandoned", told);
  }
  EXPECT_EQ("5.7.1 no", deliver(says(filter::Verdict::Kind::refuse, "5.7.1 no")).verdict);
}

TEST_F(Filtered, what_is_taken_although_a_filter_failed_has_a_name_of_its_own) {
  EXPECT_EQ(
      Result::filter_waived,
      deliver({.kind = filter::Verdict::Kind::failed, .is_silent = true}, filter::Filters::OnFailure::accept).result);
  EXPECT_TRUE(told.ends_with("Te@f.example\0\0"s));
}

TEST_F(Filtered, a_large_one_is_handed_on_whole) {
  const std::string body(150'000, 'b');
  EXPECT_EQ(Result::accepted, deliver(says(filter::Verdict::Kind::accept), filter::Filters::OnFailure::defer,
                                      {"A: 1\n", "\n" + body, body, body + "\n"})
                                  .result);
  EXPECT_TRUE(told.starts_with("<a@b.example> Received: x\nA: 1\n\n" + body + body + body + "\n| F"));
}

// ---- on threads

class Sent final : public StoreJob {
 public:
  Sent(loop::Loop& loop, std::vector<Result>& results, std::size_t wanted)
      : StoreJob(loop, Goal::finish), results_(results), wanted_(wanted) {}
  void done() override {
    results_.push_back(named_after(judgement, outcome).result);
    if (results_.size() == wanted_) loop().stop();
  }

 private:
  std::vector<Result>& results_;
  std::size_t wanted_;
};

class FilteredOnThreads : public testing::Test {
 protected:
  void SetUp() override {
    home_.write("control/me", "mx.example\n");
    std::filesystem::create_directory("mail");
  }
  std::shared_ptr<DeliveryThreads> threads(config::HandOverKind kind, const std::string& path, bool takes_unfiltered) {
    config::Start start;
    start.hand_over = kind;
    start.hand_over_path = path;
    start.host = "mx.example";
    start.filters = config::parse_filters("rspamd:unix:/nowhere/socket").value();
    start.takes_unfiltered = takes_unfiltered;
    auto made = make_delivery_threads(start, environment_, 2);
    EXPECT_TRUE(made);
    return made.value_or(nullptr);
  }
  void submit(DeliveryThreads& threads, std::size_t wanted, bool is_withdrawn = false) {
    auto job = std::make_unique<Sent>(*loop_, results, wanted);
    job->message = threads.open(environment_);
    EXPECT_EQ("", job->message->begin({}, "Received: test\n", "a@b.example"));
    job->buffer.append("Subject: x\n\nbody\n");
    job->envelope = "Fa@b.example\0Tc@d.example\0\0"s;
    if (is_withdrawn) job->withdraw();
    threads.submit(std::move(job));
  }
  std::size_t count(Result result) const { return static_cast<std::size_t>(std::ranges::count(results, result)); }
  static std::size_t stored() {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator("mail")) files += entry.is_regular_file();
    return files;
  }

  tests::Home home_;
  std::unique_ptr<loop::Loop> loop_ = loop::Loop::make().value();
  std::vector<std::string> variables_{"TMPDIR=" + home_.path(), "PATH=/usr/bin:/bin"};
  std::vector<const char*> pointers_{variables_[0].c_str(), variables_[1].c_str(), nullptr};
  base::Environment environment_{pointers_.data()};
  std::vector<Result> results;
};

TEST_F(FilteredOnThreads, a_filter_that_fails_defers_each_message) {
  const auto maildir = threads(config::HandOverKind::maildir, "mail", false);
  for (int i = 0; i < 20; ++i) submit(*maildir, 20);
  loop_->run();
  EXPECT_EQ(20U, count(Result::filter_failed));
  EXPECT_EQ(0U, stored());
}

TEST_F(FilteredOnThreads, or_each_comes_into_its_maildir_in_groups) {
  const auto maildir = threads(config::HandOverKind::maildir, "mail", true);
  for (int i = 0; i < 40; ++i) submit(*maildir, 40, i % 4 == 0);
  loop_->run();
  EXPECT_EQ(30U, count(Result::filter_waived));
  EXPECT_EQ(10U, count(Result::client_gone));
  EXPECT_EQ(30U, stored());
}

TEST_F(FilteredOnThreads, or_to_the_queue_program) {
  home_.write_program("queue", "#!/bin/sh\ncat >message; tr '\\000' '|' <&1 >envelope\n");
  const auto queue = threads(config::HandOverKind::queue_program, home_.path() + "/queue", true);
  submit(*queue, 1);
  loop_->run();
  EXPECT_EQ(1U, count(Result::filter_waived));
  EXPECT_EQ("Received: test\nSubject: x\n\nbody\n", home_.read("message"));
  EXPECT_EQ("Fa@b.example|Tc@d.example||", home_.read("envelope"));
}

TEST_F(FilteredOnThreads, what_waits_when_the_threads_end_comes_to_its_outcome) {
  {
    const auto maildir = threads(config::HandOverKind::maildir, "mail", true);
    for (int i = 0; i < 10; ++i) submit(*maildir, 10);
  }
  loop_->run();
  EXPECT_EQ(10U, count(Result::filter_waived));
}

}  // namespace
}  // namespace postern::deliver
