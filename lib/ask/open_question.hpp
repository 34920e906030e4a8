// A question to somebody outside the session, from when it is asked to its outcome: for who counts such questions, or shows them.
// in      whom it is asked of, by kind and by name; the outcome, and what was said, in a few words
// out     to a QuestionBook, if there is one: that it was asked, and exactly once how it ended
// lives   a book outlives its questions, and a record too. A name is the caller's until begin() returns, what was said until
//         ended() does
// threads a book may be told by any thread. An OpenQuestion has one at a time
// cost    nothing where there is no book; else the clock is read twice
// errors  none: without memory a question has no record
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/clock.hpp"

namespace postern::ask {

enum class Source : std::uint8_t {
  mailbox,            // POSTERN_UNKNOWN_RECIPIENTS: the folder of a recipient
  recipient_program,  // RCPTCHECK
  credentials,        // AUTH_CDB or a check program
  dns_list,           // by name, without its key
  client_name,        // the name of a client, and its addresses
  userdb,             // by address: POSTERN_USERDB
  mail_cluster,       // by address: POSTERN_UNKNOWN_RECIPIENTS, with POSTERN_LMTP
  policy_service,     // by address
  rspamd,             // by address: POSTERN_FILTERS
  milter,             // the same
};
inline constexpr std::size_t source_count = 10;
inline constexpr std::array<std::string_view, source_count> source_names{
    "mailbox", "recipient_program", "credentials",    "dns_list", "client_name",
    "userdb",  "mail_cluster",      "policy_service", "rspamd",   "milter"};

enum class Outcome : std::uint8_t {
  accepted,   // or no opinion
  refused,    // for good
  deferred,   // for now
  listed,     // of a DNS list
  unlisted,   // of a DNS list
  failed,     // no answer, or one that is none: nobody knows
  abandoned,  // nobody waited for the answer any more
};
inline constexpr std::size_t outcome_count = 7;
inline constexpr std::array<std::string_view, outcome_count> outcome_names{"accepted", "refused", "deferred", "listed",
                                                                           "unlisted", "failed",  "abandoned"};

[[nodiscard]] constexpr std::string_view name_of(Source source) { return source_names[std::to_underlying(source)]; }
[[nodiscard]] constexpr std::string_view name_of(Outcome outcome) { return outcome_names[std::to_underlying(outcome)]; }

struct Ended {
  Outcome outcome = Outcome::abandoned;
  base::Interval took{};
  std::string_view said{};
};

class QuestionRecord {
 public:
  virtual void ended(const Ended& how) noexcept = 0;

 protected:
  ~QuestionRecord() = default;
};

class QuestionBook {
 public:
  // Null: it is not recorded.
  [[nodiscard]] virtual QuestionRecord* begin(Source source, std::string_view name) noexcept = 0;
  // It was not asked: the answer is remembered.
  virtual void remembered(Source source, std::string_view name) noexcept = 0;

 protected:
  ~QuestionBook() = default;
};

class OpenQuestion {
 public:
  OpenQuestion() = default;
  OpenQuestion(QuestionBook* book, Source source, std::string_view name = {})
      : record_(book == nullptr ? nullptr : book->begin(source, name)) {
    if (record_ != nullptr) asked_ = std::chrono::steady_clock::now();
  }
  OpenQuestion(OpenQuestion&& other) noexcept : record_(std::exchange(other.record_, nullptr)), asked_(other.asked_) {}
  OpenQuestion& operator=(OpenQuestion&& other) noexcept {
    end(Outcome::abandoned);
    record_ = std::exchange(other.record_, nullptr);
    asked_ = other.asked_;
    return *this;
  }
  ~OpenQuestion() { end(Outcome::abandoned); }

  // The first outcome is the one that counts.
  void end(Outcome outcome, std::string_view said = {}) noexcept {
    QuestionRecord* const record = std::exchange(record_, nullptr);
    if (record != nullptr)
      record->ended({.outcome = outcome, .took = std::chrono::steady_clock::now() - asked_, .said = said});
  }

 private:
  QuestionRecord* record_ = nullptr;
  base::Time asked_{};
};

}  // namespace postern::ask
