#include "server/shadow/shadow_sessions.hpp"

#include <new>
#include <optional>

#include "engine/policy.hpp"
#include "engine/question.hpp"
#include "server/client/client.hpp"
#include "server/loop_context.hpp"

namespace postern::server {
namespace {

using spec::Event;
namespace bit = spec::bit;

constexpr std::uint64_t counted = bit::errors_spent | bit::auth_attempts_spent;

// The size of a message is known at its end. A client that has authenticated may have a limit of its own, of which the shadow
// knows nothing.
Event event_there(const engine::Note& note, std::uint64_t databytes) {
  const Event event = note.step.event;
  if (event != Event::data_end_complete && event != Event::data_end_too_big) return event;
  if (note.session.guards().has(bit::authentication_done)) return event;
  const bool is_too_big = databytes != 0 && note.session.stored_octets() > databytes;
  return is_too_big ? Event::data_end_too_big : Event::data_end_complete;
}

observe::Would would(const spec::PolicyRow& row, spec::Guards guards, const engine::Step& step) {
  const auto question = engine::question_of(engine::after(row, guards));
  return question && row.effect != step.effect ? observe::Would(*question) : observe::Would(row.rule);
}

}  // namespace

void ShadowSessions::note(const Client& client, const engine::Note& note) {
  const engine::Step& step = note.step;
  Event event = step.event;
  if (step.before.has(bit::waiting_connect) && !begin(client, event)) return;
  const auto found = sessions_.find(client.number);
  if (found == sessions_.end()) return;
  Judged& judged = found->second;
  if (!step.before.has(bit::waiting_connect)) event = event_there(note, judged.databytes);
  const spec::Guards guards{(judged.guards.bits & ~counted) | (step.before.bits & counted)};
  const spec::PolicyRow* const row = engine::decide(guards, event);
  if (row != nullptr && row->rule == step.rule) {
    judged.guards = engine::after(*row, guards);
    return;
  }
  sessions_.erase(found);
  if (row != nullptr) tell(client, step, would(*row, guards, step));
}

bool ShadowSessions::begin(const Client& client, Event& event) try {
  const auto beginning = shadow_->begin(client.listener.index, client.remote.address, event, rule_key_);
  if (!beginning) return false;
  sessions_.insert_or_assign(client.number, Judged{.guards = beginning->guards, .databytes = beginning->databytes});
  shadow_->counts().begun();
  event = beginning->event;
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

void ShadowSessions::tell(const Client& client, const engine::Step& step, observe::Would would) const {
  const auto number = shadow_->counts().differs(step.rule, would, client.context.loop.now());
  if (!number) return;
  client.journal_of_decisions().shadow(
      {.rule = spec::name_of(step.rule), .would = would.name(), .cause = spec::name_of(step.event), .number = *number});
}

}  // namespace postern::server
