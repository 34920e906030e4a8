// Whether a mail cluster would take a recipient: MAIL FROM:<> and RCPT, and RSET after it; never DATA.
// in      the result of a transaction without a message (LmtpMail), for one recipient; or a cluster and a recipient as it is kept
// out     RecipientStanding: 2xx to RCPT is recipient_ours, 5xx to RCPT recipient_unknown, and all else recipient_unknowable: a 4xx, no
//         connection, silence, no valid reply, one reply too many, and any code but 2xx to LHLO or MAIL, which name no recipient
// bounds  probe_by_waiting() waits for at most spec::max_probe_seconds
// words   of a 5xx to RCPT, its code among them
// errors  recipient_unknowable, and a sentence for the log that names the cluster
// source  RFC 2033 4.1; RFC 5321 4.2.1; docs/decisions/0021-ask-the-mail-cluster.md
#pragma once

#include <string>
#include <string_view>

#include "deliver/lmtp/cluster.hpp"
#include "spec/policy_row.hpp"

namespace postern::deliver {

using limits::RecipientStanding;

// cluster   its address, as the operator wrote it
[[nodiscard]] RecipientStanding standing_of(const LmtpResult& result, std::string_view cluster);
// Nothing can be said to a cluster about a recipient whose path forward_path_of() refuses.
[[nodiscard]] RecipientStanding standing_of_no_path(std::string_view cluster);

[[nodiscard]] RecipientStanding probe_by_waiting(LmtpCluster& cluster, std::string_view recipient);

}  // namespace postern::deliver
