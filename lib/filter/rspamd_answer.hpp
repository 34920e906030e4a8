// What rspamd answers about a message: its JSON, and what that means here.
// in      the body of an answer to /checkv2
// out     a Verdict. Its edits have passed no judgement yet: filter/edit.hpp looks at them
// what    reject: refused, or put aside or dropped where `milter` says so; soft reject and greylist: deferred; add header, rewrite
//         subject, quarantine and no action: accepted; discard: dropped. `milter` adds and removes fields, recipients and
//         the sender, and `dkim-signature` is a field. As rspamd's own milter does it
// bounds  the caller's; members that mean nothing here are not kept
// errors  `failed`: no JSON, no action, one that nobody knows, a member of another type than it has, or one that is there twice
// source  https://docs.rspamd.com: protocol; rspamd 3.4 src/libserver/milter.c; RFC 2047 2, 5 (a subject that is not ASCII)
#pragma once

#include <string>
#include <string_view>

#include "filter/verdict.hpp"

namespace postern::filter {

[[nodiscard]] Verdict verdict_of_rspamd(std::string_view json);

// A text in UTF-8 as it may stand in a Subject: as it is when it is ASCII, else in encoded words, one a line.
[[nodiscard]] std::string encoded_subject(std::string_view text);

}  // namespace postern::filter
