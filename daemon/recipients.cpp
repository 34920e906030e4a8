#include "daemon/recipients.hpp"

#include "daemon/localiphost.hpp"
#include "daemon/log.hpp"
#include "daemon/tcpserver_env.hpp"

namespace postern::daemon {

using spec::Event;

Recipients::Judgement Recipients::judge(std::string_view reverse_path, std::string_view forward_path,
                                        bool is_authenticated) {
  address_ = forward_path;
  switch (badmailfrom_.listing_of(reverse_path)) {
    case BadMailFrom::Listing::unlisted: break;
    case BadMailFrom::Listing::listed: return {Event::recipient_sender_refused, address_};
    case BadMailFrom::Listing::unknowable:
      LogLine("trouble").field("what", badmailfrom_.problem()).write();
      return {Event::recipient_unknowable, address_};
  }
  if (!replace_own_literal()) return {Event::recipient_unknowable, address_};
  const Event event = event_of_domain();
  if (!is_authenticated) address_ += variable("RELAYCLIENT");
  return {event, address_};
}

bool Recipients::replace_own_literal() {
  const std::size_t at = address_.rfind("@[");
  if (at == std::string::npos) return true;
  const auto name = local_name_for(std::string_view(address_).substr(at + 1), read_peer().local_ip);
  if (!name) {
    LogLine("trouble").field("what", describe(name.error())).write();
    return false;
  }
  if (const std::optional<std::string>& host = *name; host) address_.replace(at + 1, std::string::npos, *host);
  return true;
}

Event Recipients::event_of_domain() {
  switch (rcpthosts_.standing_of(address_)) {
    case RcptHosts::Standing::ours: return Event::recipient_ours;
    case RcptHosts::Standing::foreign: return Event::recipient_foreign;
    case RcptHosts::Standing::unknowable: break;
  }
  LogLine("trouble").field("what", rcpthosts_.problem()).write();
  return Event::recipient_unknowable;
}

}  // namespace postern::daemon
