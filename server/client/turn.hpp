// What a loop lends the conversation whose turn it is: room for replies, and an ear that passes on to its work.
// lives   as long as its loop; one at a time has it
#pragma once

#include <span>

#include "engine/output.hpp"
#include "server/client/client_work.hpp"

namespace postern::server {

class Turn final : public engine::Output, public engine::Room {
 public:
  explicit Turn(std::span<char> room) : Output(room) {}

  void give_to(ClientWork& work) { work_ = &work; }
  void note(const engine::Note& note) override { work_->note(note); }
  void note_sent(std::string_view replies) { work_->note_sent(replies); }
  [[nodiscard]] std::span<char> room_for_mail_data(std::size_t octets, std::span<char> scratch) override {
    return work_->message.room_for_mail_data(octets, scratch);
  }
  void keep(std::string_view mail_data) override { work_->message.keep(mail_data); }
  void drop() override { work_->message.drop(); }
  [[nodiscard]] bool reserve() override { return work_->message.reserve(); }

 private:
  ClientWork* work_ = nullptr;
};

}  // namespace postern::server
