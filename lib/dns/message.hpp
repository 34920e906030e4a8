// Queries and answers as octets: RFC 1035 4, as much of it as a stub needs.
// in      a name and a type; the octets of a message that claims to answer them
// out     the octets of a query; an Answer
// aliases at most max_aliases CNAME records are followed, in whatever order they stand; a longer chain, or one that goes
//         round, is malformed
// bounds  the first max_looked_at records of the answer, and of the authority, are looked at; all of those must be well
//         formed. What stands after the authority is not read. Allocates only what Answer keeps
// errors  Answer::Failure: malformed; failure_of_code() for a code that is neither NOERROR nor NXDOMAIN
// source  RFC 1035 3.2, 3.3, 4.1; RFC 2181 5.2, 8; RFC 2308 2, 5; RFC 3596 2.2
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dns/answer.hpp"
#include "dns/name.hpp"

namespace postern::dns {

inline constexpr unsigned max_aliases = 8;
inline constexpr unsigned max_looked_at = 256;

class QueryOctets {
 public:
  QueryOctets(Type type, const Name& name, std::uint16_t id);
  [[nodiscard]] std::span<const std::uint8_t> view() const { return {octets_.data(), size_}; }

 private:
  void append(std::uint16_t number);

  std::array<std::uint8_t, 12 + 255 + 4> octets_{};
  std::size_t size_ = 0;
};

[[nodiscard]] Answer read_answer(std::span<const std::uint8_t> message, Type type, const Name& name);

}  // namespace postern::dns
