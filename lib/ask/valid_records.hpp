// The records of a list of valid recipients that no recipient can match, and a list without any: what only the complaint of a
// sender would reveal otherwise.
// in      the path of the cdb as in ask/valid_recipients.hpp; the domains that are ours
// out     sentences with place and remedy: of each kind the first key, and how many others there are
// errors  none: what cannot be read is reported at the start, and at each recipient
// bound   the first spec::max_records_judged_early records
// source  jms1 patch 7.08: VALIDRCPTTO_CDB; deviation D33
#pragma once

#include <string>
#include <vector>

#include "ask/rcpthosts.hpp"

namespace postern::ask {

// ours   is read; where it has no domain, or cannot know, none is called foreign
[[nodiscard]] std::vector<std::string> judge_valid_records(const std::string& path, const RcptHosts& ours);

}  // namespace postern::ask
