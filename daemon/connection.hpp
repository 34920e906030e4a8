// One client of the tcpserver shell: reads, feeds the conversation, writes, and performs what it asks, in calls that wait.
// in      what the session is served with, and the parts that perform effects; all outlive the connection
// out     run() returns when the session has ended; talk() and has_run_out() say how
// writes  replies are gathered and leave in one write, just before the connection would wait
// limits  input_octets of unread input, output_octets of replies; nothing grows
// errors  lines of the log, one each; a client never sees more than a reply of the spec. Lack of memory is
//         the outcome `unknowable`, `broken`, `no_room` or `deferred` of the work that needed it, or `exhausted`
// source  engine/conversation.hpp; RFC 5321 4.5.3.2; RFC 2920 3.2; RFC 3207 4.2
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "ask/inquiry.hpp"
#include "base/environment.hpp"
#include "config/start.hpp"
#include "daemon/dns_listing.hpp"
#include "daemon/domain_listing.hpp"
#include "daemon/policy_links.hpp"
#include "daemon/transport.hpp"
#include "deliver/buffered_message.hpp"
#include "deliver/message_id.hpp"
#include "deliver/outgoing_message.hpp"
#include "deliver/received.hpp"
#include "engine/conversation.hpp"
#include "observe/journal.hpp"

namespace postern::daemon {

// How a cleartext connection becomes an encrypted one. Returns only when it could not.
class TlsStarter {
 public:
  virtual ~TlsStarter() = default;
  virtual void start_tls(engine::Counters counters) = 0;
};

struct Parts {
  Transport& transport;
  deliver::OutgoingMessage& message;
  ask::Recipients& recipients;
  std::span<char* const> check_program;  // and a null pointer, or empty
  TlsStarter& tls;
  const config::Start& start;
  base::Environment& environment;
  const observe::Journal& journal;
  DnsListing* dns_listing;  // null: nobody asks
  PolicyLinks& policy;
};

class Connection final : private engine::Output, private engine::Room {
 public:
  // counters   of a session that began in clear, in another process
  Connection(const engine::Service& service, std::optional<engine::Counters> counters, Parts parts);

  // `first` is the event that opens the session: connect_* or handshake_*; `text` is of its reply.
  void run(spec::Event first, std::string_view text = {});
  [[nodiscard]] const engine::Conversation& talk() const { return talk_; }
  // Memory ran out, and the session ended.
  [[nodiscard]] bool has_run_out() const { return has_run_out_; }

 private:
  void note(const engine::Note& note) override;
  [[nodiscard]] std::span<char> room_for_mail_data(std::size_t octets, std::span<char> scratch) override;
  void keep(std::string_view mail_data) override;
  void drop() override { message_.abandon(); }
  [[nodiscard]] bool reserve() override;

  // Does what the conversation wants; what it wants next.
  [[nodiscard]] engine::Want satisfy(const engine::Want& want);
  [[nodiscard]] engine::Want feed();
  [[nodiscard]] engine::Want read_and_feed();
  [[nodiscard]] engine::Want answer(const engine::Want& want);
  [[nodiscard]] engine::Want tell(engine::Ticket ticket, const engine::Answer& answer);
  [[nodiscard]] engine::Want happen(spec::Event event, std::string_view text = {});
  [[nodiscard]] engine::Want begin_tls();
  void run_out_of_memory();
  void flush();
  [[nodiscard]] bool send_replies();  // whether all that are ready could be sent
  void make_room();
  [[nodiscard]] engine::Want ask(const engine::Want& want);
  [[nodiscard]] engine::Answer ask_policy_services(const engine::Want& want, const engine::Answer& found);
  void take_credentials(const ask::CheckResult& result, std::string_view pairs);
  [[nodiscard]] std::optional<deliver::Outcome> finish_message();
  [[nodiscard]] deliver::TraceFacts trace_facts() const;
  [[nodiscard]] const engine::Session& session() const { return talk_.session(); }

  static constexpr std::size_t input_octets = std::size_t{32} * 1024;
  static constexpr std::size_t output_octets = std::size_t{8} * 1024;
  static_assert(input_octets >= spec::max_auth_line_octets);

  Parts parts_;
  engine::LoneConversation talk_;
  bool has_run_out_ = false;
  DomainListing domain_listing_;
  deliver::BufferedMessage message_;
  deliver::MessageIds ids_;
  deliver::MessageId id_;  // of the message that was begun last
  struct {
    std::size_t begin = 0, end = 0;
  } unread_;                    // in input_
  observe::RefusedBy said_by_;  // who refuses the recipient that is about to be answered, for the log
  // Made while there is memory, for when there is none.
  const deliver::Outcome no_memory_{deliver::Outcome::Result::deferred,
                                    std::string(spec::text_of(spec::HandOverText::cannot_store)), "no memory"};
  std::array<char, output_octets> output_;
  std::array<char, input_octets> input_;
  std::array<char, input_octets + 2> decoded_;
};

}  // namespace postern::daemon
