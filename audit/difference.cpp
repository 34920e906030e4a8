#include "audit/difference.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "audit/samples.hpp"
#include "audit/text.hpp"

namespace postern::audit {
namespace {

using Pair = std::pair<std::uint64_t, std::uint64_t>;

struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    return std::hash<std::uint64_t>{}(pair.first * 0x9e3779b97f4a7c15U ^ pair.second);
  }
};

bool goes_on_alike(const Decision& a, const Decision& b) {
  constexpr std::uint64_t waiting_for =
      spec::bit::waiting_connect | spec::bit::waiting_command | spec::bit::waiting_recipient |
      spec::bit::waiting_message | spec::bit::waiting_mail_data | spec::bit::waiting_hand_over |
      spec::bit::waiting_plain_response | spec::bit::waiting_username | spec::bit::waiting_password |
      spec::bit::waiting_credentials | spec::bit::waiting_handshake | spec::bit::waiting_end;
  return a.row->effect == b.row->effect && (a.after.bits & waiting_for) == (b.after.bits & waiting_for);
}

std::optional<Change> change_of(const Decision& a, const Decision& b) {
  if (!a.is_refusal() && b.is_refusal()) return Change::refused_now;
  if (a.is_refusal() && !b.is_refusal()) return Change::accepted_now;
  if (!goes_on_alike(a, b)) return Change::other_effect;
  if (Policy::reply_text(a) != Policy::reply_text(b))
    return spec::reply_row(a.row->reply).has_capability_lines ? Change::other_lines : Change::other_reply;
  if (a.row->rule != b.row->rule) return Change::other_rule;
  return std::nullopt;
}

bool parts(Change change) { return change <= Change::other_effect; }

class Search {
 public:
  explicit Search(const Policy& policy) : policy_(policy) {}

  Difference run(spec::Guards a, spec::Guards b) {
    reach({spec::start(a).bits, spec::start(b).bits}, {});
    for (std::size_t i = 0; i < pairs_.size(); ++i) visit(i);
    result_.pairs = pairs_.size();
    std::ranges::stable_sort(result_.partings, {}, &Parting::change);
    return std::move(result_);
  }

 private:
  struct Reached {
    Pair pair;
    std::size_t from = 0;
    Told by;
  };

  void reach(const Pair& pair, const Reached& reached) {
    if (!seen_.try_emplace(pair, pairs_.size()).second) return;
    pairs_.push_back(reached);
    pairs_.back().pair = pair;
  }

  void visit(std::size_t index) {
    const auto [a, b] = pairs_[index].pair;
    for (const spec::Event event : policy_.events_in({a})) {
      for (std::uint64_t counts = 0;; counts = (counts - policy_.counted()) & policy_.counted()) {
        compare(index, {policy_.decide({a | counts}, event), policy_.decide({b | counts}, event)});
        if (counts == policy_.counted()) break;
      }
    }
  }

  void compare(std::size_t index, const Told& told) {
    ++result_.decisions;
    const std::optional<Change> change = change_of(told.a, told.b);
    if (change)
      record(index, told, *change);
    else
      ++result_.same;
    if (change && parts(*change)) return;
    reach({told.a.after.bits, told.b.after.bits}, {{}, index, told});
  }

  // Breadth first: the first to come is a shortest one.
  void record(std::size_t index, const Told& told, Change change) {
    const auto key = std::tuple(change, told.a.row->rule, told.b.row->rule);
    const auto [at, is_new] = by_rules_.try_emplace(key, result_.partings.size());
    if (is_new) result_.partings.push_back({change, {}, 0, witness(index, told)});
    Parting& parting = result_.partings[at->second];
    ++parting.states;
    if (std::ranges::find(parting.events, told.a.event) == parting.events.end()) parting.events.push_back(told.a.event);
  }

  [[nodiscard]] std::vector<Told> witness(std::size_t index, const Told& last) const {
    std::vector<Told> path{last};
    for (; index != 0; index = pairs_[index].from) path.push_back(pairs_[index].by);
    std::ranges::reverse(path);
    return path;
  }

  const Policy& policy_;
  Difference result_;
  std::vector<Reached> pairs_;
  std::unordered_map<Pair, std::size_t, PairHash> seen_;
  std::map<std::tuple<Change, spec::Rule, spec::Rule>, std::size_t> by_rules_;
};

std::string head_of(const Policy& policy, const std::vector<Told>& witness, bool is_a) {
  const spec::Guards guards = is_a ? witness.front().a.before : witness.front().b.before;
  std::string head = "with";
  for (std::size_t i = 0; i < policy.fixed().size(); ++i) {
    const std::uint64_t bits = spec::bits_of(*policy.fixed()[i]);
    if (i < policy.model().settings.size())
      head += " " + policy.written(bits, guards);
    else if (guards.has(bits))
      head += " " + policy.fixed()[i]->name;
  }
  std::vector<std::string> said;
  for (const Told& told : witness) {
    const std::string word = sample_head(told.a.event);
    if (!word.empty() && std::ranges::find(said, word) == said.end()) said.push_back(word);
  }
  return said.empty() ? head : head + " " + joined(said, " ");
}

}  // namespace

std::string_view name_of(Change change) {
  switch (change) {
    case Change::refused_now: return "accepted by A, refused by B";
    case Change::accepted_now: return "refused by A, accepted by B";
    case Change::other_effect: return "the session continues differently";
    case Change::other_lines: return "something else is advertised";
    case Change::other_reply: return "another reply";
    case Change::other_rule: return "another rule, the same reply";
  }
  return {};
}

Difference find_difference(const Policy& policy, spec::Guards a, spec::Guards b) { return Search(policy).run(a, b); }

std::string witness_file(const Policy& policy, const std::vector<Told>& witness, bool is_a) {
  std::string out = head_of(policy, witness, is_a) + "\n";
  const bool has_size = out.find("databytes=") != std::string::npos;
  for (const Told& told : witness) {
    const Decision& decision = is_a ? told.a : told.b;
    if (!can_be_shown(decision.event) || (decision.before.bits & policy.counted()) != 0) return {};
    for (const std::string& line : sample_lines(decision.event, decision.before)) out += line + "\n";
    const bool has_reply = decision.code() != 0;
    std::string reply = Policy::reply_text(decision, has_size ? 1000 : 0, sample_words(decision.event));
    if (has_reply) out += "S: " + replaced(std::move(reply), "\n", "\nS: ") + "\n";
    if (decision.row->effect == spec::Effect::close) out += "S closes\n";
  }
  return out;
}

}  // namespace postern::audit
