// One seed is one world: some sessions at once on one loop, with a clock, a network and a disk of their own.
// in      a seed, and whether the dialogue of one session is to be kept
// out     complaint(), and which session it is of; the same for the same seed, to the octet
// lives   storage is kept from one world to the next: one World a program
// source  TigerBeetle src/testing, FoundationDB fdbrpc/sim2 for the idea of one seed
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "simulate/client.hpp"
#include "simulate/connection.hpp"
#include "simulate/stage.hpp"
#include "testing/judge.hpp"

namespace postern::simulate {

struct Tally {
  std::uint64_t sessions = 0, decisions = 0, accepted = 0, power_cuts = 0, virtual_seconds = 0;
};

class World {
 public:
  explicit World(const testing::Judge& judge);

  // recorded   the session whose dialogue is kept; 0: none
  void play(std::uint64_t seed, std::uint32_t recorded = 0);
  [[nodiscard]] const Witness& witness() const { return stage_.witness; }
  [[nodiscard]] std::string dialogue(std::uint32_t life) const;
  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  struct Slot {
    Client client;
    Storage storage;
    std::optional<Connection> connection;
    engine::Service service;
    std::uint32_t pace = 0;         // milliseconds between two pieces at most
    std::uint32_t most_octets = 0;  // of a piece
  };

  void plan();
  void plan_end();
  void act(const Entry& entry);
  void act_on_session(const Entry& entry, Slot& slot);
  void connect(const Entry& entry, Slot& slot);
  [[nodiscard]] spec::Guards some_settings();
  void arrive(Slot& slot);
  void commit();
  void cut_power();
  void end_server();
  void stall();
  void judge_the_end();

  Stage stage_;
  std::vector<Slot> slots_;
  std::vector<deliver::PreparedMessage> group_;
  std::vector<std::uint16_t> members_;
  std::uint32_t recorded_ = 0;
  std::uint32_t commits_until_cut_ = 0;  // 0: the power does not end in one
  Tally tally_;
};

}  // namespace postern::simulate
