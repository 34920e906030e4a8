#include "daemon/serve.hpp"

#include <poll.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <memory>
#include <new>
#include <optional>
#include <thread>

#include "config/tcpserver_env.hpp"
#include "config/variables.hpp"
#include "daemon/dns_listing.hpp"
#include "deliver/delivery.hpp"

namespace postern::daemon {
namespace {

using spec::Event;

// True when the client sent something within `seconds`.
bool speaks_within(unsigned seconds) {
  pollfd waiting{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, static_cast<int>(seconds) * 1000) > 0 && (waiting.revents & POLLIN) != 0;
}

// Inside TLS the transport may hold what the descriptor does not show any more.
bool speaks_within(const Transport& transport, unsigned seconds) {
  return transport.has_unread() || speaks_within(seconds);
}

// As in the original: what the client sends before a delayed greeting is dropped.
void discard_early_input(Transport& transport) {
  char octets[512];
  for (int piece = 0; piece < 64 && speaks_within(transport, 0); ++piece) {
    if (transport.read(octets).io != Io::done) return;
  }
}

// The delay pays for what DNS lists take.
void delay_greeting(const config::Start& start, DnsListing* listing) {
  const base::Deadline end = base::after_seconds(start.greet_delay_seconds);
  if (listing != nullptr) listing->wait(end);
  std::this_thread::sleep_until(end);
}

struct First {
  Event event;
  std::string_view text{};
};

// The event that opens the session, after the delay that the operator wants.
First open(const config::Start& start, Transport& transport, DnsListing* listing) {
  if (start.event != Event::connect_ready) return {start.event};
  if (start.drops_early_talkers && speaks_within(transport, start.greet_delay_seconds))
    return {Event::connect_early_talker};
  const bool is_delayed = !start.drops_early_talkers && start.greet_delay_seconds > 0;
  if (is_delayed) delay_greeting(start, listing);
  const ask::DnsVerdict* const verdict = listing != nullptr && start.dnsbl_at_connect ? &listing->verdict() : nullptr;
  if (is_delayed) discard_early_input(transport);
  if (verdict == nullptr) return {Event::connect_ready};
  if (start.drops_early_talkers && speaks_within(transport, 0)) return {Event::connect_early_talker};
  return verdict->is_listed ? First{Event::connect_dns_listed, verdict->words} : First{Event::connect_ready};
}

// One that was let in at its connection is not asked about again after STARTTLS.
std::unique_ptr<DnsListing> begin_listing(const Client& client, bool goes_on) {
  const config::Start& start = client.start;
  if (start.dns_lists.empty() || !ask::asks_dns_lists(start) || (goes_on && start.dnsbl_at_connect)) return nullptr;
  const config::Peer peer = config::read_peer(client.environment);
  const auto address = base::parse_address(peer.remote_ip);
  if (address && !ask::asks_dns_lists(start, *address)) return nullptr;
  return DnsListing::begin(start, peer.remote_ip, client.journal);
}

int converse(const Client& client) {
  const config::Start& start = client.start;
  const engine::Service service{.settings_and_facts = start.settings_and_facts,
                                .host = start.host,
                                .databytes = start.databytes,
                                .max_recipients = start.max_recipients,
                                .strict_addresses = start.strict_addresses,
                                .asks_at_data = config::asks_at_data(start)};
  // A refused start may have none: then no session uses it.
  const auto delivery = deliver::make_delivery(start, client.environment, deliver::Caller::waits);
  const auto message = delivery ? (*delivery)->open(client.environment) : nullptr;
  ask::Recipients recipients;
  const bool goes_on = client.opening == Opening::after_starttls;
  const auto listing = begin_listing(client, goes_on);
  PolicyLinks policy(start, client.environment, client.transport, client.journal);
  // hostname checkprogram subprogram...
  const std::span<char* const> check_program =
      start.backend == config::BackendKind::check_program ? client.arguments.subspan(1) : std::span<char* const>();
  const auto connection =
      std::make_unique<Connection>(service, goes_on ? std::optional(client.counters) : std::nullopt,
                                   Parts{client.transport, *message, recipients, check_program, client.tls, start,
                                         client.environment, client.journal, listing.get(), policy});
  if (!goes_on) {
    for (const std::string& sentence : config::misspellings_in(client.environment)) client.journal.warning(sentence);
    client.journal.start(start);
  }
  const First first = goes_on ? First{Event::handshake_done} : open(start, client.transport, listing.get());
  connection->run(first.event, first.text);
  const engine::Conversation& talk = connection->talk();
  const std::string_view how = connection->has_run_out() ? "memory" : talk.has_ended_by_quit() ? "quit" : "close";
  client.journal.end(how, observe::end_of(talk));
  if (connection->has_run_out()) return exit_exhausted;
  return talk.has_ended_by_quit() ? 0 : 1;
}

}  // namespace

std::string to_word(engine::Counters counters) {
  return "errors=" + std::to_string(counters.errors) + ",auth=" + std::to_string(counters.auth_attempts) +
         ",unknown=" + std::to_string(counters.unknown_recipients);
}

engine::Counters counters_of(std::string_view word) {
  engine::Counters counters;
  const auto number_after = [word](std::string_view name, std::uint32_t& into) {
    const std::size_t at = word.find(name);
    if (at != std::string_view::npos) std::from_chars(word.data() + at + name.size(), word.data() + word.size(), into);
  };
  number_after("errors=", counters.errors);
  number_after("auth=", counters.auth_attempts);
  number_after("unknown=", counters.unknown_recipients);
  return counters;
}

void enter_home(const base::Environment& environment, const observe::Journal& journal) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a bound of file size (ulimit -f) is a write that fails, and a 451
  std::signal(SIGCHLD, SIG_DFL);  // a parent that ignored it would take our children's exit codes away
  const std::string home(environment.value_of("POSTERN_HOME"));
  if (chdir(home.empty() ? "/var/qmail" : home.c_str()) != 0)
    journal.trouble("cannot enter the home: set POSTERN_HOME to a folder with control/ in it");
}

int serve(const Client& client) try { return converse(client); } catch (const std::bad_alloc&) {
  say_exhausted(client.journal, &client.transport);
  return exit_exhausted;
}

void say_exhausted(const observe::Journal& journal, Transport* transport) {
  journal.trouble("no memory for this client: raise the limit of the process (softlimit, ulimit -v)");
  engine::ReplyWriter words;
  if (transport != nullptr) static_cast<void>(transport->write(words.write(spec::Reply::exhausted, {}, {})));
}

}  // namespace postern::daemon
