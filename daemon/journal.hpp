// What the log says of a connection: one line an event, with the rule id that README and spec explain.
// in      what happened; octets of the client are escaped, passwords never come here
// out     lines on descriptor 2: start, refuse, auth, message, trouble, end
// errors  none
// source  deviation D17; multilog(8)
#pragma once

#include <string_view>

#include "daemon/credentials.hpp"
#include "daemon/hand_over.hpp"
#include "daemon/start.hpp"
#include "engine/session.hpp"

namespace postern::daemon {

void log_start(const Start& start);
void log_refusal(const engine::Step& step, const engine::Session& session);
void log_credentials(const CheckResult& result, std::string_view username);
void log_message(const Outcome& outcome, const engine::Session& session);
void log_trouble(std::string_view sentence);
void log_end(std::string_view how, const engine::Session& session);

}  // namespace postern::daemon
