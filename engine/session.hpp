// One SMTP session without I/O: octets in, one step out. The only door to the engine.
// in      step(unread): what the client sent and is not consumed yet. report(event): the outcome of an effect, or what
//         the world says (connect.*, timeout, eof, too_slow, shutting_down)
// out     Step; its views point into the session or into `scratch` and die with the next call
// starttls consumes all that is unread: nothing sent in clear is served inside TLS
// order   while the session waits for an outcome, step() consumes nothing; then report() it
// lent    a Workspace, which the session leaves empty whenever it is at rest (no transaction, no AUTH exchange): then it may
//         be lent another, and this one to another session. Views die with the next call on any session that has it
// limits  spec/limits.hpp; Session and Workspace bound the memory of a session; allocates nothing
// errors  whatever the client does is an event, and an event has a row. A report of what may not happen now (a late answer,
//         say) changes nothing and is counted: stray_reports()
// source  spec/policy.toml; RFC 5321 4.1.4; RFC 3207 4.2
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/envelope.hpp"
#include "engine/event.hpp"
#include "engine/reply.hpp"
#include "engine/sasl.hpp"
#include "grammar/line.hpp"
#include "grammar/mail_data.hpp"
#include "spec/policy_row.hpp"

namespace postern::engine {

// Where a message of this session would go. Asked at each DATA that is well-formed, before the client is told to send: what
// was promised to a DATA that the policy then refuses the owner gives up, and so what a second one finds there.
class Room {
 public:
  [[nodiscard]] virtual bool reserve() = 0;

 protected:
  ~Room() = default;
};

// A room in which there is never any: for dialogues and tests.
[[nodiscard]] Room& no_room();

// What a session is served with; the views outlive it.
struct Service {
  spec::Guards settings_and_facts;
  std::string_view host;        // names us in the greeting, at most spec::max_host_octets
  std::uint64_t databytes = 0;  // size limit in octets as stored; 0: none
  std::size_t max_recipients = spec::max_recipients;
  bool strict_addresses = false;  // deviation D13: without lenient_underscore and lenient_dots
  bool asks_at_data = false;      // policy services judge each message before it comes
  Room* room = nullptr;           // null: there is always some
};

// What survives STARTTLS, so that a client cannot start over by it. What counts is said by spec/replies.toml and events.toml.
struct Counters {
  std::uint32_t errors = 0;
  std::uint32_t auth_attempts = 0;
  std::uint32_t unknown_recipients = 0;  // who answers about recipients may have a limit
};

// The mail that a refusal is about, as far as it is known: the paths of its MAIL or RCPT, else those of the transaction, which
// the refusal may have ended.
struct RefusedMail {
  std::optional<std::string_view> reverse_path{}, forward_path{};  // of several recipients the first
  std::size_t recipients = 0;             // of the transaction, where forward_path is the first of them
  std::optional<std::uint64_t> octets{};  // of a message, as MAIL declares it or as it came so far
};

struct Step {
  std::size_t consumed = 0;  // octets of `unread` that the caller drops
  bool is_decision = false;  // false: a partial line, or mail data in the middle; then only `consumed` and `data` count
  bool holds_secret = false;  // the octets consumed hold credentials: overwrite them
  spec::Guards before;        // in which state: with what is spent
  spec::Event event{};        // what was decided
  spec::Rule rule{};
  spec::Effect effect{};
  spec::Reply words{};                   // the reply by name
  std::uint16_t code = 0;                // of the reply; 0 when there is none
  std::string_view reply;                // with its CRLFs
  std::string_view data;                 // decoded mail data to be kept
  UserMark refused_user = 0;             // of an AUTH that named a user and was refused unjudged
  const RefusedMail* refused = nullptr;  // where the code is 400 or more; until the next step or report
};

// What a session needs while it answers, or has a transaction or an AUTH exchange open.
struct Workspace {
  ReplyWriter replies;
  std::array<char, spec::max_address_octets + 1> mailbox;
  std::uint64_t declared_octets;  // SIZE= of the MAIL just stepped over
  RefusedMail refused;            // by the last step that did
  Sasl sasl;
  Envelope envelope;
};

class Session {
 public:
  Session(const Service& service, Workspace& workspace);

  // Whether nothing of this session is in its workspace.
  [[nodiscard]] bool is_at_rest() const;
  void use(Workspace& workspace) { workspace_ = &workspace; }  // only at rest

  // Continues on an encrypted channel a session that was accepted for STARTTLS by another process or object; report
  // handshake_done or handshake_failed next.
  void resume_after_starttls(Counters counters);

  // `scratch` takes decoded mail data and holds at least unread.size() + 2.
  [[nodiscard]] Step step(std::string_view unread, std::span<char> scratch);
  // `text` is the address to keep for recipient_*, the verdict for hand_over_*, recipient_program_refused,
  // recipient_policy_refused and _deferred, message_policy_refused and _deferred; `words` is the verdict for
  // recipient_client_listed. No decision: the event may not happen now (spec/events.toml, `while`).
  [[nodiscard]] Step report(spec::Event event, std::string_view text = {}, std::string_view words = {});

  // A reply that contains no text of the world, again or alone.
  [[nodiscard]] std::string_view write(spec::Reply reply);

  // The size limit and bound on recipients from now on (an authenticated user may have other ones).
  void set_limits(std::uint64_t databytes, std::size_t max_recipients);
  void set_room(Room& room) { service_.room = &room; }

  [[nodiscard]] spec::Guards guards() const { return guards_; }
  [[nodiscard]] Counters counters() const { return counters_; }
  [[nodiscard]] std::uint32_t stray_reports() const { return stray_reports_; }  // not 0: a defect of the caller
  [[nodiscard]] std::uint64_t stored_octets() const { return stored_octets_; }  // of the last message
  [[nodiscard]] const Envelope& envelope() const { return workspace_->envelope; }
  [[nodiscard]] std::uint32_t transactions() const {
    return transactions_;
  }  // begun; the number of the one that is open
  // The path of the MAIL or RCPT just stepped over, unquoted; valid with Effect::check_recipient.
  [[nodiscard]] std::string_view mailbox() const {
    return {workspace_->mailbox.data(), names_path() ? mailbox_octets_ : std::size_t{0}};
  }
  // Valid with Effect::check_credentials, until the outcome is reported.
  [[nodiscard]] std::string_view username() const { return workspace_->sasl.username(); }
  [[nodiscard]] std::string_view password() const { return workspace_->sasl.password(); }
  // What the client called itself in HELO or EHLO, cut to spec::max_host_octets.
  [[nodiscard]] std::string_view client_name() const { return {client_name_.data(), client_name_octets_}; }

 private:
  [[nodiscard]] Step step_command(std::string_view unread);
  [[nodiscard]] Step step_response(std::string_view unread);
  [[nodiscard]] Step step_mail_data(std::string_view unread, std::span<char> scratch);
  // `auth_mailbox` becomes the AUTH= of MAIL.
  [[nodiscard]] spec::Event command_event(std::string_view line, std::string_view& auth_mailbox);
  [[nodiscard]] spec::Event response_event(std::string_view line);
  [[nodiscard]] bool is_refused_already() const;
  [[nodiscard]] spec::Event data_end_event() const;
  [[nodiscard]] Step apply(spec::Event event, std::size_t consumed, std::string_view text = {},
                           std::string_view words = {});
  [[nodiscard]] RefusedMail refused_mail(spec::Event event, spec::Guards before) const;
  [[nodiscard]] bool names_path() const { return mailbox_octets_ != no_path; }
  void count(spec::Reply reply, spec::Event event);
  [[nodiscard]] Step stray(spec::Event event);
  void perform(const spec::PolicyRow& row, spec::Event event, std::string_view text);
  void keep_client_name(std::string_view name);

  static constexpr std::uint16_t no_path = 0xFFFF;  // the line just stepped over has none that could be read

  spec::Guards guards_;
  Counters counters_;
  std::uint32_t stray_reports_ = 0;
  Service service_;
  grammar::LineSplitter lines_;
  grammar::MailData mail_data_;
  std::uint64_t stored_octets_ = 0;
  std::uint64_t discarded_octets_ = 0;
  std::uint32_t transactions_ = 0;
  std::uint16_t mailbox_octets_ = no_path;
  std::uint16_t client_name_octets_ = 0;
  Workspace* workspace_;
  std::array<char, spec::max_host_octets> client_name_;
};

// A session that keeps one workspace for its whole life.
struct OwnWorkspace {
  Workspace own_workspace;
};
class LoneSession : private OwnWorkspace, public Session {
 public:
  explicit LoneSession(const Service& service) : Session(service, own_workspace) {}
};

}  // namespace postern::engine
