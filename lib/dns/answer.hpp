// What is asked of the DNS, and what is known then: plain values.
// in      Question: a type and a name as Name::of() takes it; the zone of a DNS list whose share it is, or none
// out     Answer: what was found (bounded), that there is nothing, or that nobody can say
// source  RFC 1035 3.2; RFC 2308 for `none` and its time
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/network.hpp"

namespace postern::dns {

enum class Type : std::uint16_t { a = 1, ptr = 12, txt = 16, aaaa = 28 };  // their numbers on the wire

struct Question {
  Type type;
  std::string_view name;
  std::string_view zone{};
};

struct Answer {
  static constexpr std::size_t max_records = 16;       // the first ones of an answer; the others are dropped
  static constexpr std::size_t max_text_octets = 512;  // of one record; the rest is cut off

  enum class Kind : std::uint8_t {
    found,   // `addresses` or `texts` has at least one
    none,    // the name does not exist, or has nothing of this type
    failed,  // nobody knows: `failure` says why
  } kind = Kind::failed;

  enum class Failure : std::uint8_t {
    nothing,    // it is no failure
    timed_out,  // nothing usable came in time
    no_server,  // none could be reached, or its code says nothing else: FORMERR, NOTIMP
    servfail,   // SERVFAIL
    refused,    // REFUSED: this resolver, by the list or by its own rules
    malformed,  // what came is no answer to the question, or aliases lead nowhere
    crowded,    // too many questions are on their way, or its zone has its share of them
    resting,    // its zone did not answer so often that it is left alone for a while
    no_name,    // the name cannot be asked for
    no_memory,
  } failure = Failure::nothing;

  // How long it may be kept: the shortest of the records; of `none` what the zone's SOA says, 0 without one.
  std::uint32_t ttl_seconds = 0;

  std::vector<base::Address> addresses{};  // of a and aaaa
  std::vector<std::string> texts{};        // of txt, the strings of a record joined: any octets; of ptr, names of hosts

  friend bool operator==(const Answer&, const Answer&) = default;
};

[[nodiscard]] inline Answer failed(Answer::Failure failure) {
  return {.kind = Answer::Kind::failed, .failure = failure};
}

// Of a code of an answer that is neither NOERROR nor NXDOMAIN.
[[nodiscard]] Answer::Failure failure_of_code(unsigned code);

// `timed out`, for the log.
[[nodiscard]] std::string_view describe(Answer::Failure failure);

}  // namespace postern::dns
