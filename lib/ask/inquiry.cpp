#include "ask/inquiry.hpp"

#include <ctime>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "ask/auth_cdb.hpp"
#include "ask/check_program.hpp"
#include "ask/recipient_inquiry.hpp"
#include "base/wipe.hpp"

namespace postern::ask {
namespace {

namespace bit = spec::bit;
using spec::Event;

// Of a recipient that all lists of recipients take; none: DNS lists have nothing to say. The policy lets who may relay keep it
// anyway: that client does not wait.
std::optional<Asked> ask_about_client(Facts& facts, const Recipients::Judgement& judgement, bool may_relay) {
  if (judgement.event != Event::recipient_ours || !config::has_dns_lists(facts.start())) return std::nullopt;
  const DnsStanding standing = facts.dns_standing(may_relay ? Waits::no : Waits::yes);
  if (standing.is_awaited && !may_relay) return NotYet{};
  if (standing.verdict == nullptr || !standing.verdict->is_listed) return std::nullopt;
  return Finding{.answer = {Event::recipient_client_listed, judgement.address, standing.verdict->words},
                 .said_by = standing.verdict->detail};
}

Asked ask_about_recipient(Facts& facts, Recipients& recipients) {
  const engine::Session& session = facts.session();
  const config::Start& start = facts.start();
  const bool is_authenticated = session.guards().has(bit::authentication_done);
  const bool may_relay = session.guards().has(bit::relay_client | bit::authentication_done);
  const bool has_literal = session.mailbox().contains("@[");
  auto judgement = recipients.judge(session.envelope().reverse_path(), session.mailbox(),
                                    {.local_ip = has_literal ? facts.local_ip() : std::string(),
                                     .relay_value = is_authenticated ? std::string_view() : facts.relay_value(),
                                     .may_ask_to_relay = config::may_ask_to_relay(start, session.guards()),
                                     .may_relay = may_relay,
                                     .valid_recipients = start.valid_recipients});
  const Event when_unknown = one_more_unknown(start, session);
  if (judgement.event == Event::recipient_unknown) judgement.event = when_unknown;
  if (auto refused = ask_about_client(facts, judgement, may_relay)) return std::move(*refused);
  if (judgement.event == Event::recipient_ours && !may_relay && RecipientInquiry::has_questions(start))
    return std::make_unique<RecipientInquiry>(facts, judgement.address, when_unknown);
  return Finding{.answer = {judgement.event, judgement.address},
                 .trouble = std::move(judgement.problem),
                 .said_by = judgement.said_by};
}

Outcome outcome_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::accepted: return Outcome::accepted;
    case Verdict::rejected: return Outcome::refused;
    case Verdict::broken: break;
  }
  return Outcome::failed;
}

// A password on its way to its judge: a file of hashes, or a program.
class CredentialsInquiry final : public Inquiry {
 public:
  explicit CredentialsInquiry(Facts& facts)
      : start_(facts.start()),
        environment_(facts.environment().pointers()),
        check_program_(facts.check_program()),
        book_(facts.question_book()),
        username_(facts.session().username()),
        password_(facts.session().password()) {}
  ~CredentialsInquiry() override { base::wipe(password_); }

  // Lack of memory is a finding, too.
  void run() override try {
    const Credentials credentials{username_, password_};
    OpenQuestion question(book_, Source::credentials);
    const auto now = static_cast<std::uint64_t>(std::time(nullptr));
    if (start_.backend == config::BackendKind::auth_cdb) {
      AuthCdb users(start_.auth_cdb.c_str());
      result_ = users.check(credentials, now);
      pairs_ = users.environment_pairs();
    } else if (!check_program_.empty()) {
      result_ = CheckProgram(check_program_.data(), environment_, spec::max_check_seconds, start_.program_errors)
                    .check(credentials, now);
    }
    question.end(outcome_of(result_.verdict), result_.detail);
  } catch (const std::bad_alloc&) {
    result_ = {Verdict::broken, "no memory"};  // which is so short that it needs none
  }

  [[nodiscard]] Finding finding() const override {
    return {.answer = engine::answer_of(result_.verdict),
            .credentials = &result_,
            .environment_pairs = pairs_,
            .username = username_,
            .said_by = start_.backend == config::BackendKind::auth_cdb ? "AUTH_CDB" : "check_program"};
  }

 private:
  const config::Start& start_;
  base::Environment environment_;  // as it was: that of the session may change before this one has its turn
  std::span<char* const> check_program_;
  QuestionBook* book_;
  std::string username_, password_;
  CheckResult result_{Verdict::broken, "nobody judged"};
  std::string pairs_;
};

}  // namespace

spec::Event one_more_unknown(const config::Start& start, const engine::Session& session) {
  const bool is_one_too_many =
      start.max_unknown_recipients != 0 && session.counters().unknown_recipients >= start.max_unknown_recipients;
  return is_one_too_many ? Event::recipient_too_many_unknown : Event::recipient_unknown;
}

Asked ask(engine::Question question, Facts& facts, Recipients& recipients) {
  switch (question) {
    case engine::Question::recipient: return ask_about_recipient(facts, recipients);
    case engine::Question::credentials: return std::make_unique<CredentialsInquiry>(facts);
    case engine::Question::message:
    case engine::Question::hand_over: break;
  }
  return Finding{.answer = engine::nobody_answers(question)};
}

}  // namespace postern::ask
