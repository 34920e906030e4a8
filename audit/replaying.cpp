#include "audit/replaying.hpp"

#include <algorithm>
#include <deque>
#include <memory>

#include "engine/session.hpp"

namespace postern::audit {
namespace {

namespace bit = spec::bit;
constexpr std::uint64_t waits_for_outcome = bit::waiting_recipient | bit::waiting_hand_over | bit::waiting_credentials;

bool is_waited_for(const Policy& policy, spec::Guards guards, spec::Event event) {
  const std::vector<spec::Event> events = policy.events_in(guards);
  return std::ranges::find(events, event) != events.end();
}

class Player {
 public:
  Player(const Policy& policy, const Dialogue& dialogue)
      : policy_(policy), dialogue_(dialogue), session_(std::make_unique<engine::LoneSession>(dialogue.service())) {}

  Replayed play() {
    for (const Item& item : dialogue_.items) {
      line_ = item.line;
      take(item);
    }
    if (!heard_.empty()) mismatch("(nothing more)", heard_.front());
    return std::move(result_);
  }

 private:
  void take(const Item& item) {
    switch (item.kind) {
      case ItemKind::client: return send(item);
      case ItemKind::server:
      case ItemKind::closes: return expect(written(item));
      case ItemKind::event: return happen(item);
      case ItemKind::reverse_path:
      case ItemKind::forward_path:
      case ItemKind::message: return;  // the hand-over is not replayed here
    }
  }

  void send(const Item& item) {
    said_ = written(item);
    if (is_closed_ || session_->guards().has(bit::waiting_handshake)) return;  // RFC 3207 4.2: for nobody
    unread_ += item.octets;
    pump();
  }

  void happen(const Item& item) {
    if (is_outcome_of_a_look_up(item.event)) {
      outcomes_.push_back(&item);
      return pump();
    }
    if (is_closed_ || !is_waited_for(policy_, session_->guards(), item.event))
      return mismatch(written(item), "(the session does not wait for that)");
    said_ = written(item);
    report(item);
    pump();
  }

  void report(const Item& item) {
    const spec::Guards before = session_->guards();
    const bool is_recipient = before.has(bit::waiting_recipient) && item.octets.empty();
    const std::string text = is_recipient ? std::string(session_->mailbox()) : item.octets;
    note(session_->report(item.event, text), before);
  }

  void pump() {
    while (!is_closed_ && !session_->guards().has(bit::waiting_connect | bit::waiting_handshake)) {
      const bool waits = session_->guards().has(waits_for_outcome);
      if (waits ? !take_outcome() : !take_step()) return;
    }
  }

  bool take_outcome() {
    if (outcomes_.empty()) return false;
    const Item& item = *outcomes_.front();
    outcomes_.pop_front();
    said_ = written(item);
    if (is_waited_for(policy_, session_->guards(), item.event)) {
      report(item);
      return true;
    }
    mismatch(said_, "(the session waits for something else)");
    return false;
  }

  bool take_step() {
    scratch_.resize(unread_.size() + 2);
    const spec::Guards before = session_->guards();
    const engine::Step step = session_->step(unread_, scratch_);
    unread_.erase(0, step.consumed);
    if (!step.is_decision) return step.consumed != 0 && !unread_.empty();
    note(step, before);
    return true;
  }

  void note(const engine::Step& step, spec::Guards before) {
    std::string reply(step.reply);
    std::erase(reply, '\r');
    if (!reply.empty()) reply.pop_back();
    result_.steps.push_back({line_, said_, before, session_->guards(), step.rule, step.effect, reply});
    hear(step.reply);
    is_closed_ = step.effect == spec::Effect::close;
    if (is_closed_) heard_.push_back("S closes");
  }

  void hear(std::string_view reply) {
    while (!reply.empty()) {
      const std::size_t end = std::min(reply.find("\r\n"), reply.size() - 2) + 2;
      heard_.push_back(written({.kind = ItemKind::server, .octets = std::string(reply.substr(0, end))}));
      reply.remove_prefix(end);
    }
  }

  void expect(const std::string& wanted) {
    if (heard_.empty()) return mismatch(wanted, "(nothing)");
    if (heard_.front() != wanted) mismatch(wanted, heard_.front());
    heard_.pop_front();
  }

  void mismatch(const std::string& wanted, const std::string& found) {
    if (!result_.mismatch) result_.mismatch = Mismatch{line_, wanted, found};
  }

  const Policy& policy_;
  const Dialogue& dialogue_;
  std::unique_ptr<engine::LoneSession> session_;
  std::string unread_, said_;
  std::string scratch_;
  std::deque<const Item*> outcomes_;
  std::deque<std::string> heard_;
  std::size_t line_ = 0;
  bool is_closed_ = false;
  Replayed result_;
};

}  // namespace

Replayed replay(const Policy& policy, const Dialogue& dialogue) { return Player(policy, dialogue).play(); }

}  // namespace postern::audit
