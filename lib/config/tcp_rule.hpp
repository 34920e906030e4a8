// What one record of a tcprules cdb makes tcpserver do.
// in      the value of a record
// out     its items one after the other; views into the value. `assignment` ends before a NUL that is in the file, too, so
//         its data() is a string for an environment
// errors  an item that is `unknown`: tcpserver passes over it, as over octets after the last NUL. Of those only a D counts
//         here: in doubt the client is refused, and nothing is set
// source  tcprules(1); ucspi-tcp 0.88: tcpserver.c
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::config {

struct TcpRuleItem {
  enum class Kind : std::uint8_t {
    denies,  // begins with D
    sets,    // +NAME=VALUE
    unknown,
  };
  Kind kind = Kind::unknown;
  std::string_view text;                     // all of it
  std::string_view assignment, name, value;  // of `sets`: NAME=VALUE, NAME, VALUE
};

class TcpRuleItems {
 public:
  explicit TcpRuleItems(std::string_view value) : rest_(value) {}
  [[nodiscard]] std::optional<TcpRuleItem> next();

 private:
  std::string_view rest_;
};

// Whether any item denies.
[[nodiscard]] bool denies(std::string_view value);

}  // namespace postern::config
