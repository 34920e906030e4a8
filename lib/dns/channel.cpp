#include "dns/channel.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

#include "dns/ares_transport.hpp"
#include "dns/message.hpp"

namespace postern::dns {

struct Query {
  Channel& channel;
  base::Time deadline;
  Type type;
  Name name;
  Zones::Zone* zone;  // null: of none
  Answer answer{};
  Request* first = nullptr;
  Request* last = nullptr;
};

namespace {

// Nobody who does not know the secret can tell the next one from those before.
std::uint16_t identifier(const base::SipHash::Key& secret, std::uint64_t token) {
  base::SipHash hash(secret);
  hash.add("identifier");
  hash.add({reinterpret_cast<const char*>(&token), sizeof token});
  return static_cast<std::uint16_t>(hash.digest()[0]);
}

Answer read_or_fail(std::span<const std::uint8_t> message, const Query& query) {
  try {
    return read_answer(message, query.type, query.name);
  } catch (const std::bad_alloc&) {
    return failed(Answer::Failure::no_memory);
  }
}

Zones::End how_ended(const Answer& answer) {
  if (answer.kind != Answer::Kind::failed) return Zones::End::answered;
  return answer.failure == Answer::Failure::no_memory ? Zones::End::neither : Zones::End::failed;
}

}  // namespace

void Request::cancel() {
  if (query_ == nullptr) return;
  (before_ == nullptr ? query_->first : before_->after_) = after_;
  (after_ == nullptr ? query_->last : after_->before_) = before_;
  --query_->channel.requests_;
  query_ = nullptr;
  before_ = after_ = nullptr;
}

std::expected<std::unique_ptr<Channel>, std::string> Channel::make(const ChannelSettings& settings) {
  base::SipHash::Key secret;
  if (::getrandom(secret.data(), sizeof secret, 0) != static_cast<ssize_t>(sizeof secret))
    return std::unexpected(std::string("cannot ask the DNS: getrandom: ") + std::strerror(errno));
  auto transport = make_ares_transport(settings.servers, settings.patience, settings.tries);
  if (!transport) return std::unexpected(transport.error());
  return std::make_unique<Channel>(settings, std::move(*transport), secret);
}

Channel::Channel(const ChannelSettings& settings, std::unique_ptr<Transport> transport,
                 const base::SipHash::Key& secret)
    : settings_(settings),
      secret_(secret),
      cache_(settings.cache, secret),
      zones_(settings.zones),
      transport_(std::move(transport)) {}

// What the transport still says while it ends goes nowhere.
Channel::~Channel() {
  transport_.reset();
  for (Queries* const queries : {&queries_, &heard_})
    for (const auto& [token, query] : *queries)
      while (query->first != nullptr) query->first->cancel();
}

const Answer* Channel::refuse(Answer::Failure why) {
  refusal_ = failed(why);
  return &refusal_;
}

const Answer* Channel::ask(const Question& question, Request& request, base::Time now) {
  request.cancel();
  const auto name = Name::of(question.name);
  if (!name) return refuse(Answer::Failure::no_name);
  if (const Answer* const known = cache_.find(question.type, *name, now)) return known;
  if (requests_ >= settings_.max_requests) return refuse(Answer::Failure::crowded);
  const Key key(question.type, *name);
  if (const auto found = by_question_.find(key); found != by_question_.end()) {
    join(*found->second, request);
    return nullptr;
  }
  if (const Answer* const objection = objection_to(question.zone, now)) return objection;
  Query& query = begin_in(key, question.zone, now);
  join(query, request);
  const QueryOctets octets(query.type, query.name, identifier(secret_, last_token_));
  transport_->send(octets.view(), last_token_, *this);
  return nullptr;
}

const Answer* Channel::objection_to(std::string_view zone, base::Time now) {
  const std::size_t places = settings_.max_in_flight - std::min(in_flight(), settings_.max_in_flight);
  if (places == 0) return refuse(Answer::Failure::crowded);
  if (zone.empty()) return nullptr;
  switch (zones_.admit(zone, places, now)) {
    case Zones::Admission::admitted: break;
    case Zones::Admission::crowded: return refuse(Answer::Failure::crowded);
    case Zones::Admission::resting: return refuse(Answer::Failure::resting);
  }
  return nullptr;
}

void Channel::join(Query& query, Request& request) {
  request.query_ = &query;
  request.before_ = query.last;
  (query.last == nullptr ? query.first : query.last->after_) = &request;
  query.last = &request;
  ++requests_;
}

Query& Channel::begin_in(const Key& key, std::string_view zone, base::Time now) {
  if (zone.empty()) return begin(key, nullptr, now);
  Zones::Zone& one = zones_.begin(zone);
  try {
    return begin(key, &one, now);
  } catch (const std::bad_alloc&) {
    zones_.end(one, Zones::End::neither, now);
    throw;
  }
}

Query& Channel::begin(const Key& key, Zones::Zone* zone, base::Time now) {
  std::unique_ptr<Query> query(new Query{
      .channel = *this, .deadline = now + settings_.patience, .type = key.first, .name = key.second, .zone = zone});
  Query& one = *query;
  const auto place = by_question_.emplace(key, &one).first;
  try {
    queries_.emplace_hint(queries_.end(), last_token_ + 1, std::move(query));
  } catch (const std::bad_alloc&) {
    by_question_.erase(place);
    throw;
  }
  ++last_token_;
  return one;
}

void Channel::heard(std::uint64_t token, std::span<const std::uint8_t> message) {
  if (Queries::node_type query = queries_.extract(token)) {
    Answer answer = read_or_fail(message, *query.mapped());
    return end(std::move(query), std::move(answer));
  }
  --abandoned_;
}

void Channel::heard_nothing(std::uint64_t token, Answer::Failure why) {
  if (Queries::node_type query = queries_.extract(token)) return end(std::move(query), failed(why));
  --abandoned_;
}

// Nothing here needs memory: the places in the maps are moved.
void Channel::end(Queries::node_type query, Answer answer) {
  Query& one = *query.mapped();
  one.answer = std::move(answer);
  by_question_.erase(Key(one.type, one.name));
  heard_.insert(std::move(query));
}

void Channel::process(base::Time now) {
  transport_->process();
  expire(now);
  report(now);
}

void Channel::expire(base::Time now) {
  while (!queries_.empty() && queries_.begin()->second->deadline <= now) {
    ++abandoned_;
    end(queries_.extract(queries_.begin()), failed(Answer::Failure::timed_out));
  }
}

// Those that end meanwhile are reported by the next call: so a request that asks again and again ends no turn of ours.
void Channel::report(base::Time now) {
  Queries heard = std::exchange(heard_, {});
  for (const auto& [token, query] : heard) {
    try {
      if (query->answer.failure != Answer::Failure::no_memory) cache_.put(query->type, query->name, query->answer, now);
    } catch (const std::bad_alloc&) {  // it is asked again, then
    }
    if (query->zone != nullptr) zones_.end(*query->zone, how_ended(query->answer), now);
    while (Request* const request = query->first) {
      request->cancel();
      try {
        request->ended(query->answer);
      } catch (const std::bad_alloc&) {  // it has ended all the same, and so do the others
      }
    }
  }
}

base::Time Channel::deadline(base::Time now) const {
  if (!heard_.empty()) return now;
  if (in_flight() == 0) return base::Time::max();
  const base::Time due = now + transport_->until_next(settings_.patience);
  return queries_.empty() ? due : std::min(due, queries_.begin()->second->deadline);
}

}  // namespace postern::dns
