// What all sessions of one loop share: the loop, its buffers, and the parts that perform effects.
// lives   as long as its loop runs; used on its thread alone, except where noted
// memory  the buffers are there once a loop, not once a session: a session at rest has none
// files   none is read here: what they say is a snapshot, and a class that it does not have is judged by a ClassJob
// errors  none
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ask/open_question.hpp"
#include "ask/recipients.hpp"
#include "config/client_rules.hpp"
#include "deliver/message_id.hpp"
#include "dns/loop_resolver.hpp"
#include "engine/session.hpp"
#include "limits/client_table.hpp"
#include "limits/greylist.hpp"
#include "limits/guess_table.hpp"
#include "loop/loop.hpp"
#include "loop/memory_probe.hpp"
#include "loop/workers.hpp"
#include "observe/dns_list_counts.hpp"
#include "observe/journal.hpp"
#include "observe/metrics.hpp"
#include "server/capacity.hpp"
#include "server/client/turn.hpp"
#include "server/policy_pools.hpp"
#include "server/recipient_probes.hpp"
#include "server/shadow/shadow_sessions.hpp"
#include "server/snapshot.hpp"

namespace postern::server {

class Connection;

// Why a connection may be refused before there is a session, as metrics name it: by the event, and where that is before TLS
// and so without a reply (SSL=1 in its settings), by the rule connect.before_tls.
[[nodiscard]] std::vector<std::string> refusal_names();
[[nodiscard]] std::size_t refusal_of(spec::Event event, spec::Guards settings);

// One line of the log for a gate that shuts or opens.
void tell(const observe::Journal& journal, const limits::GateChange& change);

struct LoopContext {
  static constexpr std::size_t input_octets = std::size_t{64} * 1024;
  static constexpr std::size_t output_octets = std::size_t{8} * 1024;
  static constexpr std::size_t max_spare_workspaces = 64;

  loop::Loop& loop;
  observe::Shard& metrics;
  limits::ClientTable& clients;                  // of all loops
  limits::GuessTable& guesses;                   // of all loops
  limits::Greylist& greylist;                    // of all loops
  Userdbs& userdbs;                              // of all loops
  MessageSlots& slots;                           // of all loops
  std::atomic<std::uint32_t>& open_connections;  // of all loops
  std::uint32_t most_connections;
  loop::Workers& checkers;  // of all loops: who judges passwords, and recipients by folders
  loop::Workers& judges;    // of all loops: who judges classes of clients
  observe::LogVoice voice;
  unsigned index;  // of the loop, for names of sessions
  const std::expected<dns::Servers, std::string>& dns_servers;
  observe::DnsListCounts& dns_counts;  // of all loops
  ask::QuestionBook& questions;        // of all loops

  std::shared_ptr<const Snapshot> snapshot{};  // changed between two turns
  std::vector<ClassTable> judged_later{};      // by listener: what the snapshot does not have, or has as refused
  ShadowSessions shadow{};
  bool has_traced = false;         // a session here logs its decisions, or has
  base::Time next_name_trouble{};  // before that, failed look-ups of names of clients are no more lines of the log
  std::unique_ptr<dns::LoopResolver> resolver{};  // of DNS lists: made with the first client that they are asked about
  bool has_no_resolver = false;                   // it could not be made
  std::unique_ptr<PolicyPools>
      policy_pools{};  // made with the first client whose recipients a policy service is asked about
  std::unique_ptr<RecipientProbes>
      recipient_probes{};                           // made with the first recipient that a mail cluster is asked about
  std::unique_ptr<UserdbLookups> userdb_lookups{};  // made with the first recipient that Dovecot is asked about
  std::unique_ptr<ask::Recipients> recipients{new ask::Recipients};
  std::string rule_key{};                     // room for find_rule()
  std::vector<std::string> listener_names{};  // by listener: where it listens
  bool is_shutting_down = false;
  bool must_end = false;  // and there is no more patience with what is in hand, except a job
  std::uint64_t sessions_begun = 0;
  deliver::MessageIds message_ids{};
  loop::MemoryProbe memory{};
  std::vector<std::unique_ptr<Connection>> connections{};
  base::Descriptor spare_descriptor{};  // closed for a moment, to send a client 421 when there is none left

  std::unique_ptr<engine::Workspace> workspace{new engine::Workspace};  // of the session that is at rest
  std::vector<std::unique_ptr<engine::Workspace>> spare{};
  base::AddressText client_text{};
  std::array<char, 32> session_text{};
  observe::RefusedBy said_by{};  // who refuses the recipient that is about to be answered, for the log
  std::string_view ahead{};      // what the session whose turn it is has been sent after what it obeys
  std::array<char, output_octets> output;
  std::array<char, 2 * input_octets> input;  // what was left of one read, and the next read
  std::array<char, 2 * input_octets + 2> decoded;
  Turn turn{output};

  // Allocates only the first time.
  void use(std::shared_ptr<const Snapshot> next);
  // Its value lives as long as the snapshot.
  [[nodiscard]] config::ClientRule find_rule(std::size_t listener, const base::Address& address);
  // Null: to be judged, and then kept. The listener's own class, whose value is empty, is always there.
  [[nodiscard]] std::shared_ptr<const ServiceProfile> find_class(std::size_t listener, std::string_view value) const;
  // Any client of it, before the first octet: for who does not know the client's class.
  [[nodiscard]] bool may_expect_tls(std::size_t listener) const;
  void keep_class(const Snapshot& judged_by, std::size_t listener, const std::string& value,
                  std::shared_ptr<const ServiceProfile> served);
  // Null: there is none, and a line of the log says so once.
  [[nodiscard]] dns::LoopResolver* find_resolver();
  [[nodiscard]] PolicyPools& find_policy_pools() {
    if (policy_pools == nullptr) policy_pools = std::make_unique<PolicyPools>(loop);
    return *policy_pools;
  }
  [[nodiscard]] RecipientProbes& find_recipient_probes() {
    if (recipient_probes == nullptr) recipient_probes = std::make_unique<RecipientProbes>(loop);
    return *recipient_probes;
  }
  [[nodiscard]] UserdbLookups& find_userdb_lookups() {
    if (userdb_lookups == nullptr) userdb_lookups = std::make_unique<UserdbLookups>(loop);
    return *userdb_lookups;
  }
  // Its views live until the next call.
  [[nodiscard]] observe::Journal journal_of(const base::Endpoint& client, std::uint64_t session,
                                            std::string_view listener = {});

  // The reply to a client that never gets a session: empty where the table says nothing. Lives until the workspace is used;
  // allocates nothing.
  [[nodiscard]] std::string_view refuse(const observe::Journal& journal, const engine::Service& service,
                                        spec::Event event);

  // Whether more is to be done with a decision than to count it.
  [[nodiscard]] bool is_watched() const { return has_traced || shadow.is_on(); }

  [[nodiscard]] bool has_memory() { return memory.is_there(loop.now()); }

  [[nodiscard]] observe::Journal own_journal() const { return observe::Journal("none", {}, voice); }

  // A workspace of its own for a session that is busy; another takes its place here.
  [[nodiscard]] std::unique_ptr<engine::Workspace> give_workspace();
  void take_back(std::unique_ptr<engine::Workspace> unused);

  Connection& add(std::unique_ptr<Connection> connection);
  // It lives until the end of the turn.
  void remove(std::uint32_t place);
};

}  // namespace postern::server
