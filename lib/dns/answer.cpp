#include "dns/answer.hpp"

namespace postern::dns {

std::string_view describe(Answer::Failure failure) {
  using enum Answer::Failure;
  switch (failure) {
    case nothing: return "no failure";
    case timed_out: return "timed out";
    case no_server: return "no server answers";
    case malformed: return "malformed answer";
    case crowded: return "too many questions";
    case no_name: return "no name to ask for";
    case no_memory: return "no memory";
  }
  return {};
}

}  // namespace postern::dns
