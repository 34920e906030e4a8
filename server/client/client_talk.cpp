#include "server/client/client_talk.hpp"

#include <string.h>

#include <new>
#include <utility>

#include "server/loop_context.hpp"
#include "server/policies.hpp"

namespace postern::server {

using engine::Want;

void ClientTalk::begin(const Client& client) {
  engine::Service service = client.service();
  service.room = &context_.turn;
  const config::Configuration& settings = context_.snapshot->policies->settings();
  if (client.served->start.logs_decisions) context_.has_traced = true;
  talk_.emplace(service, *context_.workspace,
                engine::Patience{.silence_seconds = client.served->start.timeout_seconds,
                                 .window_seconds = settings.data_rate_seconds,
                                 .min_octets_per_second = settings.min_data_octets_per_second});
}

void ClientTalk::happen(spec::Event event, std::string_view text) {
  make_room();
  note(conversation().happen(event, engine_time(context_.loop.now()), context_.turn, text));
}

void ClientTalk::answer(engine::Ticket ticket, const engine::Answer& answer) {
  make_room();
  note(conversation().answer(ticket, answer, engine_time(context_.loop.now()), context_.turn));
}

void ClientTalk::time_passed() {
  make_room();
  if (wants() == Kind::pause || wants() == Kind::answer) resume();  // lines may have come meanwhile
  note(conversation().time_passed(engine_time(context_.loop.now()), context_.turn));
}

void ClientTalk::shut_down(engine::ShutDown how) {
  make_room();
  note(conversation().shut_down(how, engine_time(context_.loop.now()), context_.turn));
}

void ClientTalk::run_out() {
  conversation().use(workspace_ == nullptr ? *context_.workspace : *workspace_);
  note(conversation().run_out(engine_time(context_.loop.now()), context_.turn));
}

// A client that sends without end gets the next turn when the others have had theirs.
void ClientTalk::serve(ClientWork& work) {
  const auto listens = [&] { return !is_lost_ && !work.message.holds_up_client() && wants() == Kind::octets; };
  if (!listens() || stream.has_unsent() || !(is_resumed_ || stream.is_readable())) return;
  const std::span<char> input(context_.input);
  is_input_lost_ = true;  // until what is left of it is kept
  std::size_t octets = unread_tail.take_into(input);
  bool has_ended = false;
  if (!std::exchange(is_resumed_, false)) {
    const Stream::Read got = stream.read(input.subspan(octets).first(LoopContext::input_octets));
    if (got.octets != 0) heard_ = context_.loop.now();
    octets += got.octets;
    has_ended = got.has_ended;
  }
  const std::size_t consumed = feed(input.first(octets), work);
  const std::span<char> rest = input.subspan(consumed, octets - consumed);
  unread_tail.keep(rest);
  is_input_lost_ = false;
  explicit_bzero(rest.data(), rest.size());
  if (!listens()) return;
  if (has_ended) return happen(spec::Event::eof);
  work.message.append_if_full();
}

// How many octets were consumed: all, unless half a line is left, or something has to be waited for, were it only that
// the client reads what it was answered.
std::size_t ClientTalk::feed(std::span<char> unread, ClientWork& work) {
  std::size_t consumed = 0;
  while (consumed < unread.size() && !is_lost_ && !stream.has_unsent()) {
    const std::span<char> rest = unread.subspan(consumed);
    const Want want = conversation().feed(rest, context_.decoded, engine_time(context_.loop.now()), context_.turn);
    consumed += want.consumed;
    kind_ = want.kind == Kind::room ? Kind::octets : want.kind;
    if (want.kind == Kind::room) {
      flush();
      continue;
    }
    if (want.kind != Kind::answer) break;
    context_.ahead = {rest.data() + want.consumed, rest.size() - want.consumed};
    work.ask(want);
    if (wants() != Kind::octets) break;
  }
  context_.ahead = {};
  return consumed;
}

void ClientTalk::make_room() {
  if (!context_.turn.has_room()) flush();
}

// What the socket does not take is kept, and until it is sent nothing more is read. Behind the last reply the turn ends the stream.
void ClientTalk::flush() {
  const std::string_view replies = context_.turn.replies();
  std::string_view octets = replies;
  context_.turn.clear();
  if (octets.empty()) return;
  const loop::Leave leave = wants() == Kind::end ? loop::Leave::with_the_end : loop::Leave::at_once;
  if (!is_lost_ && stream.send(octets, leave)) {
    if (context_.has_traced) context_.turn.note_sent(replies);
    return;
  }
  conversation().lose(octets);
  conversation().lose(stream.take_unsent());
  is_lost_ = true;
}

// What a job or a pause still has in hand was received before; a greeting or a timeout answers nothing.
void ClientTalk::end_turn(const ClientWork& work) {
  const bool has_replied = !context_.turn.replies().empty();
  flush();
  if (has_replied && heard_ != base::Time{})
    context_.metrics.took(observe::Duration::reply, std::chrono::steady_clock::now() - heard_);
  const Kind kind = wants();
  if (kind != Kind::answer && kind != Kind::pause && !work.message.holds_up_client()) heard_ = {};
}

void ClientTalk::resume() {
  if (is_input_lost_) throw std::bad_alloc();
  is_resumed_ = true;
}

void ClientTalk::send_kept() {
  if (!stream.has_unsent()) return;
  if (!stream.send_kept()) {
    conversation().lose(stream.take_unsent());
    is_lost_ = true;
  } else if (!stream.has_unsent()) {
    conversation().begin_patience(engine_time(context_.loop.now()));
    is_resumed_ = unread_tail.size() != 0;
  }
}

void ClientTalk::end() {
  conversation().lose(context_.turn.replies());
  conversation().lose(stream.take_unsent());
  conversation().end();
  kind_ = Kind::end;
}

void ClientTalk::borrow_workspace() {
  if (talk_ && workspace_ == nullptr) talk_->use(*context_.workspace);
}

void ClientTalk::keep_workspace() {
  if (workspace_ == nullptr) workspace_ = context_.give_workspace();
}

void ClientTalk::settle_workspace() {
  if (!talk_) return;
  const bool is_at_rest = wants() == Kind::end || talk_->session().is_at_rest();
  if (is_at_rest && workspace_ != nullptr) context_.take_back(std::move(workspace_));  // which allocates nothing
  if (!is_at_rest) keep_workspace();
}

}  // namespace postern::server
