#include "testing/replay.hpp"

#include <algorithm>
#include <utility>

namespace postern::testing {
namespace {

bool is_of_a_message(audit::ItemKind kind) {
  return kind == audit::ItemKind::reverse_path || kind == audit::ItemKind::forward_path ||
         kind == audit::ItemKind::message;
}
bool is_said_by_server(audit::ItemKind kind) {
  return kind == audit::ItemKind::server || kind == audit::ItemKind::closes || is_of_a_message(kind);
}

std::string problem_at_end(const Driver& driver) {
  if (!driver.problem().empty()) return driver.problem();
  if (driver.is_closed()) return {};
  if (driver.unread_octets() != 0) return std::to_string(driver.unread_octets()) + " octets of the client are no line";
  if (driver.unused_outcomes() != 0) return "an outcome is told, and nobody asks for it";
  return {};
}

// What the client sends until the world does something.
struct Stretch {
  std::string octets;
  std::vector<const audit::Item*> outcomes;
  const audit::Item* end = nullptr;  // the event of the world
};

std::vector<Stretch> stretches_of(const audit::Dialogue& dialogue) {
  std::vector<Stretch> stretches(1);
  for (const audit::Item& item : dialogue.items) {
    if (item.kind == audit::ItemKind::client) stretches.back().octets += item.octets;
    if (item.kind != audit::ItemKind::event) continue;
    if (audit::is_outcome_of_a_look_up(item.event)) {
      stretches.back().outcomes.push_back(&item);
    } else {
      stretches.back().end = &item;
      stretches.emplace_back();
    }
  }
  return stretches;
}

// `sent` octets went before, in earlier stretches.
void send_cut(Driver& driver, std::string_view octets, Cut cut, std::size_t sent) {
  const auto first = [&] {
    switch (cut.how) {
      case Cut::How::whole: break;
      case Cut::How::in_two: return sent < cut.octets ? std::min(cut.octets - sent, octets.size()) : octets.size();
      case Cut::How::in_pieces: return std::min(cut.octets, octets.size());
    }
    return octets.size();
  };
  while (!octets.empty()) {
    const std::size_t size = first();
    driver.send(octets.substr(0, size));
    octets.remove_prefix(size);
    sent += size;
  }
}

}  // namespace

Replay replay(const audit::Dialogue& dialogue, Cut cut, AfterStarttls after_starttls,
              std::function<void(const Moment&)> see) {
  Driver driver(dialogue.service(), after_starttls);
  driver.watch(std::move(see));
  std::size_t sent = 0;
  for (const Stretch& stretch : stretches_of(dialogue)) {
    for (const audit::Item* outcome : stretch.outcomes) driver.tell(outcome->event, outcome->octets);
    send_cut(driver, stretch.octets, cut, sent);
    sent += stretch.octets.size();
    if (stretch.end != nullptr) driver.happen(stretch.end->event, stretch.end->octets);
  }
  return {driver.heard(), driver.decisions(), problem_at_end(driver)};
}

std::vector<std::string> listing(const audit::Dialogue& dialogue) {
  std::vector<std::string> lines;
  for (const audit::Item& item : dialogue.items) lines.push_back(audit::written(item));
  return lines;
}

std::vector<std::string> listing_of_replay(const audit::Dialogue& dialogue) {
  Driver driver(dialogue.service(), AfterStarttls::same_session);
  std::vector<std::string> lines;
  const auto hear = [&] {
    for (const audit::Item& item : driver.take_heard()) {
      if (dialogue.shows_messages || !is_of_a_message(item.kind)) lines.push_back(audit::written(item));
    }
  };
  for (const audit::Item& item : dialogue.items) {
    if (is_said_by_server(item.kind)) {
      hear();
      continue;
    }
    const bool is_outcome = item.kind == audit::ItemKind::event && audit::is_outcome_of_a_look_up(item.event);
    if (item.kind == audit::ItemKind::event && !is_outcome) hear();
    lines.push_back(audit::written(item));
    if (item.kind == audit::ItemKind::client) {
      driver.send(item.octets);
    } else if (is_outcome) {
      driver.tell(item.event, item.octets);
    } else {
      driver.happen(item.event, item.octets);
    }
  }
  hear();
  if (const std::string problem = problem_at_end(driver); !problem.empty()) lines.push_back("problem: " + problem);
  return lines;
}

std::string difference(const std::vector<std::string>& wanted, const std::vector<std::string>& found) {
  if (wanted == found) return {};
  constexpr std::size_t context = 3;
  std::size_t same = 0;
  while (same < wanted.size() && same < found.size() && wanted[same] == found[same]) ++same;
  std::size_t tail = 0;
  while (tail < wanted.size() - same && tail < found.size() - same &&
         wanted[wanted.size() - 1 - tail] == found[found.size() - 1 - tail])
    ++tail;
  std::string out;
  for (std::size_t i = same - std::min(same, context); i < same; ++i) out += "  " + wanted[i] + "\n";
  for (std::size_t i = same; i < wanted.size() - tail; ++i) out += "- " + wanted[i] + "\n";
  for (std::size_t i = same; i < found.size() - tail; ++i) out += "+ " + found[i] + "\n";
  for (std::size_t i = 0; i < std::min(tail, context); ++i) out += "  " + wanted[wanted.size() - tail + i] + "\n";
  return out;
}

std::vector<std::string> lines_of(const Replay& replay) {
  std::vector<std::string> lines;
  for (const Decision& d : replay.decisions)
    lines.push_back(std::string(spec::name_of(d.rule)) + " " + std::to_string(d.code));
  for (const audit::Item& item : replay.heard) lines.push_back(audit::written(item));
  if (!replay.problem.empty()) lines.push_back("problem: " + replay.problem);
  return lines;
}

}  // namespace postern::testing
