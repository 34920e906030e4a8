// Takes Return-Path fields out of the header of a message on its way to a mailbox: there is one, and it is ours.
// in      a message piece by piece, from its first octet on; lines end with LF
// out     views of what stays, in order, given to a function; the fields and their folded lines are left out, whatever
//         their case. The body is as it was, and so is a header without such a field
// lives   the views live until the next call; at most the beginning of one line is held between two pieces
// source  RFC 5321 4.4: a message has one Return-Path, written by the final delivery; RFC 5322 2.2, 2.2.3
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace postern::deliver {

class ReturnPathFilter {
 public:
  template <typename Keep>
  void pass(std::string_view octets, Keep keep) {
    if (!held_.empty()) {
      joined_ = std::exchange(held_, {});
      joined_ += octets;
      return pass(joined_, keep);
    }
    while (!octets.empty() && place_ != Place::body) {
      const Cut cut = next_cut(octets);
      if (cut.is_kept && cut.octets != 0) keep(octets.substr(0, cut.octets));
      octets.remove_prefix(cut.octets);
      if (cut.is_held) held_ = octets;
      if (cut.is_held) return;
    }
    if (!octets.empty()) keep(octets);
  }

  // The message is over: what was held stays. Another message needs another filter.
  template <typename Keep>
  void finish(Keep keep) {
    if (!held_.empty() && place_ != Place::dropped) keep(std::string_view(held_));
  }

 private:
  enum class Place : std::uint8_t { line_start, kept, dropped, after_dropped, body };
  struct Cut {
    std::size_t octets;  // kept or dropped together
    bool is_kept;
    bool is_held = false;  // what follows may be the beginning of such a field, and has no end yet
  };
  [[nodiscard]] Cut next_cut(std::string_view octets);

  Place place_ = Place::line_start;
  std::string held_;
  std::string joined_;  // what was held, with what came next: what is kept of it is a view
};

}  // namespace postern::deliver
