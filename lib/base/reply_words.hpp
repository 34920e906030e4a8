// What somebody else (a policy service, a filter) says to a client, made fit for a reply.
// in      its text, with an enhanced code at its beginning or without; a sentence for a text that is empty
// out     "5.7.1 Spam message rejected": an enhanced code of the reply's class, then one line
// bounds  printable ASCII, other octets become `?`; at most spec::max_verdict_octets
// errors  none
// source  RFC 3463 2; RFC 2034 4; access(5)
#pragma once

#include <string>
#include <string_view>

namespace postern::base {

enum class ReplyClass : char { transient = '4', permanent = '5' };

[[nodiscard]] std::string reply_words(ReplyClass of, std::string_view text, std::string_view otherwise);

}  // namespace postern::base
