// Questions to the DNS, each answered once within a bound: from the cache, or by the servers.
// in      a question and the Request that wants its answer; the present
// out     the answer at once when it is known, or known to be impossible; otherwise Request::ended(), once, from process()
//         and never from ask(). A request that is destroyed, or cancelled, is not called any more
// waits   no call does. The owner of the channel calls process() when descriptor() can be read, and when deadline() has
//         come: lib/dns/loop_resolver.hpp on an event loop, lib/dns/blocking_resolver.hpp for a process that may wait
// bounds  a request ends at most `patience` after it was asked, when process() is called in time; max_in_flight questions are
//         on their way, also those that nobody waits for any more; one more fails at once, and so does one of a zone that has
//         its share of them or rests (zones.hpp), and a request beyond max_requests
// once    who asks what is on its way waits for the same answer
// never   search domains, /etc/hosts, names with a dot at their end
// memory  ask() may throw std::bad_alloc: then nothing was asked. An answer without memory for it is a failure, no_memory
// lives   a Request until it has ended; the channel longer than all of them, and not destroyed by one. ended() may ask,
//         cancel and destroy requests. An answer that ask() returns is good until the next call of anything
// shared  no: one thread, one channel (c-ares 1.18 has no locks)
// errors  an Answer of the kind failed, with its Failure
// source  RFC 1034 5.3; RFC 1035 4; docs/decisions/0017-names-by-c-ares.md
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "dns/answer.hpp"
#include "dns/cache.hpp"
#include "dns/servers.hpp"
#include "dns/transport.hpp"
#include "dns/zones.hpp"

namespace postern::dns {

class Channel;
struct Query;

class Request {
 public:
  Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  virtual ~Request() { cancel(); }

  virtual void ended(const Answer& answer) = 0;

  void cancel();
  [[nodiscard]] bool is_waiting() const { return query_ != nullptr; }

 private:
  friend class Channel;
  Query* query_ = nullptr;  // it waits for
  Request* before_ = nullptr;
  Request* after_ = nullptr;  // of the same query
};

struct ChannelSettings {
  Servers servers;
  base::Interval patience = std::chrono::seconds(5);
  unsigned tries = 3;  // of each server
  std::size_t max_in_flight = 256;
  std::size_t max_requests = 1024;
  CacheSettings cache{};
  ZoneSettings zones{};
};

class Channel final : private Receiver {
 public:
  // Of c-ares; errors: a sentence.
  [[nodiscard]] static std::expected<std::unique_ptr<Channel>, std::string> make(const ChannelSettings& settings);
  Channel(const ChannelSettings& settings, std::unique_ptr<Transport> transport, const base::SipHash::Key& secret);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  // Null: the request waits now. Otherwise it has ended with this answer, and is not called.
  [[nodiscard]] const Answer* ask(const Question& question, Request& request, base::Time now);

  [[nodiscard]] int descriptor() const { return transport_->descriptor(); }  // readable: process() is wanted
  [[nodiscard]] base::Time deadline(base::Time now) const;                   // Time::max(): none
  void process(base::Time now);

  [[nodiscard]] std::size_t in_flight() const { return queries_.size() + heard_.size() + abandoned_; }
  [[nodiscard]] std::size_t requests() const { return requests_; }
  [[nodiscard]] const Cache& cache() const { return cache_; }

 private:
  friend class Request;
  using Key = std::pair<Type, Name>;
  using Queries = std::map<std::uint64_t, std::unique_ptr<Query>>;  // by token, and so by deadline

  void heard(std::uint64_t token, std::span<const std::uint8_t> message) override;
  void heard_nothing(std::uint64_t token, Answer::Failure why) override;
  [[nodiscard]] const Answer* refuse(Answer::Failure why);
  [[nodiscard]] const Answer* objection_to(std::string_view zone, base::Time now);
  [[nodiscard]] Query& begin_in(const Key& key, std::string_view zone, base::Time now);
  [[nodiscard]] Query& begin(const Key& key, Zones::Zone* zone, base::Time now);
  void join(Query& query, Request& request);
  void end(Queries::node_type query, Answer answer);
  void expire(base::Time now);
  void report(base::Time now);

  ChannelSettings settings_;
  base::SipHash::Key secret_;
  Cache cache_;
  Queries queries_;
  Queries heard_;  // they have an answer, which process() reports
  std::map<Key, Query*> by_question_;
  std::uint64_t last_token_ = 0;
  std::size_t abandoned_ = 0;  // the transport has them still, and nobody waits
  std::size_t requests_ = 0;
  Zones zones_;
  Answer refusal_;
  std::unique_ptr<Transport> transport_;
};

}  // namespace postern::dns
