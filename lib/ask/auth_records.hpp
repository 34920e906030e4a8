// The records of an AUTH_CDB: how one is read, and what in them only a user's complaint would reveal otherwise.
// in      a record's value: the hash of crypt(3), then `,NAME="VALUE"` pairs; the path of the cdb
// out     AuthRecord; sentences with place and remedy: of each kind the first user, and how many others there are
// lives   an AuthRecord points into the value
// errors  none; the user of a file that cannot be read reports it
// bound   the first spec::max_records_judged_early records
// source  jms1 patch 7.08: AUTH_CDB; spec/foreign.toml
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::ask {

struct AuthRecord {
  std::string_view hash, pairs;
};

// Blanks and line ends at the end of a value are no part of it: no hash has any, and no pair ends with one.
[[nodiscard]] AuthRecord split_auth_record(std::string_view value);

[[nodiscard]] std::vector<std::string> judge_auth_records(const std::string& path);

}  // namespace postern::ask
