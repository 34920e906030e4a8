// The macros of the milter protocol: what is known of a client and a message besides the commands.
// in      a message; the stage, and the recipient of MilterStage::rcpt; the names that a filter has chosen, if it has
// out     the data of a packet MilterCommand::macros: the command that it belongs to, then names and values with a NUL each; empty
//         where nothing is known
// names   as Sendmail and Postfix write them: `j` and `i`, else in braces. A filter may write `{j}` and `client_addr`, too
// bounds  what does not fit in one packet is left out
// errors  none: what is not known is not sent
// source  Postfix MILTER_README (macros); Sendmail op.me 5.10; libmilter: smfi_setsymlist
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "filter/message.hpp"
#include "filter/milter_codec.hpp"

namespace postern::filter {

[[nodiscard]] std::string milter_macros(const FilterMessage& message, MilterStage stage, std::string_view recipient,
                                        const std::optional<std::string>& chosen);

// The name of a client as xxfi_connect has it: its address in brackets where it has none.
[[nodiscard]] std::string milter_client_name(const FilterClient& client);

}  // namespace postern::filter
