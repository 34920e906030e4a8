#include "ask/recipients.hpp"

#include "ask/localiphost.hpp"

namespace postern::ask {

using spec::Event;

namespace {

// `user%other.example`, `other.example!user`, `"user@other.example"`: ways by which a local part names another domain.
bool asks_to_relay(std::string_view address) {
  return address.substr(0, address.rfind('@')).find_first_of("%!@") != std::string_view::npos;
}

}  // namespace

Recipients::Judgement Recipients::judge(std::string_view reverse_path, std::string_view forward_path,
                                        const Client& client) {
  address_ = forward_path;
  if (!client.may_ask_to_relay && asks_to_relay(address_)) return {Event::recipient_relay_requested, address_};
  switch (badmailfrom_.listing_of(reverse_path)) {
    case BadMailFrom::Listing::unlisted: break;
    case BadMailFrom::Listing::listed: return {Event::recipient_sender_refused, address_};
    case BadMailFrom::Listing::unknowable: return {Event::recipient_unknowable, address_, badmailfrom_.problem()};
  }
  const auto name = name_for_literal(client.local_ip);
  if (!name) return {Event::recipient_unknowable, address_, config::describe(name.error())};
  if (const std::optional<std::string>& host = *name; host)
    address_.replace(address_.rfind("@[") + 1, std::string::npos, *host);
  const RcptHosts::Standing standing = rcpthosts_.standing_of(address_);
  if (standing == RcptHosts::Standing::unknowable) return {Event::recipient_unknowable, address_, rcpthosts_.problem()};
  address_ += client.relay_value;
  return {standing == RcptHosts::Standing::ours ? Event::recipient_ours : Event::recipient_foreign, address_};
}

config::ControlResult<std::string> Recipients::name_for_literal(std::string_view local_ip) const {
  const std::size_t at = address_.rfind("@[");
  if (at == std::string::npos) return std::nullopt;
  return local_name_for(std::string_view(address_).substr(at + 1), local_ip);
}

}  // namespace postern::ask
