#include "simulate/course_log.hpp"

#include <utility>

#include "simulate/actions.hpp"

namespace postern::simulate {
namespace {

using engine::Ticket;
using Kind = engine::Want::Kind;

bool has_closed(Ticket open, const engine::Want& now) { return open != Ticket::none && open_ticket(now) != open; }

}  // namespace

Ticket open_ticket(const engine::Want& want) { return want.kind == Kind::answer ? want.ticket : Ticket::none; }

void CourseLog::note(std::uint32_t life, const engine::Want& want) {
  if (!actions().is_open()) return;
  if (!std::exchange(is_begun_, true)) actions().add("talk %u open 0 0", life);
  if (want.kind == Kind::answer && std::exchange(asked_, want.ticket) != want.ticket)
    actions().add("talk %u ask %u %d", life, static_cast<unsigned>(want.ticket),
                  want.question == engine::Question::hand_over ? 0 : 1);
}

void CourseLog::note_answer(std::uint32_t life, Ticket ticket, Ticket open, const engine::Want& now) const {
  actions().add("talk %u answer %u %d", life, static_cast<unsigned>(ticket), has_closed(open, now) ? 1 : 0);
}

void CourseLog::note_time(std::uint32_t life, Ticket open, const engine::Want& now) const {
  if (has_closed(open, now)) actions().add("talk %u time %u 0", life, static_cast<unsigned>(open));
}

void CourseLog::note_end(std::uint32_t life) {
  if (std::exchange(is_begun_, false)) actions().add("talk %u end 0 0", life);
  asked_ = Ticket::none;
}

}  // namespace postern::simulate
