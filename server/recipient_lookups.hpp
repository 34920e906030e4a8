// What services that know mailboxes say of recipients, asked over connections of one loop, where it is not known
// (limits/known_recipients.hpp). An equal question that is on its way is asked once.
// in      a target (a mail cluster, a userdb), a recipient as it is kept, who waits for the answer
// out     the answer at once, where it is known or cannot be had; else each who waits hears it later, in a turn of the loop
// bounds  spec::max_probe_connections to one target and max_probe_waiting recipients beyond them, each for max_probe_seconds; an
//         address that no class names any more keeps an empty pool
// lives   until nobody waits, and so do targets that are asked; all on the loop's thread
// errors  in the RecipientStanding; std::bad_alloc from ask()
// source  docs/decisions/0013-outbound.md, 0021-ask-the-mail-cluster.md, 0024-ask-dovecot.md
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "limits/known_recipients.hpp"
#include "loop/outbound_pool.hpp"
#include "spec/limits.hpp"

namespace postern::server {

class RecipientAsker {
 public:
  RecipientAsker() = default;
  RecipientAsker(const RecipientAsker&) = delete;
  RecipientAsker& operator=(const RecipientAsker&) = delete;
  virtual ~RecipientAsker() = default;
  // Once. It may ask again.
  virtual void hear(const limits::RecipientStanding& standing) = 0;
};

// Source   how targets of one kind are asked; an object of it is one way to them:
//   Target, Protocol                  a base::ClientProtocol; Target::known() is a limits::KnownRecipients
//   Source(target), serves(target)    whether it is also the way to that one
//   make_protocol()                   for a new connection; lives no longer than the Source
//   address_of(target), name_of(target, recipient)     the recipient as it is asked about
//   begin(protocol, name, now)        the name outlives the question
//   standing_of(target, ended protocol | failure)
template <typename Source>
class RecipientLookups {
 public:
  using Target = typename Source::Target;
  using Protocol = typename Source::Protocol;

  explicit RecipientLookups(loop::Loop& loop) : loop_(loop) {}
  RecipientLookups(const RecipientLookups&) = delete;
  RecipientLookups& operator=(const RecipientLookups&) = delete;

  // None: `asker` is kept, and hears it later.
  [[nodiscard]] std::optional<limits::RecipientStanding> ask(Target& target, std::string_view recipient,
                                                             std::unique_ptr<RecipientAsker>& asker);

 private:
  using Mark = limits::KnownRecipients::Mark;
  using Pool = loop::OutboundPool<Protocol>;

  struct Way {
    Way(loop::Loop& loop, const Target& target)
        : source(target), pool(loop, settings_for(target), [this] { return source.make_protocol(); }) {}

    Source source;
    Pool pool;
  };

  class Question final : public loop::OutboundRequest<Protocol> {
   public:
    Question(RecipientLookups& lookups, Target& of, std::string its_name, const Mark& its_mark)
        : target(of), mark(its_mark), lookups_(lookups), name_(std::move(its_name)) {}

    void begin(Protocol& protocol, base::Time now) override { Source::begin(protocol, name_, now); }
    void ended(Protocol& protocol) override { lookups_.end(*this, standing_in(protocol)); }
    void failed(const base::StreamFailure& failure) override { lookups_.end(*this, standing_in(failure)); }

    template <typename Outcome>
    [[nodiscard]] limits::RecipientStanding standing_in(Outcome& outcome) const try {
      return Source::standing_of(target, outcome);
    } catch (const std::bad_alloc&) {
      return {};
    }

    Target& target;
    const Mark mark;
    std::vector<std::unique_ptr<RecipientAsker>> askers;

   private:
    RecipientLookups& lookups_;
    std::string name_;
  };

  [[nodiscard]] static loop::OutboundSettings settings_for(const Target& target) {
    return {.addresses = {Source::address_of(target)},
            .connect_patience = std::chrono::seconds(spec::max_probe_seconds),
            .max_in_flight = spec::max_probe_connections,
            .max_waiting = spec::max_probe_waiting,
            .max_idle = most_idle};
  }
  [[nodiscard]] Way& way_to(const Target& target) {
    const auto known =
        std::ranges::find_if(ways_, [&](const std::unique_ptr<Way>& way) { return way->source.serves(target); });
    return known != ways_.end() ? **known : *ways_.emplace_back(std::make_unique<Way>(loop_, target));
  }
  [[nodiscard]] auto find(const Question& question) {
    return std::ranges::find_if(questions_, [&](const auto& each) { return each.get() == &question; });
  }
  void end(Question& question, const limits::RecipientStanding& standing);

  static constexpr std::size_t most_idle = 2;

  loop::Loop& loop_;
  std::vector<std::unique_ptr<Way>> ways_;
  std::vector<std::unique_ptr<Question>> questions_;  // on their way
};

template <typename Source>
std::optional<limits::RecipientStanding> RecipientLookups<Source>::ask(Target& target, std::string_view recipient,
                                                                       std::unique_ptr<RecipientAsker>& asker) {
  std::string name = Source::name_of(target, recipient);
  if (name.empty()) return Source::standing_without_name(target);
  const Mark mark = target.known().mark_of(name);
  if (const auto said = target.known().find(mark, loop_.now())) return limits::RecipientStanding{.event = *said};
  const auto equal = std::ranges::find_if(
      questions_, [&](const auto& question) { return &question->target == &target && question->mark == mark; });
  if (equal != questions_.end()) {
    (*equal)->askers.push_back(std::move(asker));
    return std::nullopt;
  }
  Way& way = way_to(target);
  auto made = std::make_unique<Question>(*this, target, std::move(name), mark);
  made->askers.push_back(std::move(asker));
  Question& question = *questions_.emplace_back(std::move(made));  // whole, for equal questions join it
  const auto failure = way.pool.submit(question, std::chrono::seconds(spec::max_probe_seconds));
  if (!failure) return std::nullopt;
  limits::RecipientStanding standing = question.standing_in(*failure);
  questions_.erase(find(question));
  return standing;
}

// It is on its way no more when those who hear ask again.
template <typename Source>
void RecipientLookups<Source>::end(Question& question, const limits::RecipientStanding& standing) {
  const auto found = find(question);
  const std::unique_ptr<Question> ended = std::move(*found);
  questions_.erase(found);
  ended->target.known().keep(ended->mark, standing.event, loop_.now());
  for (const std::unique_ptr<RecipientAsker>& asker : ended->askers) asker->hear(standing);
}

}  // namespace postern::server
