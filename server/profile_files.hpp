// The files that a listener serves from, and what keeps the process that asks from using them: judged as its current user
// by then, inside the sandbox that it is in by then.
// in      files by name; a missing file is ignored here: its reader knows what that means
// out     a sentence for one that is there and may not be used: it names the file, the user and the remedy, and says whether
//         permissions or the sandbox are in the way
// source  access(2), which no Landlock rule affects; landlock(7)
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace postern::server {

struct ProfileFile {
  enum class Use : std::uint8_t { read, read_secret, written_in };
  std::string place;  // where it is named: `postern.toml line 7: AUTH_CDB`; empty where the path says it all
  std::string path;
  Use use = Use::read;
  bool must_be_there = false;  // a folder; where others are missing, the start says so itself
};

// Where `greylist_file` is written; it is not empty.
[[nodiscard]] ProfileFile folder_of_greylist(const std::string& greylist_file);

[[nodiscard]] std::optional<std::string> obstacle_to(const ProfileFile& file);
// The same to a process that is in no sandbox; asked in one, too.
[[nodiscard]] std::optional<std::string> obstacle_without_sandbox(const ProfileFile& file);

}  // namespace postern::server
