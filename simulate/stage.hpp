// What all sessions of one world share: the clock, chance, the disk, the workspaces that are lent, and the first complaint.
// lives   as long as the program; begin() makes another world of it, with the storage of the last one
// source  docs/decisions/0009-one-conversation.md (a workspace is lent)
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/maildir/root.hpp"
#include "engine/conversation.hpp"
#include "simulate/agenda.hpp"
#include "simulate/disk.hpp"
#include "simulate/ledger.hpp"
#include "simulate/random.hpp"
#include "testing/judge.hpp"

namespace postern::simulate {

inline constexpr std::string_view host = "mx.example.org";
inline constexpr std::size_t sessions_at_once = 32;
inline constexpr std::size_t input_octets = 16384;  // the longest line, and more

// The first thing that was wrong, and in which session.
struct Witness {
  std::string complaint;
  std::uint32_t life = 0;

  void complain(std::uint32_t of, std::string_view what) {
    if (!complaint.empty() || what.empty()) return;
    complaint = what;
    life = of;
  }
};

// How the client and the network of this world are, besides what the seed makes of each session.
struct Climate {
  std::uint32_t cut_in = 1;       // one octet at a time, one session in so many
  std::uint32_t mischief_in = 8;  // one answer in so many comes with others that may not count
  std::uint32_t slow_in = 8;      // one client in so many takes its replies late
  std::uint32_t lost_in = 32;     // one answer in so many is lost
};

enum class ServerEnd : std::uint8_t { none, when_idle, at_once, broken_off };

// For a message, at DATA; now and then there is none.
class FickleRoom final : public engine::Room {
 public:
  explicit FickleRoom(Random& random) : random_(&random) {}
  [[nodiscard]] bool reserve() override { return !random_->one_in(24); }

 private:
  Random* random_;
};

class Workspaces {
 public:
  // One that some session has just scribbled on.
  [[nodiscard]] engine::Workspace* take();
  void give_back(engine::Workspace* workspace) { free_.push_back(workspace); }
  [[nodiscard]] bool are_all_back() const { return free_.size() == all_.size(); }
  void begin();

 private:
  std::vector<std::unique_ptr<engine::Workspace>> all_;
  std::vector<engine::Workspace*> free_;
};

struct Stage {
  explicit Stage(const testing::Judge& laws) : judge(laws) {}
  void begin(std::uint64_t seed);
  [[nodiscard]] deliver::MaildirSettings root_settings() const;
  void add(engine::Interval in, Happening what, std::uint16_t slot, std::uint32_t life, std::uint32_t mark = 0) {
    agenda.add({now + in, 0, life, mark, slot, what});
  }

  const testing::Judge& judge;
  Witness witness;
  Random random{0};
  FickleRoom message_room{random};
  engine::Time now{};
  Agenda agenda;
  Disk disk;
  Ledger ledger;
  Workspaces workspaces;
  std::optional<deliver::MaildirRoot> root;
  std::vector<std::uint16_t> waiting;  // slots whose message the next commit takes
  bool has_commit_ahead = false;
  bool has_delivered_to = false;
  engine::Patience patience;
  Climate climate;
  ServerEnd end{};
  std::array<char, input_octets + 2> scratch;
};

}  // namespace postern::simulate
