// What is remembered of recipients: for how long, and who gives way.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

#include "limits/known_recipients.hpp"

namespace postern::limits {
namespace {

using namespace std::chrono_literals;
using spec::Event;

constexpr Event ours = Event::recipient_ours, nobody = Event::recipient_unknown, unclear = Event::recipient_unknowable;

class KnownRecipientsTest : public ::testing::Test {
 protected:
  [[nodiscard]] KnownRecipients::Mark mark(int number) const {
    return known_.mark_of("user" + std::to_string(number) + "@x.example");
  }
  KnownRecipients known_{64};
  base::Time now_ = base::Time{} + 1h;
};

TEST_F(KnownRecipientsTest, each_answer_holds_for_its_time_and_no_longer) {
  known_.keep(mark(1), ours, now_);
  known_.keep(mark(2), nobody, now_);
  EXPECT_EQ(ours, known_.find(mark(1), now_ + 1h - 1ns));
  EXPECT_EQ(std::nullopt, known_.find(mark(1), now_ + 1h));
  EXPECT_EQ(nobody, known_.find(mark(2), now_ + 5min - 1ns));
  EXPECT_EQ(std::nullopt, known_.find(mark(2), now_ + 5min));
  EXPECT_EQ(std::nullopt, known_.find(mark(3), now_));
}

TEST_F(KnownRecipientsTest, the_last_answer_holds) {
  known_.keep(mark(1), nobody, now_);
  known_.keep(mark(1), ours, now_ + 1min);
  EXPECT_EQ(ours, known_.find(mark(1), now_ + 30min));
  known_.keep(mark(1), nobody, now_ + 30min);
  EXPECT_EQ(std::nullopt, known_.find(mark(1), now_ + 40min));
}

TEST_F(KnownRecipientsTest, what_is_unknowable_is_not_kept_and_forgets_nothing) {
  known_.keep(mark(1), ours, now_);
  for (const Event event : {unclear, Event::recipient_foreign}) {
    known_.keep(mark(1), event, now_);
    known_.keep(mark(2), event, now_);
  }
  EXPECT_EQ(ours, known_.find(mark(1), now_));
  EXPECT_EQ(std::nullopt, known_.find(mark(2), now_));
}

TEST_F(KnownRecipientsTest, each_octet_of_a_recipient_counts) {
  known_.keep(known_.mark_of("a@x.example"), ours, now_);
  EXPECT_EQ(std::nullopt, known_.find(known_.mark_of("A@x.example"), now_));
  EXPECT_EQ(ours, known_.find(known_.mark_of("a@x.example"), now_));
}

TEST_F(KnownRecipientsTest, unknown_ones_do_not_push_out_known_ones_and_all_have_a_bound) {
  for (int i = 0; i < 8; ++i) known_.keep(mark(i), ours, now_);
  for (int i = 100; i < 10'100; ++i) known_.keep(mark(i), nobody, now_ + 1s);
  int kept = 0;
  for (int i = 100; i < 10'100; ++i) kept += known_.find(mark(i), now_ + 1s) ? 1 : 0;
  EXPECT_LE(kept, 64);
  EXPECT_GE(kept, 64 - 8);
  int known = 0;
  for (int i = 0; i < 8; ++i) known += known_.find(mark(i), now_ + 1s) == ours ? 1 : 0;
  EXPECT_GE(known, 7) << "of eight in one place the first to end gives way, and all eight may meet in one";
}

}  // namespace
}  // namespace postern::limits
