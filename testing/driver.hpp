// Serves one engine::Conversation as the programs do, with outcomes that the caller gives, and records what happened.
// in      what the client sends, in pieces of any size; outcomes of look-ups, ahead of time or when asked for; what the
//         world does
// out     heard(): all that the server did, in the words of a dialogue; decisions(): each with its guards, for the laws
// errors  problem(): an outcome was given that the session did not wait for, or the session broke its contract
// time    a pause is over at once
// source  engine/conversation.hpp; RFC 3207 4.2 (what is dropped)
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/dialogue.hpp"
#include "engine/conversation.hpp"
#include "testing/laws.hpp"

namespace postern::testing {

enum class AfterStarttls : std::uint8_t {
  same_session,  // goes on after the handshake
  sibling,       // another session takes over with the counters alone, as another process would
};

class Driver final : private engine::Output {
 public:
  Driver(const engine::Service& service, AfterStarttls after_starttls);

  void send(std::string_view octets);
  // The outcome of a look-up to come; kept until the session asks.
  void tell(spec::Event outcome, std::string_view text = {});
  // connect.*, handshake.*, timeout, eof, too_slow, shutting_down: now.
  [[nodiscard]] bool waits_for(spec::Event event) const;
  void happen(spec::Event event, std::string_view text = {});

  // Answers when the session asks for the outcome of a look-up and none was given.
  void answer_by(std::function<spec::Event(spec::Guards)> choose) { choose_ = std::move(choose); }
  // Sees every decision as it is taken.
  void watch(std::function<void(const Moment&)> see) { see_ = std::move(see); }

  [[nodiscard]] bool is_closed() const { return is_closed_; }
  [[nodiscard]] const std::vector<audit::Item>& heard() const { return heard_; }
  [[nodiscard]] std::vector<audit::Item> take_heard();
  [[nodiscard]] const std::vector<Decision>& decisions() const { return decisions_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const engine::Session& session() const { return talk_->session(); }
  // Octets of the client that no decision has used yet.
  [[nodiscard]] std::size_t unread_octets() const { return unread_.size(); }
  [[nodiscard]] std::size_t unused_outcomes() const { return outcomes_.size(); }

 private:
  void note(const engine::Note& note) override;
  void keep(std::string_view mail_data) override { message_ += mail_data; }
  void drop() override {}

  void pump();
  void feed();
  [[nodiscard]] bool take_outcome();
  void go_on(engine::Want next);
  void hear_message();
  void start_sibling();
  void fail(const std::string& what);

  engine::Service service_;
  AfterStarttls after_starttls_;
  std::unique_ptr<engine::LoneConversation> talk_;
  engine::Want want_{};
  engine::Time now_{};
  std::array<char, engine::ReplyWriter::most_octets> replies_;  // of one: so each decision is seen by itself
  std::optional<spec::Guards> before_;                          // of a session that another one continues
  std::string unread_;
  std::string message_;
  std::vector<char> scratch_;
  std::deque<std::pair<spec::Event, std::string>> outcomes_;
  std::function<spec::Event(spec::Guards)> choose_;
  std::function<void(const Moment&)> see_;
  std::vector<audit::Item> heard_;
  std::vector<Decision> decisions_;
  std::string problem_;
  bool is_closed_ = false;
};

}  // namespace postern::testing
