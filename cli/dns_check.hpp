// Whether the DNS lists of an environment work: each is asked about the two entries that tell.
// in      DNSBL, DNSBL_SENDER, DNSBL_HELO, RBLSMTPD and POSTERN_DNS of the variables; what is malformed the start has reported
// out     of each zone of a setting, whose entries are one list: a note when it works; a warning for one that does not: it lists
//         nobody, everybody, or will not answer
// waits   at most spec::max_dns_seconds, for all of them
// errors  without a resolver a warning
// source  RFC 5782 5: a list has 127.0.0.2, and never 127.0.0.1; of IPv6, ::FFFF:7F00:2 and never ::FFFF:7F00:1; a list of domains
//         has TEST, and never INVALID
#pragma once

#include <vector>

#include "audit/advice.hpp"
#include "cli/source.hpp"

namespace postern::cli {

void advise_on_dns_lists(const Variables& variables, std::vector<audit::Advice>& advice);

}  // namespace postern::cli
