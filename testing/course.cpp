#include "testing/course.hpp"

namespace postern::testing {
namespace {

namespace bit = spec::bit;

// Whether a count is spent is found when it is asked for.
std::uint64_t without_counts(spec::Guards guards) {
  return guards.bits & ~(bit::errors_spent | bit::auth_attempts_spent);
}

std::uint64_t first_state(spec::Guards guards) {
  constexpr std::uint64_t fixed = bit::SSL | bit::FORCE_TLS | bit::DENY_TLS | bit::AUTH | bit::REQUIRE_AUTH |
                                  bit::ALLOW_INSECURE_AUTH | bit::certificate | bit::backend | bit::relay_client |
                                  bit::local_only;
  return without_counts(spec::start({guards.bits & fixed}));
}

}  // namespace

std::string_view Course::take(const Decision& decision) {
  ++decisions_;
  const std::uint64_t before = without_counts(decision.before);
  const std::uint64_t wanted = last_.state ? without_counts(*last_.state) : first_state(decision.before);
  const bool is_broken_off = last_.is_broken_off;
  last_ = {.state = decision.after};
  if (before != wanted && !is_broken_off) return "a state comes from nowhere";
  return {};
}

std::string_view Course::end() const {
  if (!last_.state || last_.is_broken_off) return {};
  if (last_.state->has(bit::waiting_for_answer)) return "an effect without its report";
  if (!last_.state->has(bit::waiting_end)) return "an end without an event";
  return {};
}

}  // namespace postern::testing
