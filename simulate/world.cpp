#include "simulate/world.hpp"

#include <algorithm>

#include "simulate/actions.hpp"
#include "simulate/kernel.hpp"
#include "testing/reference_walk.hpp"

namespace postern::simulate {

using engine::seconds;
using spec::Event;
namespace bit = spec::bit;

World::World(const testing::Judge& judge) : stage_(judge), slots_(sessions_at_once) { kernel().disk = &stage_.disk; }

void World::play(std::uint64_t seed, std::uint32_t recorded) {
  recorded_ = recorded;
  actions().add("world %llu", static_cast<unsigned long long>(seed));
  for (Slot& slot : slots_) slot.connection.reset();
  stage_.begin(seed);
  kernel().wall_nanoseconds = 1'700'000'000'000'000'000;
  plan();
  plan_end();
  while (!stage_.agenda.is_empty() && stage_.witness.complaint.empty()) {
    const Entry entry = stage_.agenda.take();
    stage_.now = std::max(stage_.now, entry.at);
    stall();
    act(entry);
  }
  judge_the_end();
}

void World::plan() {
  const std::uint32_t spread = stage_.random.between(1, 20'000);
  for (std::uint16_t slot = 0; slot < slots_.size(); ++slot)
    stage_.add(milliseconds(stage_.random.below(spread)), Happening::connect, slot, slot + 1U);
}

// What happens to the whole server, in some of the worlds.
void World::plan_end() {
  Random& random = stage_.random;
  commits_until_cut_ = random.one_in(6) ? random.between(1, 12) : 0;
  if (random.one_in(8)) stage_.add(milliseconds(random.below(15'000)), Happening::power_cut, 0, 0);
  if (random.one_in(8)) stage_.add(milliseconds(random.below(15'000)), Happening::shut_down, 0, 0);
  if (random.one_in(4)) stage_.add(milliseconds(random.below(15'000)), Happening::reload, 0, 0);
}

// The loop comes late, now and then by more than anybody waits: the machine slept.
void World::stall() {
  if (!stage_.random.one_in(1024)) return;
  stage_.now = stage_.now + (stage_.random.one_in(64) ? seconds(700) : milliseconds(stage_.random.below(3000)));
}

void World::act(const Entry& entry) {
  switch (entry.what) {
    case Happening::commit: return commit();
    case Happening::power_cut: return cut_power();
    case Happening::shut_down: return end_server();
    case Happening::reload:
      for (Slot& slot : slots_)
        if (slot.connection) slot.connection->set_limits();
      return;
    default: return act_on_session(entry, slots_[entry.slot]);
  }
}

void World::act_on_session(const Entry& entry, Slot& slot) {
  if (entry.what == Happening::connect) return connect(entry, slot);
  if (!slot.connection) return;
  if (entry.what == Happening::arrive) return arrive(slot);
  slot.connection->act(entry);
}

// Mostly such that mail is accepted; sometimes anything.
spec::Guards World::some_settings() {
  constexpr std::uint64_t all = bit::SSL | bit::FORCE_TLS | bit::DENY_TLS | bit::AUTH | bit::REQUIRE_AUTH |
                                bit::ALLOW_INSECURE_AUTH | bit::certificate | bit::backend | bit::relay_client |
                                bit::local_only;
  if (stage_.random.one_in(8)) return {stage_.random.next() & all};
  std::uint64_t bits = bit::certificate;
  if (!stage_.random.one_in(3)) bits |= bit::AUTH | bit::backend | bit::ALLOW_INSECURE_AUTH;
  if (stage_.random.one_in(6)) bits |= bit::relay_client;
  if (stage_.random.one_in(12)) bits |= bit::FORCE_TLS;
  return {bits};
}

void World::connect(const Entry& entry, Slot& slot) {
  Random& random = stage_.random;
  if (stage_.end != ServerEnd::none) return;
  ++tally_.sessions;
  slot.storage.overseer.begin(stage_, entry.life, entry.life == recorded_);
  slot.client.begin(random.next(), entry.life, stage_.ledger);
  const std::uint32_t pace = random.below(64);
  slot.pace = pace == 0 ? stage_.patience.silence_seconds * 500 : pace < 3 ? 2000 : random.between(1, 40);
  slot.most_octets = pace < 3 || random.one_in(stage_.climate.cut_in) ? random.between(1, 3)
                     : random.one_in(2)                               ? 64
                                                                      : 4096;
  slot.service = {.settings_and_facts = some_settings(),
                  .host = host,
                  .databytes = random.one_in(2) ? 0 : random.between(100, 5000),
                  .max_recipients = random.one_in(8) ? random.between(1, 3) : spec::max_recipients,
                  .asks_at_data = random.one_in(4),
                  .room = random.one_in(8) ? &stage_.message_room : nullptr};
  slot.connection.emplace(stage_, Seat{entry.slot, entry.life}, slot.client, slot.storage, slot.service);
  constexpr std::array refusals{
      Event::connect_busy,       Event::connect_denied,    Event::connect_listed_for_now,  Event::connect_early_talker,
      Event::connect_dns_listed, Event::connect_bad_value, Event::connect_malformed_proxy, Event::shutting_down,
      Event::exhausted};
  slot.connection->open(random.one_in(48) ? refusals[random.below(refusals.size())] : Event::connect_ready);
  slot.connection->wire().expect_octets({});
  if (random.one_in(16)) stage_.add(milliseconds(random.below(3000)), Happening::reset, entry.slot, entry.life);
  if (random.one_in(64)) stage_.add(milliseconds(random.below(1000)), Happening::memory_ends, entry.slot, entry.life);
}

// A piece of what the client has to say comes through the network, cut anywhere.
void World::arrive(Slot& slot) {
  Connection& connection = *slot.connection;
  slot.storage.has_arrival_ahead = false;
  if (connection.is_closed()) return;
  const std::string_view outgoing = slot.client.outgoing();
  if (outgoing.empty()) {
    if (slot.client.has_ended() && slot.client.farewell() == Farewell::half_close) connection.hear_end();
    return;
  }
  const std::size_t most = std::min({outgoing.size(), connection.space(), std::size_t{slot.most_octets}});
  const std::size_t octets =
      most < 2 || stage_.random.one_in(2) ? most : stage_.random.between(1, static_cast<std::uint32_t>(most));
  slot.client.note_sent(octets);
  if (octets != 0) connection.arrive(outgoing.substr(0, octets));
  const engine::Interval pause = octets == 0 ? seconds(5) : milliseconds(stage_.random.below(slot.pace + 1));
  connection.wire().expect_octets(pause);
}

// By the shipped group, for all whose messages wait.
void World::commit() {
  stage_.has_commit_ahead = false;
  kernel().wall_nanoseconds += stage_.random.one_in(16) ? -5'000'000'000 : stage_.random.below(2'000'000'000);
  group_.clear(), members_.clear();
  for (const std::uint16_t slot : stage_.waiting) {
    Connection& connection = *slots_[slot].connection;
    if (!connection.is_open_to_client() && stage_.random.one_in(2)) {
      connection.leave_line(Connection::Leaves::with_its_client);
      continue;
    }
    if (stage_.random.one_in(16)) {
      connection.leave_line(Connection::Leaves::by_a_filter);
      continue;
    }
    group_.push_back(connection.prepared());
    members_.push_back(slot);
  }
  stage_.waiting.clear();
  if (group_.empty()) return;
  actions().add("group %zu%s", group_.size(), stage_.has_delivered_to ? " copies" : "");
  if (commits_until_cut_ != 0 && --commits_until_cut_ == 0) stage_.disk.end_power_in(stage_.random.between(1, 40));
  deliver::MaildirGroup group(*stage_.root, deliver::SyncMany::Way::in_turn);
  const std::vector<deliver::Outcome> outcomes = group.commit(group_);
  if (!stage_.disk.has_power()) return cut_power();
  for (std::size_t i = 0; i < outcomes.size(); ++i) slots_[members_[i]].connection->learn(outcomes[i]);
}

// All that the server knew is gone; it starts again.
void World::cut_power() {
  ++tally_.power_cuts;
  for (Slot& slot : slots_) {
    if (slot.connection && !slot.connection->is_closed()) slot.connection->break_off();
    slot.connection.reset();
  }
  stage_.waiting.clear();
  stage_.ledger.end_power();
  stage_.disk.cut_power();
  stage_.root.emplace(stage_.root_settings());
  stage_.witness.complain(0, stage_.ledger.check(stage_.disk));
}

// deviation D23: when idle, at once, and then the sessions that are left
void World::end_server() {
  stage_.end = static_cast<ServerEnd>(static_cast<int>(stage_.end) + 1);
  if (stage_.end != ServerEnd::broken_off) stage_.add(seconds(30), Happening::shut_down, 0, 0);
  for (Slot& slot : slots_) {
    if (!slot.connection) continue;
    if (stage_.end == ServerEnd::broken_off)
      slot.connection->break_off();
    else
      slot.connection->shut_down(stage_.end == ServerEnd::when_idle ? engine::ShutDown::when_idle
                                                                    : engine::ShutDown::at_once);
  }
}

void World::judge_the_end() {
  Witness& witness = stage_.witness;
  tally_.virtual_seconds += static_cast<std::uint64_t>(stage_.now.nanoseconds) / 1'000'000'000;
  for (Slot& slot : slots_) {
    if (!slot.connection) continue;
    tally_.decisions += slot.storage.overseer.decisions();
    if (!slot.connection->is_closed())
      witness.complain(static_cast<std::uint32_t>(&slot - slots_.data()) + 1, "a session never ends");
    slot.connection.reset();
  }
  if (!stage_.workspaces.are_all_back()) witness.complain(0, "a workspace was not given back");
  if (stage_.disk.open_descriptors() != 0) witness.complain(0, "descriptors stay open");
  witness.complain(0, stage_.ledger.check(stage_.disk));
  stage_.ledger.end_power();
  stage_.disk.cut_power();
  witness.complain(0, stage_.ledger.check(stage_.disk));
  tally_.accepted += stage_.ledger.accepted();
}

std::string World::dialogue(std::uint32_t life) const {
  const Slot& slot = slots_[life - 1];
  std::string text = testing::head_of(testing::world_of(slot.service)) + "\n";
  for (const audit::Item& item : slot.storage.overseer.heard()) text += audit::written(item) + "\n";
  return text;
}

}  // namespace postern::simulate
