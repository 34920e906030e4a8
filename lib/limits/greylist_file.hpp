// The file that keeps what a greylist knows while no server runs.
// in      the contents of a greylist, when that was; a path
// out     the same again. The file is replaced as a whole (PATH.new, fsync, rename), mode 0600: a reader and a crash find the old
//         one or the new one
// format  `postern greylist 1` LF; key (16 octets), seconds since 1970 (8), three counts of records (4 each); the records: key (16),
//         age (4), count (4); a digest of all before it (16). Numbers have the least significant octet first. Of addresses only
//         keyed hashes are in it
// bounds  as many records as a greylist has room for; no other file is read to its end
// errors  a sentence: what is there and is no such file is never a part of one
// source  docs/decisions/0020-greylist.md; rename(2)
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "limits/greylist.hpp"

namespace postern::limits {

struct SavedGreylist {
  GreylistContents contents;
  std::int64_t saved_seconds = 0;  // since 1970, by the clock of then
};

[[nodiscard]] std::string encode_greylist(const SavedGreylist& saved);
// None: the octets are no such file, or not as it was written.
[[nodiscard]] std::optional<SavedGreylist> decode_greylist(std::string_view octets);

// None: there is no file of that name.
[[nodiscard]] std::expected<std::optional<SavedGreylist>, std::string> read_greylist(const std::string& path);
[[nodiscard]] std::expected<void, std::string> write_greylist(const std::string& path, const SavedGreylist& saved);

// How long ago that was, as far as a clock that may have been set meanwhile can say: not before now, and not beyond
// max_greylist_downtime_seconds.
[[nodiscard]] std::chrono::seconds seconds_since(std::int64_t saved_seconds, std::int64_t now_seconds);

}  // namespace postern::limits
