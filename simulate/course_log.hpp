// What one conversation does, logged as actions.hpp says, in the words of proptests/models/tickets.pml.
// in      what it wants after each call; which question was open before an answer or a moment
// out     "talk LIFE open", "ask TICKET", "answer TICKET COUNTED", "time TICKET", "end"
// lives   from one beginning of a conversation to its end, and then for the next one
#pragma once

#include <cstdint>

#include "engine/conversation.hpp"

namespace postern::simulate {

// The ticket of the question that is open; none: there is no such question.
[[nodiscard]] engine::Ticket open_ticket(const engine::Want& want);

class CourseLog {
 public:
  // After each call: the beginning is logged once, and each question.
  void note(std::uint32_t life, const engine::Want& want);
  // open   before the answer; it has counted if that question is open no more
  void note_answer(std::uint32_t life, engine::Ticket ticket, engine::Ticket open, const engine::Want& now) const;
  void note_time(std::uint32_t life, engine::Ticket open, const engine::Want& now) const;
  void note_end(std::uint32_t life);

 private:
  engine::Ticket asked_ = engine::Ticket::none;
  bool is_begun_ = false;
};

}  // namespace postern::simulate
