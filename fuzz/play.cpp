#include "fuzz/play.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "fuzz/count_allocations.hpp"
#include "testing/naive_mail_data.hpp"
#include "testing/reference_walk.hpp"

namespace postern::fuzz {

using spec::Effect;
using spec::Event;
using Kind = engine::Want::Kind;
namespace bit = spec::bit;

namespace {

constexpr std::size_t long_piece = 256;  // of octets that are all the same
constexpr std::size_t most_sent_octets = most_octets + most_long * long_octets;
constexpr std::uint64_t hears = bit::waiting_command | bit::waiting_mail_data | testing::waiting_for_answer;

bool is_inside(std::string_view view, const void* begin, std::size_t octets) {
  const auto* const first = static_cast<const char*>(begin);
  return view.empty() || (view.data() >= first && view.data() + view.size() <= first + octets);
}

// Where an object of `octets` ends at the unreadable page, or as near to it as its alignment allows.
void* last_in(testing::GuardedOctets& storage, std::size_t octets) {
  constexpr std::size_t alignment = alignof(std::max_align_t);
  return storage.space_before_guard((octets + alignment - 1) / alignment * alignment).data();
}

bool is_end_of_data(Event event) {
  return event == Event::data_end_complete || event == Event::data_end_bare_cr_or_lf || event == Event::data_end_nul ||
         event == Event::data_end_too_big || event == Event::data_end_too_many_hops;
}

}  // namespace

Player::Player(const testing::Judge& judge)
    : Output(reply_),
      judge_(judge),
      talk_storage_(sizeof(engine::Conversation)),
      workspace_storage_{testing::GuardedOctets(sizeof(engine::Workspace)),
                         testing::GuardedOctets(sizeof(engine::Workspace))},
      input_(most_sent_octets),
      scratch_(most_sent_octets + 2),
      workspaces_{new(last_in(workspace_storage_[0], sizeof(engine::Workspace))) engine::Workspace,
                  new(last_in(workspace_storage_[1], sizeof(engine::Workspace))) engine::Workspace} {}

void Player::complain(std::string_view what) {
  if (complaint_.empty() && !what.empty()) complaint_ = what;
}

// counters   of the conversation that this one continues
void Player::start(const SessionView& view, std::optional<engine::Counters> counters) {
  const engine::Service service{.settings_and_facts = view.settings_and_facts,
                                .host = fuzz_host,
                                .databytes = view.databytes,
                                .max_recipients = view.max_recipients,
                                .asks_at_data = view.asks_at_data,
                                .room = view.has_room ? nullptr : &engine::no_room()};
  for (engine::Workspace* workspace : workspaces_) new (workspace) engine::Workspace;  // which fills no storage
  void* const storage = last_in(talk_storage_, sizeof(engine::Conversation));
  talk_ = new (storage) engine::Conversation(service, *workspaces_[0], {}, counters);
}

// At rest nothing of a session is in its workspace: it goes on with another.
void Player::change_workspace() {
  if (!session().is_at_rest()) return;
  std::swap(workspaces_[0], workspaces_[1]);
  talk_->use(*workspaces_[0]);
}

const Trace& Player::play(const SessionView& view, std::size_t piece_octets, testing::AfterStarttls after_starttls,
                          const Trace* model) {
  view_ = &view;
  model_ = model;
  after_starttls_ = after_starttls;
  trace_ = after_starttls == testing::AfterStarttls::same_session ? &whole_ : &cut_;
  trace_->decisions.clear();
  trace_->said.clear();
  trace_->replies.clear();
  course_.begin();
  asked_ = 0;
  is_closed_ = false;
  unread_ = {};
  start(view);
  happen(view.start);
  BodyReader body(view.body);
  while (const auto part = is_closed_ ? std::nullopt : body.next()) {
    if (!part->event) {
      play_part(part->octets, part->octets.size() == long_octets ? std::max(piece_octets, long_piece) : piece_octets);
      if (part->is_endless) play_for_ever(part->octets);
    } else if (waits_for(*part->event)) {
      happen(*part->event);
      pump();
    }
  }
  return *trace_;
}

void Player::play_part(std::string_view part, std::size_t piece_octets) {
  while (!part.empty() && !is_closed_) {
    // RFC 3207 4.2: what comes between STARTTLS and the handshake is dropped.
    if (want_.kind == Kind::tls) return;
    // What is unread is laid before the page again each time: a long line comes in greater pieces.
    const std::string_view piece = part.substr(0, std::max(piece_octets, unread_.size() / 8));
    part.remove_prefix(piece.size());
    // What is unread yet may be of an earlier part: then it is not followed by this piece in the body.
    const auto space = input_.space_before_guard(unread_.size() + piece.size());
    std::memmove(space.data(), unread_.data(), unread_.size());
    std::memcpy(space.data() + unread_.size(), piece.data(), piece.size());
    unread_ = space;
    pump();
  }
}

// Data that is not stored has a bound (deviation D4); other data needs none here.
void Player::play_for_ever(std::string_view part) {
  std::uint64_t sent = 0;
  const auto decisions = trace_->decisions.size();
  while (session().guards().has(bit::waiting_mail_data) && decisions == trace_->decisions.size() &&
         sent <= spec::max_discarded_octets) {
    play_part(part, part.size());
    mail_data_.clear(), message_.clear();  // they are for a verdict that never comes
    sent += part.size();
  }
}

bool Player::waits_for(Event event) const {
  const spec::Guards guards = session().guards();
  if (event == Event::handshake_done || event == Event::handshake_failed) return guards.has(bit::waiting_handshake);
  return guards.has(event == Event::too_slow || event == Event::exhausted ? hears : hears | bit::waiting_handshake);
}

void Player::pump() {
  while (complaint_.empty()) {
    switch (want_.kind) {
      case Kind::room:
      case Kind::octets:
        feed();
        if (want_.kind == Kind::octets) return;
        break;
      case Kind::answer: answer(); break;
      case Kind::pause:
        now_ = talk_->deadline();
        change_workspace();
        go_on([&] { return talk_->time_passed(now_, *this); });
        break;
      case Kind::opening:
      case Kind::tls:
      case Kind::end: return;
    }
  }
}

// A call on the conversation, and then all that is to be said of what came of it.
template <typename Call>
void Player::go_on(Call call) {
  noted_.reset();
  kept_ = sent_ = {};
  const std::size_t allocations = allocations_so_far();
  want_ = call();
  if (allocations_so_far() != allocations) complain("a conversation allocates");
  mail_data_ += sent_;
  message_ += kept_;
  if (noted_) take(*noted_);
  if (!replies().empty()) (trace_->said += 'S') += replies(), trace_->replies += replies();
  clear();
  if (want_.kind == Kind::end && !std::exchange(is_closed_, true)) {
    trace_->said += 'X';
    complain(course_.end());
  }
  if (noted_ && !is_closed_) report_late();
}

void Player::note(const engine::Note& note) {
  if (noted_) complain("a decision that says and asks nothing");
  noted_ = note.step;
}

void Player::keep(std::string_view mail_data) {
  if (!kept_.empty()) complain("one message is kept twice");
  kept_ = mail_data;
}

void Player::answer() {
  change_nothing_by(Event::eof);
  const std::uint8_t fate = view_->fates[asked_++ % view_->fates.size()];
  const bool is_recipient = want_.question == engine::Question::recipient;
  const engine::Answer answer{testing::outcome_for(session().guards(), fate), is_recipient ? session().mailbox() : ""};
  go_on([&] { return talk_->answer(want_.ticket, answer, now_, *this); });
  if (!noted_) complain("an answer changes nothing");
}

void Player::happen(Event event) {
  if (event == Event::handshake_done && after_starttls_ == testing::AfterStarttls::sibling) {
    const engine::Counters counters = session().counters();
    before_ = session().guards();
    before_->set(bit::errors_spent, counters.errors >= spec::max_errors);
    before_->set(bit::auth_attempts_spent, counters.auth_attempts >= spec::max_auth_attempts);
    start(*view_, counters);
  }
  go_on([&] { return talk_->happen(event, now_, *this); });
  if (!noted_) complain("an event changes nothing");
}

void Player::feed() {
  const std::span<char> scratch = scratch_.space_before_guard(unread_.size() + 2);
  const bool is_mail_data = session().guards().has(bit::waiting_mail_data);
  change_workspace();
  const std::span<char> octets = unread_;
  go_on([&] {
    const engine::Want next = talk_->feed(octets, scratch, now_, *this);
    if (next.consumed > octets.size()) {
      complain("more octets are consumed than there were");
      return next;
    }
    if (!is_inside(kept_, scratch.data(), scratch.size())) complain("mail data points outside");
    if (noted_) check_views(*noted_);
    unread_ = octets.subspan(next.consumed);
    sent_ = is_mail_data ? std::string_view(octets.data(), next.consumed) : std::string_view();
    return next;
  });
}

void Player::check_views(const engine::Step& step) {
  const engine::Workspace& lent = *workspaces_[0];
  const engine::Session& shown = session();
  const bool are_inside =
      is_inside(step.reply, &lent, sizeof lent) && is_inside(shown.username(), &lent, sizeof lent) &&
      is_inside(shown.password(), &lent, sizeof lent) && is_inside(shown.mailbox(), &lent, sizeof lent) &&
      is_inside(shown.client_name(), &shown, sizeof shown) && is_inside(shown.envelope().octets(), &lent, sizeof lent);
  if (!are_inside) complain("a view points outside");
}

// After each decision another event that may not happen now, and an answer that comes late.
void Player::report_late() {
  const auto event = static_cast<Event>(late_++ % spec::event_count);
  change_nothing_by(event);
}

void Player::change_nothing_by(Event event) {
  const spec::Guards before = session().guards();
  const engine::Want wanted = want_;
  const auto decided = noted_;
  noted_.reset();
  const auto old = engine::Ticket{std::to_underlying(wanted.ticket) - 1};
  static_cast<void>(talk_->answer(old, {event, "late@example.org"}, now_, *this));
  if (!before.has(spec::waiting_for(event))) static_cast<void>(talk_->happen(event, now_, *this, "late@example.org"));
  if (wanted.kind == Kind::answer &&
      talk_->feed(unread_, scratch_.space_before_guard(unread_.size() + 2), now_, *this).consumed != 0)
    complain("octets are read while a question is open");
  if (noted_ || session().guards() != before || !replies().empty()) complain("a late report changes something");
  noted_ = decided;
}

void Player::judge(const testing::Decision& decision) {
  if (model_ == nullptr) return complain(judge_.complaint(decision));
  const std::size_t at = trace_->decisions.size() - 1;
  if (at >= model_->decisions.size() || model_->decisions[at] != decision) complain("a cut changes a decision");
}

void Player::take(const engine::Step& step) {
  const spec::Guards before = std::exchange(before_, std::nullopt).value_or(step.before);
  trace_->decisions.push_back({before, step.event, step.rule, step.code, step.effect, session().guards()});
  const testing::Decision& decision = trace_->decisions.back();
  judge(decision);
  complain(course_.take(decision));
  for (const testing::SessionLaw& law : testing::all_session_laws) {
    if (!law.is_kept({decision, step, session()})) complain(law.name);
  }
  if (is_end_of_data(step.event)) check_stored();
  if (step.effect == Effect::begin_message) mail_data_.clear(), message_.clear();
  if (step.effect == Effect::hand_over) hear_message();
}

// What is stored, and the verdict, are those of the naive reader; once is enough, the other way must be the same.
void Player::check_stored() {
  if (trace_ != &whole_) return;
  const testing::NaiveMailData naive = testing::read_mail_data(mail_data_);
  const Event event = trace_->decisions.back().event;
  const bool is_big = view_->databytes != 0 && naive.text.size() > view_->databytes;
  const Event wanted = naive.saw_bare_cr || naive.saw_bare_lf ? Event::data_end_bare_cr_or_lf
                       : naive.saw_nul                        ? Event::data_end_nul
                       : naive.hops >= spec::max_hops         ? Event::data_end_too_many_hops
                       : is_big                               ? Event::data_end_too_big
                                                              : Event::data_end_complete;
  if (!naive.ended || naive.consumed != mail_data_.size()) complain("mail data ends elsewhere than at CRLF.CRLF");
  if (event != wanted) complain("the naive reader of mail data judges otherwise");
  if (event == Event::data_end_complete && message_ != naive.text) complain("what is stored is not what was sent");
}

// qmail-queue(8): F reverse-path NUL, T forward-path NUL for each, NUL
void Player::hear_message() {
  for (const char octet : session().envelope().octets()) trace_->said += octet == '\0' ? '\n' : octet;
  (trace_->said += 'M') += message_;
}

namespace {

// Whether the second opinion claims to read all of it: no quoted strings, address literals, source routes, xtext.
bool is_plain(std::string_view body) {
  constexpr std::string_view beyond = "\"\\[,\xF6";
  if (body.find_first_of(beyond) != body.npos) return false;
  static std::string sent;  // what happens in the middle of a line does not end it
  sent.clear();
  for (const char octet : body) {
    if (is_world(octet)) continue;
    if (static_cast<unsigned char>(octet) > 126) return false;
    sent += octet;
  }
  const auto is_auth = [](char c, char wanted) { return (c | 0x20) == (wanted | 0x20); };
  return !sent.contains("<@") && std::ranges::search(sent, std::string_view("auth="), is_auth).empty();
}

class ByReference {
 public:
  explicit ByReference(const SessionView& view)
      : view_(view),
        reference_(testing::world_of({.settings_and_facts = view.settings_and_facts,
                                      .host = fuzz_host,
                                      .databytes = view.databytes,
                                      .max_recipients = view.max_recipients,
                                      .asks_at_data = view.asks_at_data,
                                      .room = view.has_room ? nullptr : &engine::no_room()})) {
    reference_.learn(std::string(spec::name_of(view.start)));
  }

  std::string play() {
    BodyReader body(view_.body);
    while (const auto part = reference_.phase() == "end" ? std::nullopt : body.next()) {
      if (part->event && waits_for(*part->event)) reference_.learn(std::string(spec::name_of(*part->event)));
      if (!part->event && reference_.phase() != "handshake") reference_.hear(std::string(part->octets));
      look_up();
    }
    return written();
  }

 private:
  bool waits_for(Event event) const {
    const bool is_handshake = reference_.phase() == "handshake";
    if (event == Event::handshake_done || event == Event::handshake_failed) return is_handshake;
    const bool is_of_lines = event == Event::too_slow || event == Event::exhausted;
    return reference_.phase() != "end" && !(is_of_lines && is_handshake);
  }
  void look_up() {
    while (true) {
      const spec::Guards waits = reference_.phase() == "recipient"     ? spec::Guards{bit::waiting_recipient}
                                 : reference_.phase() == "message"     ? spec::Guards{bit::waiting_message}
                                 : reference_.phase() == "credentials" ? spec::Guards{bit::waiting_credentials}
                                 : reference_.phase() == "hand_over"   ? spec::Guards{bit::waiting_hand_over}
                                                                       : spec::Guards{};
      if (waits.bits == 0) return;
      const std::uint8_t fate = view_.fates[asked_++ % view_.fates.size()];
      reference_.learn(std::string(spec::name_of(testing::outcome_for(waits, fate))));
    }
  }
  std::string written() {
    const testing::Words words = reference_.take_words();
    std::string said;
    bool is_continued = false;  // a reply goes on in the next line
    for (auto word = words.begin(); word != words.end();) {
      const auto& [kind, text] = *word++;
      if (kind == 'S' && !is_continued) said += 'S';
      if (kind == 'S') is_continued = text[3] == '-';
      if (kind == 'X') said += 'X';
      if (kind == 'S') said += text;
      if (kind != 'F') continue;
      said += 'F' + text + '\n';
      for (; word != words.end() && word->first == 'T'; ++word) said += 'T' + word->second + '\n';
      said += "\nM";
      for (; word != words.end() && word->first == 'M'; ++word) said += word->second;
    }
    return said;
  }

  const SessionView& view_;
  testing::Reference reference_;
  std::size_t asked_ = 0;
};

}  // namespace

std::string said_by_reference(const SessionView& view) {
  return is_plain(view.body) ? ByReference(view).play() : std::string();
}

}  // namespace postern::fuzz
