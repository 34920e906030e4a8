#include "audit/reason.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_map>

namespace postern::audit {
namespace {

namespace bit = spec::bit;

// How a setting or fact that is to blame is said; in the order in which it is said. An empty clause is understood.
struct Clause {
  std::uint64_t bit;
  bool value;
  std::string_view text;
};

constexpr std::array clauses = {
    Clause{bit::FORCE_TLS, true, "FORCE_TLS=1 requires STARTTLS before mail"},
    Clause{bit::REQUIRE_AUTH, true, "AUTH is required"},
    Clause{bit::AUTH, false, "AUTH=0 switches AUTH off"},
    Clause{bit::backend, false, "nothing can check a password (no check program, no AUTH_CDB)"},
    Clause{bit::ALLOW_INSECURE_AUTH, false, "AUTH is only offered under TLS"},
    Clause{bit::DENY_TLS, true, "DENY_TLS=1 removes TLS"},
    Clause{bit::certificate, false, "there is no usable certificate for TLS"},
};

std::string sentence_of(const std::vector<std::uint64_t>& causes, spec::Guards guards) {
  std::vector<std::string_view> told;
  for (const Clause& clause : clauses) {
    if (std::ranges::find(causes, clause.bit) != causes.end() && guards.has(clause.bit) == clause.value)
      told.push_back(clause.text);
  }
  std::string text = "nothing can be accepted: ";
  for (std::size_t i = 0; i < told.size(); ++i) {
    const bool is_last = i + 1 == told.size();
    const std::string_view comma = told.size() > 2 ? ", and " : " and ";
    text += (i == 0 ? "" : is_last ? comma : ", ");
    text += told[i];
  }
  return text;
}

// Every subset of `mask`, those with fewer bits first.
std::vector<std::uint64_t> subsets_by_size(std::uint64_t mask) {
  std::vector<std::uint64_t> subsets;
  for (std::uint64_t subset = 0;; subset = (subset - mask) & mask) {
    subsets.push_back(subset);
    if (subset == mask) break;
  }
  std::ranges::stable_sort(subsets, {}, [](std::uint64_t subset) { return std::popcount(subset); });
  return subsets;
}

std::vector<std::uint64_t> bits_in(const Policy& policy, std::uint64_t mask) {
  std::vector<std::uint64_t> bits;
  for (const spec::Variable* variable : policy.fixed()) {
    if ((mask & spec::bits_of(*variable)) != 0) bits.push_back(spec::bits_of(*variable));
  }
  return bits;
}

spec::Guards flipped(const Configuration& configuration, std::uint64_t bits) {
  spec::Guards guards{configuration.settings_and_facts.bits ^ bits};
  if (configuration.backend_follows_auth && (bits & bit::backend) == 0) guards.set(bit::backend, guards.has(bit::AUTH));
  return guards;
}

// A setting is written; a fact is brought about.
std::string what_to_do(const Policy& policy, std::uint64_t bits, spec::Guards guards) {
  if (bits == bit::certificate) return "a usable certificate (TLS_SERVER_CERT)";
  if (bits == bit::backend) return "something that checks passwords (AUTH_CDB or a check program)";
  return policy.written(bits, {~guards.bits});
}

}  // namespace

std::optional<std::vector<std::uint64_t>> smallest_cause(const Policy& policy, spec::Guards guards,
                                                         std::uint64_t may_name, const Claim& claim) {
  const std::vector<spec::Guards> configurations = policy.configurations();
  std::vector<std::uint64_t> counter_examples;  // that were met
  // Enough when every configuration for which the claim fails differs in one of the bits named.
  for (const std::uint64_t subset : subsets_by_size(may_name)) {
    const auto agrees = [&](std::uint64_t other) { return ((other ^ guards.bits) & subset) == 0; };
    if (std::ranges::any_of(counter_examples, agrees)) continue;
    const auto counter_example =
        std::ranges::find_if(configurations, [&](spec::Guards other) { return agrees(other.bits) && !claim(other); });
    if (counter_example == configurations.end()) return bits_in(policy, subset);
    counter_examples.push_back(counter_example->bits);
  }
  return std::nullopt;
}

std::vector<std::vector<std::uint64_t>> smallest_fixes(const Policy& policy, const Configuration& configuration,
                                                       const Claim& claim) {
  const std::uint64_t may_change = bit::SSL | bit::FORCE_TLS | bit::DENY_TLS | bit::AUTH | bit::REQUIRE_AUTH |
                                   bit::ALLOW_INSECURE_AUTH | bit::certificate | bit::backend;
  std::vector<std::vector<std::uint64_t>> fixes;
  int size = 0;
  for (const std::uint64_t subset : subsets_by_size(may_change)) {
    if (!fixes.empty() && std::popcount(subset) > size) break;
    if (claim(flipped(configuration, subset))) continue;
    fixes.push_back(bits_in(policy, subset));
    size = std::popcount(subset);
  }
  return fixes;
}

std::uint64_t support_of(const Policy& policy, spec::Rule rule) {
  std::vector<bool> support(policy.model().variables.size());
  spec::collect_support(policy.rule(rule).condition, support);
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < support.size(); ++i) {
    const spec::Variable& variable = policy.model().variables[i];
    if (support[i] && policy.bit_of(variable.name) != 0) bits |= spec::bits_of(variable);
  }
  return bits;
}

std::optional<Reason> reason_of_refusal(const Policy& policy, const Configuration& configuration) {
  const Claim is_refused = [&](spec::Guards guards) {
    return policy.decide(spec::start(guards), spec::Event::connect_ready).is_refusal();
  };
  const spec::Guards guards = configuration.settings_and_facts;
  if (!is_refused(guards)) return std::nullopt;
  const spec::Rule rule = policy.decide(spec::start(guards), spec::Event::connect_ready).row->rule;
  const auto causes = smallest_cause(policy, guards, support_of(policy, rule), is_refused);
  Reason reason;
  reason.sentence = causes ? sentence_of(*causes, guards) : policy.rule(rule).reason;
  for (const std::uint64_t cause : causes.value_or(std::vector<std::uint64_t>{}))
    reason.because.push_back(policy.written(cause, guards));
  for (const auto& fix : smallest_fixes(policy, configuration, is_refused)) {
    std::string text;
    for (const std::uint64_t bits : fix) text += (text.empty() ? "" : " ") + what_to_do(policy, bits, guards);
    reason.fixes.push_back(text);
  }
  return reason;
}

}  // namespace postern::audit
