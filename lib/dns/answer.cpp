#include "dns/answer.hpp"

namespace postern::dns {

Answer::Failure failure_of_code(unsigned code) {
  constexpr unsigned servfail = 2, refused = 5;  // RFC 1035 4.1.1
  if (code == servfail) return Answer::Failure::servfail;
  return code == refused ? Answer::Failure::refused : Answer::Failure::no_server;
}

std::string_view describe(Answer::Failure failure) {
  using enum Answer::Failure;
  switch (failure) {
    case nothing: return "no failure";
    case timed_out: return "timed out";
    case no_server: return "no server answers";
    case servfail: return "SERVFAIL";
    case refused: return "REFUSED";
    case malformed: return "malformed answer";
    case crowded: return "too many questions";
    case resting: return "left alone, it did not answer for long";
    case no_name: return "no name to ask for";
    case no_memory: return "no memory";
  }
  return {};
}

}  // namespace postern::dns
