// What is asked about a recipient that all lists would take: has it a mailbox, and what does a program say? In this order;
// the first that says no decides.
// in      Facts of the session, the address as it is kept, and the answer for one more unknown recipient
// out     recipient_ours, that answer, recipient_program_refused or _deferred, or recipient_unknowable: never more than the lists
//         would have taken
// lives   as an Inquiry does: it holds copies of the address and of the variables
// bounds  an inquiry whose turn comes when the time of its question is over asks nothing
// errors  recipient_unknowable, and a sentence for the log
// source  docs/decisions/0016-who-is-there.md
#pragma once

#include <string>
#include <string_view>

#include "ask/inquiry.hpp"
#include "base/child.hpp"

namespace postern::ask {

class RecipientInquiry final : public Inquiry {
 public:
  // Whether anything beside the lists is asked about recipients at all.
  [[nodiscard]] static bool has_questions(const config::Start& start) {
    return start.refuses_without_mailbox || !start.recipient_program.empty();
  }

  RecipientInquiry(Facts& facts, std::string_view address, spec::Event when_unknown);

  void run() override;
  [[nodiscard]] Finding finding() const override;

 private:
  void look_for_mailbox();
  void ask_program();

  const config::Start& start_;
  std::string address_;
  base::Environment environment_;  // of the program: as it was when the question was asked
  base::Deadline deadline_;
  QuestionBook* book_;
  spec::Event when_unknown_;
  spec::Event event_ = spec::Event::recipient_unknowable;
  std::string words_;  // of the program
  std::string problem_;
  std::string_view said_by_;
};

}  // namespace postern::ask
