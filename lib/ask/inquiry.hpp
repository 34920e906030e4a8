// A question of a session, from what is known of the session to its answer: the same for both programs.
// in      Facts of the session, as they are when the question is asked
// out     ask(): the finding, where nothing has to be waited for; else an Inquiry, which finds it for as long as that takes
// lives   what start(), environment() and check_program() name as long as the inquiry; variables that are set meanwhile do not
//         reach it. The views of a finding live as long as its inquiry, those of a finding without one until recipients are
//         judged again
// threads run() is anybody's, all else is of the session's thread
// errors  std::bad_alloc, from ask(): then the answer is engine::nobody_answers()
// source  spec/events.toml: [[question]]
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "ask/credentials.hpp"
#include "ask/recipients.hpp"
#include "base/environment.hpp"
#include "config/start.hpp"
#include "engine/session.hpp"

namespace postern::ask {

// Each is asked for only where it is needed.
class Facts {
 public:
  [[nodiscard]] virtual const engine::Session& session() const = 0;
  [[nodiscard]] virtual const config::Start& start() const = 0;
  [[nodiscard]] virtual const base::Environment& environment() = 0;  // of programs that are run for this client
  [[nodiscard]] virtual std::span<char* const> check_program() = 0;  // checkprogram subprogram... and a null pointer
  [[nodiscard]] virtual std::string local_ip() = 0;                  // ours, as the client reached us
  [[nodiscard]] virtual std::string_view relay_value() = 0;          // of RELAYCLIENT

 protected:
  ~Facts() = default;
};

// What came of a question; beside the answer, what the shell has to do with it.
struct Finding {
  engine::Answer answer;
  std::string trouble{};                     // for the log
  const CheckResult* credentials = nullptr;  // of credentials alone
  std::string_view environment_pairs{};      // for enter_auth_environment(), where they were accepted
  std::string_view username{};               // whose they are
};

class Inquiry {
 public:
  Inquiry() = default;
  Inquiry(const Inquiry&) = delete;
  Inquiry& operator=(const Inquiry&) = delete;
  virtual ~Inquiry() = default;

  virtual void run() = 0;  // throws nothing: memory that ends is a finding
  [[nodiscard]] virtual Finding finding() const = 0;
};

using Asked = std::variant<Finding, std::unique_ptr<Inquiry>>;

// Any question but that of the hand-over, which the message answers.
[[nodiscard]] Asked ask(engine::Question question, Facts& facts, Recipients& recipients);

}  // namespace postern::ask
