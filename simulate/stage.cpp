#include "simulate/stage.hpp"

#include <cstring>

namespace postern::simulate {

engine::Workspace* Workspaces::take() {
  if (free_.empty()) {
    all_.push_back(std::make_unique_for_overwrite<engine::Workspace>());
    free_.push_back(all_.back().get());
  }
  engine::Workspace* const last = free_.back();
  free_.pop_back();
  return last;
}

// A session that did not end gives nothing back: then all are new.
void Workspaces::begin() {
  free_.clear();
  for (const auto& workspace : all_) {
    workspace->sasl.wipe();
    workspace->envelope.clear();
    free_.push_back(workspace.get());
  }
}

void Stage::begin(std::uint64_t seed) {
  random = Random(seed);
  witness = {};
  now = {};
  agenda.clear();
  ledger.begin();
  workspaces.begin();
  waiting.clear();
  has_commit_ahead = false;
  end = ServerEnd::none;
  disk.begin(random.next());
  patience = {.silence_seconds = random.between(30, 600),
              .window_seconds = random.between(20, 300),
              .min_octets_per_second = random.between(1, 20)};
  climate = {.cut_in = random.between(4, 200),
             .mischief_in = random.between(2, 64),
             .slow_in = random.between(2, 40),
             .lost_in = random.between(16, 200)};
  const bool is_disk_sick = random.one_in(4);
  disk.fail({.error_in = is_disk_sick ? random.between(3, 100) : 0,
             .room_octets = random.one_in(16) ? random.below(20000) : ~0ULL});
  has_delivered_to = random.one_in(4);
  root.emplace(root_settings());
}

deliver::MaildirSettings Stage::root_settings() const {
  return {std::string(disk_root), std::string(host), "ours0.example", has_delivered_to};
}

}  // namespace postern::simulate
