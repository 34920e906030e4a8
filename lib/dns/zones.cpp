#include "dns/zones.hpp"

namespace postern::dns {

Zones::Admission Zones::admit(std::string_view name, std::size_t places, base::Time now) const {
  if (places == 0) return Admission::crowded;
  const auto found = zones_.find(name);
  if (found == zones_.end()) return Admission::admitted;
  const State& state = found->second;
  const bool rests = state.failures_in_a_row >= settings_.silent_before_rest;
  if (rests && (now < state.rests_until || state.on_their_way != 0)) return Admission::resting;
  return state.on_their_way < places ? Admission::admitted : Admission::crowded;
}

Zones::Zone& Zones::begin(std::string_view name) {
  Zone& zone = *zones_.try_emplace(std::string(name)).first;
  ++zone.second.on_their_way;
  return zone;
}

void Zones::end(Zone& zone, End how, base::Time now) {
  State& state = zone.second;
  --state.on_their_way;
  if (how == End::answered) state.failures_in_a_row = 0;
  if (how == End::failed) {
    if (state.failures_in_a_row < settings_.silent_before_rest) ++state.failures_in_a_row;
    state.rests_until = now + settings_.rest;
  }
  if (state.on_their_way == 0 && state.failures_in_a_row == 0) zones_.erase(zones_.find(zone.first));
}

}  // namespace postern::dns
