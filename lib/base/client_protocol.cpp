#include "base/client_protocol.hpp"

#include <string.h>

namespace postern::base {
namespace {

std::string_view sentence_of(StreamFailure::Kind kind) {
  switch (kind) {
    case StreamFailure::Kind::unreachable: return "no connection";
    case StreamFailure::Kind::timed_out: return "timed out";
    case StreamFailure::Kind::closed: return "connection closed";
    case StreamFailure::Kind::crowded: break;
  }
  return "too many requests wait";
}

}  // namespace

std::string error_in_words(int error) {
  if (error == 0) return {};
  const char* symbol = ::strerrorname_np(error);
  return std::string(", ") + (symbol != nullptr ? symbol : "error");
}

std::string describe(const StreamFailure& failure) {
  std::string text = std::string(sentence_of(failure.kind)) + error_in_words(failure.error);
  return failure.address.empty() ? text : text + ": " + std::string(failure.address);
}

}  // namespace postern::base
