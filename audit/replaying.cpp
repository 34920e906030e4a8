#include "audit/replaying.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <memory>

#include "engine/conversation.hpp"

namespace postern::audit {
namespace {

using Kind = engine::Want::Kind;

bool is_waited_for(const Policy& policy, spec::Guards guards, spec::Event event) {
  const std::vector<spec::Event> events = policy.events_in(guards);
  return std::ranges::find(events, event) != events.end();
}

// Lends room for one reply, and so takes each decision alone. A pause is over at once.
class Player final : private engine::Output {
 public:
  Player(const Policy& policy, const Dialogue& dialogue)
      : Output(replies_),
        policy_(policy),
        dialogue_(dialogue),
        talk_(std::make_unique<engine::LoneConversation>(dialogue.service(), engine::Patience{})),
        want_(talk_->want()) {}

  Replayed play() {
    for (const Item& item : dialogue_.items) {
      line_ = item.line;
      take(item);
    }
    if (!heard_.empty()) mismatch("(nothing more)", heard_.front());
    return std::move(result_);
  }

 private:
  void note(const engine::Note& note) override {
    std::string reply(note.step.reply);
    std::erase(reply, '\r');
    if (!reply.empty()) reply.pop_back();
    result_.steps.push_back({line_, said_, before_, note.session.guards(), note.step.rule, note.step.effect, reply});
  }
  void keep(std::string_view) override {}
  void drop() override {}

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
    if (want_.kind == Kind::end || want_.kind == Kind::tls) return;  // RFC 3207 4.2: dropped
    unread_ += item.octets;
    pump();
  }

  void happen(const Item& item) {
    if (is_outcome_of_a_look_up(item.event)) {
      outcomes_.push_back(&item);
      return pump();
    }
    if (want_.kind == Kind::end || !is_waited_for(policy_, before_, item.event))
      return mismatch(written(item), "(the session does not wait for that)");
    said_ = written(item);
    go_on(talk_->happen(item.event, engine::Time(), *this, item.octets));
    pump();
  }

  void pump() {
    while (true) {
      switch (want_.kind) {
        case Kind::room:
        case Kind::octets:
          feed();
          if (want_.kind == Kind::octets) return;
          break;
        case Kind::answer:
          if (!take_outcome()) return;
          break;
        case Kind::pause: go_on(talk_->time_passed(talk_->deadline(), *this)); break;
        case Kind::opening:
        case Kind::tls:
        case Kind::end: return;
      }
    }
  }

  void feed() {
    std::string scratch(unread_.size() + 2, '\0');
    const engine::Want next = talk_->feed(unread_, scratch, engine::Time(), *this);
    unread_.erase(0, next.consumed);
    go_on(next);
  }

  bool take_outcome() {
    if (outcomes_.empty()) return false;
    const Item& item = *outcomes_.front();
    outcomes_.pop_front();
    said_ = written(item);
    if (!is_waited_for(policy_, before_, item.event)) {
      mismatch(said_, "(the session waits for something else)");
      return false;
    }
    const bool is_recipient = want_.question == engine::Question::recipient;
    const std::string mailbox(is_recipient ? talk_->session().mailbox() : std::string_view());
    go_on(talk_->answer(want_.ticket, answer_as_written(item.event, item.octets, mailbox), engine::Time(), *this));
    return true;
  }

  void go_on(engine::Want next) {
    const bool ends = next.kind == Kind::end && want_.kind != Kind::end;
    want_ = next;
    before_ = talk_->session().guards();
    hear(replies());
    clear();
    if (ends) heard_.push_back("S closes");
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
  std::array<char, engine::ReplyWriter::most_octets> replies_;
  std::unique_ptr<engine::LoneConversation> talk_;
  engine::Want want_;
  spec::Guards before_ = talk_->session().guards();
  std::string unread_, said_;
  std::deque<const Item*> outcomes_;
  std::deque<std::string> heard_;
  std::size_t line_ = 0;
  Replayed result_;
};

}  // namespace

Replayed replay(const Policy& policy, const Dialogue& dialogue) { return Player(policy, dialogue).play(); }

}  // namespace postern::audit
