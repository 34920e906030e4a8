#include "ask/userdb_conversation.hpp"

#include <algorithm>

#include "spec/limits.hpp"

namespace postern::ask {
namespace {

using Kind = UserdbAnswer::Kind;

constexpr std::string_view version = "VERSION\t1\t0\n", their_version = "VERSION\t1\t";

// Takes the first field off.
std::string_view take_field(std::string_view& fields) {
  const std::size_t end = std::min(fields.find('\t'), fields.size());
  const std::string_view field = fields.substr(0, end);
  fields.remove_prefix(std::min(end + 1, fields.size()));
  return field;
}

std::string escaped(std::string_view text) {
  std::string octets;
  for (const char octet : text) {
    switch (octet) {
      case '\0': octets += "\0010"; break;
      case '\001': octets += "\0011"; break;
      case '\t': octets += "\001t"; break;
      case '\r': octets += "\001r"; break;
      case '\n': octets += "\001l"; break;
      default: octets += octet;
    }
  }
  return octets;
}

// For the log, a line of it.
std::string printable(std::string_view text) {
  std::string line(text.substr(0, spec::max_verdict_octets));
  std::ranges::replace_if(line, [](char octet) { return octet < ' ' || octet > '~'; }, ' ');
  return line;
}

UserdbAnswer malformed(std::string_view what) { return {.trouble = std::string(what)}; }

}  // namespace

UserdbAnswer userdb_failure(base::StreamFailure failure) {
  failure.address = {};  // it is named where this is reported
  return {.trouble = describe(failure)};
}

void UserdbConversation::begin(std::string_view user, base::Time now) {
  request_ = number_ == 0 ? version : std::string_view();
  request_ += "USER\t" + std::to_string(++number_) + '\t' + escaped(user) + "\tservice=smtp\n";
  line_.clear();
  sent_ = octets_ = 0;
  deadline_ = now + patience_;
  answer_ = {};
  may_repeat_ = false;
  state_ = State::busy;
}

void UserdbConversation::receive(std::string_view octets, base::Time) {
  if (state_ != State::busy) return end(malformed("an answer before the question"), State::ended);
  for (; !octets.empty() && state_ == State::busy; octets.remove_prefix(1)) {
    if (++octets_ > spec::max_userdb_reply_octets) return end(malformed("an answer without an end"), State::ended);
    if (octets.front() != '\n') {
      line_ += octets.front();
      continue;
    }
    const std::string line = std::exchange(line_, {});
    take(line);
  }
  if (!octets.empty()) state_ = State::ended;
}

// A server may have more commands in its handshake than this version knows: they are no answers.
void UserdbConversation::take(std::string_view line) {
  if (!is_greeted_) {
    is_greeted_ = line.starts_with(their_version);
    if (!is_greeted_) end(malformed("it does not speak version 1 of Dovecot's auth protocol"), State::ended);
    return;
  }
  const std::string_view command = take_field(line);
  if (command == "USER" || command == "NOTFOUND" || command == "FAIL") take_answer_of(command, line);
}

void UserdbConversation::take_answer_of(std::string_view command, std::string_view fields) {
  if (!output().empty()) return end(malformed("an answer before the question"), State::ended);
  if (take_field(fields) != std::to_string(number_))
    return end(malformed("an answer to another question"), State::ended);
  if (command == "NOTFOUND") return end({.kind = Kind::no_user}, State::idle);
  if (command == "FAIL")
    return end({.trouble = "answered FAIL" + (fields.empty() ? "" : " " + printable(fields))}, State::idle);
  if (take_field(fields).empty()) return end(malformed("an answer without a name"), State::ended);
  end({.kind = Kind::user}, State::idle);
}

void UserdbConversation::fail(const base::StreamFailure& failure) {
  end(userdb_failure(failure), State::ended);
  may_repeat_ = failure.kind == base::StreamFailure::Kind::closed;
}

void UserdbConversation::end(UserdbAnswer answer, State state) {
  answer_ = std::move(answer);
  sent_ = request_.size();
  may_repeat_ = false;
  state_ = state;
}

}  // namespace postern::ask
