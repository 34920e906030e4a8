#include "cli/ask_lists.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <tuple>
#include <utility>

#include "ask/client_listing.hpp"
#include "dns/blocking_resolver.hpp"
#include "dns/confirmed_name.hpp"
#include "spec/limits.hpp"

namespace postern::cli {
namespace {

using ask::Outcome;
using ask::RcptHosts;
using ask::ValidRecipients;

// `127.0.0.2, which counts 3`
std::string in_words(const ask::DnsInquiry& asked, const ask::ClientListing& listing, std::size_t entry,
                     const dns::Answer& heard) {
  const ask::DnsAnswer answer = ask::answer_of(heard);
  if (heard.kind == dns::Answer::Kind::none) return "not listed";
  std::string text;
  for (const base::Address& each : heard.addresses) text.append(text.empty() ? "" : ", ").append(write(each).view());
  switch (listing.outcome_of(entry, answer)) {
    case Outcome::failed: return "no answer: " + ask::why_unanswered(answer);
    case Outcome::listed: break;
    default: return "not listed: " + text + " is no listing here";
  }
  std::vector<ask::DnsAnswer> alone(asked.lists.size());
  alone[entry] = answer;
  return "listed: " + text + ", which counts " + std::to_string(ask::judge(asked.lists, alone, 0, asked.subject).score);
}

class ListQuestion final : public dns::Request {
 public:
  ListQuestion(ask::OpenQuestion asked, std::function<void(ListQuestion&, const dns::Answer&)> hear)
      : asked_(std::move(asked)), hear_(std::move(hear)) {}
  void ended(const dns::Answer& answer) override { hear_(*this, answer); }
  void end(Outcome outcome, const std::string& words) { asked_.end(outcome, words); }

 private:
  ask::OpenQuestion asked_;
  std::function<void(ListQuestion&, const dns::Answer&)> hear_;
};

struct AskedName final : dns::ConfirmedName {
  explicit AskedName(dns::Resolver& resolver) : dns::ConfirmedName(resolver) {}
  void ended(const Outcome& heard) override { outcome = heard; }
  Outcome outcome;
};

}  // namespace

AskedQuestion told_of(const ask::DnsVerdict& verdict, std::uint64_t threshold) {
  return {.source = "dns_lists",
          .name = {},
          .outcome = verdict.is_listed ? "listed" : "unlisted",
          .answer = "score " + std::to_string(verdict.score) + ", threshold " + std::to_string(threshold) +
                    (verdict.is_listed ? ": the client is listed" : ": the client is not listed"),
          .took = {}};
}

namespace {

template <typename Ask>
void look(const TellQuestion& tell, std::string source, Ask ask) {
  AskedQuestion told{.source = std::move(source), .name = {}, .outcome = {}, .answer = {}, .took = {}};
  const base::Time begin = std::chrono::steady_clock::now();
  std::tie(told.outcome, told.answer) = ask();
  told.took = std::chrono::steady_clock::now() - begin;
  if (told.answer.empty()) told.answer = told.outcome;
  tell(std::move(told));
}

using Said = std::pair<std::string, std::string>;  // the outcome, and words where those are others

Said said_by(const ask::AddressList& list, std::string_view address) {
  switch (list.listing_of(address)) {
    case ask::AddressList::Listing::unlisted: return {"unlisted", "not listed"};
    case ask::AddressList::Listing::listed: return {"listed", {}};
    case ask::AddressList::Listing::unknowable: break;
  }
  return {"failed", list.problem()};
}

Said said_by(const RcptHosts& hosts, std::string_view address) {
  std::string problem;
  switch (hosts.standing_of(address, problem)) {
    case RcptHosts::Standing::ours: return {"ours", "the domain is ours"};
    case RcptHosts::Standing::foreign: return {"foreign", "the domain is not ours"};
    case RcptHosts::Standing::unknowable: break;
  }
  return {"failed", problem};
}

Said said_by_valid_recipients(const ask::RecipientLists& lists, const std::string& path, std::string_view address) {
  if (path.empty() && lists.usual_valid_recipients().is_absent()) return {"valid", "there is no list: all are valid"};
  std::string problem;
  switch (lists.standing_in(path, address, problem)) {
    case ValidRecipients::Standing::valid: return {"valid", {}};
    case ValidRecipients::Standing::unknown: return {"unknown", "no such recipient"};
    case ValidRecipients::Standing::unknowable: break;
  }
  return {"failed", problem};
}

}  // namespace

std::string ask_client_name(const base::Address& client, const std::expected<dns::Servers, std::string>& servers,
                            const TellQuestion& tell) {
  using Kind = dns::ConfirmedName::Outcome::Kind;
  auto resolver = servers ? dns::BlockingResolver::make({.servers = *servers}) : std::unexpected(servers.error());
  std::string name;
  look(tell, "client_name", [&]() -> Said {
    if (!resolver) return {"failed", resolver.error()};
    AskedName asked(*resolver);
    if (const auto* const known = asked.begin(client)) asked.outcome = *known;
    resolver->wait(base::after_seconds(2 * spec::max_dns_seconds + 1));
    name = asked.outcome.name;
    switch (asked.outcome.kind) {
      case Kind::confirmed: return {"confirmed", name};
      case Kind::none: return {"none", "no name that its addresses confirm"};
      case Kind::failed: break;
    }
    return {"failed", "the DNS does not say: " + std::string(describe(asked.outcome.failure))};
  });
  return name;
}

std::optional<ask::DnsVerdict> ask_dns_lists(const ask::DnsInquiry& asked, std::uint64_t threshold,
                                             const std::expected<dns::Servers, std::string>& servers,
                                             ask::QuestionBook& book, const TellQuestion& tell) {
  auto resolver = servers ? dns::BlockingResolver::make({.servers = *servers}) : std::unexpected(servers.error());
  if (!resolver) {
    tell({.source = "dns_lists", .name = {}, .outcome = "failed", .answer = resolver.error(), .took = {}});
    return std::nullopt;
  }
  ask::ClientListing listing(asked.lists, threshold, asked.subject);
  std::deque<ListQuestion> questions;
  for (std::size_t i = 0; i < listing.entries(); ++i) {
    const auto name = listing.name_of(i);
    if (!name) continue;
    ListQuestion& question = questions.emplace_back(
        ask::OpenQuestion(&book, ask::Source::dns_list, asked.lists[i].name),
        [&, i](ListQuestion& its_question, const dns::Answer& heard) {
          its_question.end(listing.outcome_of(i, ask::answer_of(heard)), in_words(asked, listing, i, heard));
          listing.take(i, heard);
        });
    const dns::Question wanted{.type = dns::Type::a, .name = *name, .zone = asked.lists[i].zone};
    if (const dns::Answer* const known = resolver->ask(wanted, question)) question.ended(*known);
  }
  resolver->wait(base::after_seconds(spec::max_dns_seconds + 1));
  listing.close();
  return *listing.verdict();
}

// In the order of ask/recipients.cpp, which has the verdict. Those of recipients of ours alone are not asked of others.
void ask_lists(const ask::RecipientLists& lists, const engine::Session& session, const config::Start& start,
               const TellQuestion& tell) {
  const std::string_view recipient = session.mailbox();
  const bool may_relay = session.guards().has(spec::bit::relay_client | spec::bit::authentication_done);
  look(tell, "badmailfrom", [&] { return said_by(*lists.badmailfrom, session.envelope().reverse_path()); });
  look(tell, "rcpthosts", [&] { return said_by(*lists.rcpthosts, recipient); });
  look(tell, "badrcptto", [&] { return said_by(*lists.badrcptto, recipient); });
  std::string problem;
  const bool is_ours = lists.rcpthosts->standing_of(recipient, problem) == RcptHosts::Standing::ours;
  if (is_ours && !may_relay)
    look(tell, "validrcptto", [&] { return said_by_valid_recipients(lists, start.valid_recipients, recipient); });
}

}  // namespace postern::cli
