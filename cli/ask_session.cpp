#include "cli/ask_session.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <span>
#include <utility>
#include <variant>

#include "ask/auth_environment.hpp"
#include "ask/client_listing.hpp"
#include "ask/greylist.hpp"
#include "ask/inquiry.hpp"
#include "ask/policy_inquiry.hpp"
#include "ask/recipient_probe.hpp"
#include "ask/userdb.hpp"
#include "audit/text.hpp"
#include "base/blocking_client.hpp"
#include "cli/ask_lists.hpp"
#include "config/tcpserver_env.hpp"
#include "deliver/delivery.hpp"
#include "deliver/lmtp/probe.hpp"
#include "engine/conversation.hpp"

namespace postern::cli {
namespace {

using engine::Want;
using spec::Event;
namespace bit = spec::bit;

constexpr std::size_t room_octets = 8192;

std::string answer_in_words(ask::Source source, const ask::Ended& how) {
  if (!how.said.empty()) return std::string(how.said);
  if (source == ask::Source::mailbox)
    return how.outcome == ask::Outcome::accepted ? "it has a folder" : "it has no folder";
  return std::string(name_of(how.outcome));
}

// What is asked, in the order in which it is.
class Book final : public ask::QuestionBook {
 public:
  [[nodiscard]] ask::QuestionRecord* begin(ask::Source source, std::string_view name) noexcept override {
    Line& line = lines_.emplace_back();
    line.source = source;
    line.told = {.source = std::string(name_of(source)), .name = std::string(name)};
    return &line;
  }
  void remembered(ask::Source, std::string_view) noexcept override {}
  void add(AskedQuestion question) { lines_.emplace_back().told = std::move(question); }

  [[nodiscard]] bool has(std::string_view source, std::string_view name) const {
    return std::ranges::any_of(lines_,
                               [&](const Line& line) { return line.told.source == source && line.told.name == name; });
  }
  [[nodiscard]] std::vector<AskedQuestion> questions() const {
    std::vector<AskedQuestion> all;
    for (const Line& line : lines_) all.push_back(line.told);
    return all;
  }

 private:
  struct Line final : ask::QuestionRecord {
    void ended(const ask::Ended& how) noexcept override {
      told.outcome = name_of(how.outcome);
      told.answer = answer_in_words(source, how);
      told.took = how.took;
    }
    ask::Source source{};
    AskedQuestion told;
  };
  std::deque<Line> lines_;  // they do not move
};

// A connection for one question.
ask::PolicyAnswer ask_service(const base::SocketAddress& service, std::string_view request, base::Deadline end) {
  using Kind = base::StreamFailure::Kind;
  const auto seconds = static_cast<unsigned>((base::milliseconds_until(end) + 999) / 1000);
  if (seconds == 0) return {.trouble = ask::policy_trouble({.kind = Kind::timed_out})};
  const auto socket = base::connect_stream(service, std::min(seconds, spec::max_policy_connect_seconds));
  if (!socket) return {.trouble = ask::policy_trouble({.kind = Kind::unreachable, .error = socket.error()})};
  ask::PolicyConversation conversation(std::chrono::seconds{spec::max_policy_seconds});
  conversation.begin(request, std::chrono::steady_clock::now());
  base::carry(conversation, *socket, end, service.text);
  return conversation.take_answer();
}

class Session final : private engine::Output, private ask::Facts {
 public:
  Session(const MetClient& client, const SaidByClient& said)
      : Output(room_),
        client_(client),
        said_(said),
        environment_(client.served->pointers.data()),
        talk_(client.served->service(), engine::Patience{}) {
    const base::AddressText remote = write(client.address), local = write(client.settings().at.address);
    config::write_peer(environment_, {.remote_ip = remote.view(),
                                      .remote_port = "0",
                                      .local_ip = local.view(),
                                      .local_port = std::to_string(client.settings().at.port)});
    recipients_.use(client.snapshot->lists);
  }

  [[nodiscard]] AskedSession run() {
    if (client_.first == Event::connect_ready) look_up_name();
    if (client_.has_dns_lists) dns_.listing = ask_lists_about({start().dns_lists, client_.address});
    if (dns_.listing) book_.add(told_of(*dns_.listing, start().dnsbl_threshold));
    converse();
    tell_unasked();
    return {.questions = book_.questions(), .verdict = verdict_};
  }

 private:
  // ---- what a conversation is lent, and what its questions are answered by

  void note(const engine::Note& note) override {
    const std::string_view said_by = std::exchange(said_by_, {});
    if (note.step.code == 0 && note.step.effect != spec::Effect::close) return;
    verdict_.rule = note.step.rule;
    verdict_.code = note.step.code;
    verdict_.reply = note.step.reply.substr(0, note.step.reply.find('\r'));
    verdict_.said_by = note.step.code >= 400 ? said_by : std::string_view();
  }
  void keep(std::string_view) override {}
  void drop() override {}

  [[nodiscard]] const engine::Session& session() const override { return talk_.session(); }
  [[nodiscard]] const config::Start& start() const override { return client_.served->start; }
  [[nodiscard]] const base::Environment& environment() override { return environment_; }
  [[nodiscard]] std::span<char* const> check_program() override { return {}; }  // no password is asked about
  [[nodiscard]] std::string local_ip() override { return std::string(write(client_.settings().at.address).view()); }
  [[nodiscard]] std::string_view relay_value() override { return client_.served->relay_value; }
  [[nodiscard]] ask::DnsStanding dns_standing(ask::Waits waits) override {
    const ask::DnsVerdict* const of_client = dns_.listing ? &*dns_.listing : nullptr;
    if (waits == ask::Waits::no || !client_.has_domain_lists) return {.verdict = of_client};
    std::vector<ask::DnsVerdict> heard;
    for (const ask::DnsInquiry& each : ask::domain_inquiries(start(), session()))
      if (auto verdict = ask_lists_about(each)) heard.push_back(*std::move(verdict));
    if (heard.empty()) return {.verdict = of_client};
    std::vector<const ask::DnsVerdict*> verdicts;
    if (of_client != nullptr) verdicts.push_back(of_client);
    for (const ask::DnsVerdict& each : heard) verdicts.push_back(&each);
    dns_.sum = ask::add_up(verdicts, start().dnsbl_threshold);
    book_.add(told_of(*dns_.sum, start().dnsbl_threshold));
    return {.verdict = &*dns_.sum};
  }
  [[nodiscard]] ask::QuestionBook* question_book() override { return &book_; }

  // ---- what the client says

  void converse() {
    const bool is_listed =
        start().dnsbl_at_connect && client_.first == Event::connect_ready && dns_.listing && dns_.listing->is_listed;
    const Event first = is_listed ? Event::connect_dns_listed : client_.first;
    settle(talk_.happen(first, now_, *this, is_listed ? dns_.listing->words : client_.text));
    if (verdict_.code != 220 || !say("EHLO " + said_.helo)) return;
    if (said_.begins_tls && session().guards().has(bit::channel_clear))
      if (!say("STARTTLS") || !say("EHLO " + said_.helo)) return;
    if (!said_.user.empty() && !log_in()) return;
    if (!say("MAIL FROM:<" + said_.sender + ">")) return;
    verdict_.is_about_recipient = true;
    static_cast<void>(say("RCPT TO:<" + said_.recipient + ">"));
  }

  bool log_in() {
    using namespace std::string_literals;
    if (!say("AUTH PLAIN " + audit::base64("\0"s + said_.user + "\0x"s))) return false;
    ask::enter_auth_environment(environment_, said_.user, {});
    return true;
  }

  // Whether the conversation goes on.
  bool say(const std::string& line) {
    verdict_.line = line.starts_with("AUTH ") ? "AUTH" : line;
    std::string octets = line + "\r\n";
    std::string scratch(octets.size() + 2, '\0');
    std::span<char> unread(octets);
    Want want = talk_.feed(unread, scratch, now_, *this);
    for (; want.kind == Want::Kind::room; want = talk_.feed(unread, scratch, now_, *this)) {
      clear();
      unread = unread.subspan(want.consumed);
    }
    settle(want);
    return verdict_.code < 400 && talk_.want().kind != Want::Kind::end;
  }

  // Until the client has to speak.
  void settle(Want want) {
    for (;;) {
      clear();
      switch (want.kind) {
        case Want::Kind::answer: want = talk_.answer(want.ticket, answer(want.question), now_, *this); break;
        case Want::Kind::tls: want = talk_.happen(Event::handshake_done, now_, *this); break;
        case Want::Kind::pause:
          now_ = talk_.deadline();
          want = talk_.time_passed(now_, *this);
          break;
        case Want::Kind::opening:
        case Want::Kind::octets:
        case Want::Kind::room:
        case Want::Kind::end: return;
      }
    }
  }

  // ---- the questions

  TellQuestion teller() {
    return [this](AskedQuestion told) { book_.add(std::move(told)); };
  }

  std::optional<ask::DnsVerdict> ask_lists_about(const ask::DnsInquiry& asked) {
    return ask_dns_lists(asked, start().dnsbl_threshold, client_.dns_servers, book_, teller());
  }

  engine::Answer answer(engine::Question question) {
    if (question == engine::Question::credentials) {
      book_.add({.source = "credentials", .name = said_.user, .outcome = "not_asked", .answer = "taken as logged in"});
      return {Event::credentials_accepted};
    }
    if (question != engine::Question::recipient) return engine::nobody_answers(question);
    ask_lists(*client_.snapshot->lists, session(), start(), teller());
    inquiry_.asked = ask::ask(question, *this, recipients_);
    auto* const inquiry = std::get_if<std::unique_ptr<ask::Inquiry>>(&inquiry_.asked);
    if (inquiry != nullptr) (*inquiry)->run();
    ask::Finding finding = inquiry != nullptr ? (*inquiry)->finding() : std::get<ask::Finding>(inquiry_.asked);
    for (auto probe = ask::next_probe(finding, start(), session()); probe;
         probe = ask::next_probe(finding, start(), session(), probe))
      finding = ask_probe(*probe, finding.answer.text);
    said_by_ = finding.said_by;
    tell_of_greylist(finding);
    if (!ask::asks_policy_services(finding, start(), session())) return finding.answer;
    return ask_policy_services(finding.answer);
  }

  void look_up_name() {
    if (!server::looks_up_name(client_.snapshot->policies->settings(), client_.address)) return;
    dns_.name = ask_client_name(client_.address, client_.dns_servers, teller());
    if (!dns_.name.empty()) environment_.set("TCPREMOTEHOST", dns_.name);
  }

  // It is in the memory of the server.
  void tell_of_greylist(const ask::Finding& finding) {
    const ask::DnsVerdict* const verdict = dns_.listing ? &*dns_.listing : nullptr;
    if (ask::asks_greylist(finding, start(), session()) && ask::may_be_greylisted(client_.address, verdict) &&
        !server::is_exempt(client_.snapshot->policies->settings(), client_.address))
      book_.add({.source = "greylist",
                 .name = {},
                 .outcome = "not_asked",
                 .answer = "not asked: the server remembers whom it knows; others get 451 the first time"});
  }

  ask::Finding ask_probe(ask::Source source, std::string_view recipient) {
    ask::OpenQuestion asked(&book_, source, ask::address_of_probe(source, start()));
    const limits::RecipientStanding said = source == ask::Source::userdb
                                               ? ask::ask_userdb_by_waiting(*start().userdb, recipient)
                                               : ask_mail_cluster(recipient);
    asked.end(ask::outcome_of(said), said.words.empty() ? said.trouble : said.words);
    return ask::probe_finding(source, said.event, recipient, start(), session());
  }

  limits::RecipientStanding ask_mail_cluster(std::string_view recipient) {
    const auto way_out = deliver::make_delivery(start(), environment_, deliver::Caller::threads);
    if (!way_out) return {.trouble = way_out.error()};
    return deliver::probe_by_waiting(*(*way_out)->cluster(), recipient);
  }

  engine::Answer ask_policy_services(const engine::Answer& found) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const bool is_clear = session().guards().has(bit::channel_clear);
    inquiry_.policy.emplace(
        start(), session(), found,
        ask::PolicyClient{.address = std::string(write(client_.address).view()),
                          .port = "0",
                          .host = dns_.name,
                          .has_confirmed_host = true,
                          .server_address = local_ip(),
                          .server_port = std::to_string(client_.settings().at.port),
                          .tls_version = is_clear ? "" : "TLSv1.3",
                          .tls_cipher = {},
                          .session = ask::policy_session_name(static_cast<std::uint64_t>(now.count())),
                          .user = said_.user},
        inquiry_.memory);
    const base::Deadline end = base::after_seconds(spec::max_policy_seconds);
    while (const config::PolicyService* const service = inquiry_.policy->next()) {
      ask::OpenQuestion asked(&book_, ask::Source::policy_service, service->text);
      const base::Deadline share =
          base::end_of_share(std::chrono::steady_clock::now(), end, inquiry_.policy->still_to_ask());
      ask::PolicyAnswer heard = ask_service(service->address, inquiry_.policy->request(), share);
      asked.end(outcome_of(heard), heard.trouble.empty() ? heard.action : heard.trouble);
      inquiry_.policy->hear(std::move(heard));
    }
    said_by_ = inquiry_.policy->said_by();
    return inquiry_.policy->answer();
  }

  // What this class has, and nobody asked.
  void tell_unasked() {
    const bool may_relay = session().guards().has(bit::relay_client | bit::authentication_done);
    const std::string why = may_relay ? "not asked: this client may relay" : "not asked: an answer before it decides";
    const auto tell = [&](ask::Source source, std::string_view name, const std::string& words) {
      if (!book_.has(name_of(source), name))
        book_.add({.source = std::string(name_of(source)),
                   .name = std::string(name),
                   .outcome = "not_asked",
                   .answer = words});
    };
    if (!client_.has_dns_lists)
      for (const config::DnsList& list : start().dns_lists)
        tell(ask::Source::dns_list, list.name,
             "not asked about this client: its address, exempt, RELAYCLIENT or REQUIRE_AUTH");
    for (const auto* const lists : {&start().sender_lists, &start().helo_lists})
      for (const config::DnsList& list : *lists)
        tell(ask::Source::dns_list, list.name,
             client_.has_domain_lists ? why : "not asked about what this client names");
    if (start().refuses_without_mailbox) tell(ask::Source::mailbox, {}, why);
    if (!start().recipient_program.empty()) tell(ask::Source::recipient_program, {}, why);
    if (start().userdb) tell(ask::Source::userdb, start().userdb->text, why);
    if (start().asks_mail_cluster) tell(ask::Source::mail_cluster, start().hand_over_path, why);
    for (const config::PolicyService& service : start().policy_services)
      tell(ask::Source::policy_service, service.text,
           service.stage == config::PolicyStage::data ? "not asked: it judges each message, at DATA" : why);
    for (const config::FilterPlace& filter : start().filters)
      book_.add({.source = "filter",
                 .name = filter.text,
                 .outcome = "not_asked",
                 .answer = "not asked: it judges the whole message, at its end"});
  }

  const MetClient& client_;
  const SaidByClient& said_;
  std::array<char, room_octets> room_;
  base::Environment environment_;
  engine::LoneConversation talk_;
  engine::Time now_{};
  ask::Recipients recipients_;
  Book book_;
  struct {
    std::string name;  // confirmed
    std::optional<ask::DnsVerdict> listing;
    std::optional<ask::DnsVerdict> sum;  // with the domains that it names
  } dns_;                                // what it says of the client
  struct {
    ask::Asked asked;
    ask::PolicyMemory memory;
    std::optional<ask::PolicyInquiry> policy;
  } inquiry_;  // of the last question: its answer lives as long
  std::string_view said_by_;
  AskedVerdict verdict_;
};

}  // namespace

AskedSession ask_session(const MetClient& client, const SaidByClient& said) { return Session(client, said).run(); }

}  // namespace postern::cli
