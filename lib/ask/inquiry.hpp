// A question of a session, from what is known of the session to its answer: the same for both programs.
// in      Facts of the session, as they are when the question is asked
// out     ask(): the finding, where nothing has to be waited for; else an Inquiry, which finds it for as long as that takes;
//         or NotYet, only where Facts::dns_standing() says that it is awaited
// lives   what start(), environment() and check_program() name as long as the inquiry; variables that are set meanwhile do not
//         reach it. The views of a finding live as long as its inquiry, those of a finding without one until recipients are
//         judged again
// threads run() may be called on any thread, all else on the session's
// errors  std::bad_alloc, from ask(): then the answer is engine::nobody_answers()
// source  spec/events.toml: [[question]]
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "ask/credentials.hpp"
#include "ask/dns_lists.hpp"
#include "ask/open_question.hpp"
#include "ask/recipients.hpp"
#include "base/environment.hpp"
#include "config/start.hpp"
#include "engine/session.hpp"

namespace postern::ask {

// What DNS lists say of the client and of the domains that it names.
struct DnsStanding {
  bool is_awaited = false;              // they have not answered yet
  const DnsVerdict* verdict = nullptr;  // null, and not awaited: they are not asked
};

enum class Waits : std::uint8_t { no, yes };

// Each is asked for only where it is needed.
class Facts {
 public:
  [[nodiscard]] virtual const engine::Session& session() const = 0;
  [[nodiscard]] virtual const config::Start& start() const = 0;
  [[nodiscard]] virtual const base::Environment& environment() = 0;  // of programs that are run for this client
  [[nodiscard]] virtual std::span<char* const> check_program() = 0;  // checkprogram subprogram... and a null pointer
  [[nodiscard]] virtual std::string local_ip() = 0;                  // ours, as the client reached us
  [[nodiscard]] virtual std::string_view relay_value() = 0;          // of RELAYCLIENT
  // Only where the start has DNS lists: of the client, and of what it names in this transaction. A client that need not wait for them gets what is known.
  [[nodiscard]] virtual DnsStanding dns_standing(Waits /*waits*/) { return {}; }
  // Who is told of each question that is asked, on any thread; outlives all inquiries. Null: nobody.
  [[nodiscard]] virtual QuestionBook* question_book() { return nullptr; }

 protected:
  ~Facts() = default;
};

// Whether a question about a recipient may wait for somebody else: DNS lists, a program, Dovecot, a mail cluster, a policy service.
[[nodiscard]] inline bool recipients_wait(const config::Start& start) {
  return config::has_dns_lists(start) || !start.recipient_program.empty() || start.userdb || start.asks_mail_cluster ||
         (!start.policy_services.empty() && start.policy_services.front().stage != config::PolicyStage::data);
}

// The result of a question: the answer, and what the shell has to do with it.
struct Finding {
  engine::Answer answer;
  std::string trouble{};                     // for the log
  const CheckResult* credentials = nullptr;  // of credentials alone
  std::string_view environment_pairs{};      // for enter_auth_environment(), where they were accepted
  std::string_view username{};               // whose they are
  std::string_view said_by{};  // whose word it is, for the log; lives as long as the start, or the DNS verdict
  // Of who refuses, for the log, where the reply has others: a mail cluster, a program; lives as long as its RecipientStanding, or
  // its inquiry.
  std::string_view words{};
};

class Inquiry {
 public:
  Inquiry() = default;
  Inquiry(const Inquiry&) = delete;
  Inquiry& operator=(const Inquiry&) = delete;
  virtual ~Inquiry() = default;

  virtual void run() = 0;  // throws nothing: lack of memory is a finding
  [[nodiscard]] virtual Finding finding() const = 0;
};

// The same question is to be asked again when the DNS lists have answered.
struct NotYet {};

using Asked = std::variant<Finding, std::unique_ptr<Inquiry>, NotYet>;

// The answer for one more unknown recipient of this session: VALIDRCPTTO_LIMIT of them are told.
[[nodiscard]] spec::Event one_more_unknown(const config::Start& start, const engine::Session& session);

// Any question except that of the message, which policy services answer alone, and of the hand-over, which the message answers.
[[nodiscard]] Asked ask(engine::Question question, Facts& facts, Recipients& recipients);

}  // namespace postern::ask
