#include "ask/recipients.hpp"

#include <optional>

namespace postern::ask {

using spec::Event;

namespace {

// `user%other.example`, `other.example!user`, `"user@other.example"`: ways by which a local part names another domain.
bool asks_to_relay(std::string_view address) {
  return address.substr(0, address.rfind('@')).find_first_of("%!@") != std::string_view::npos;
}

constexpr std::string_view rcpthosts = "rcpthosts";

struct Listed {
  Event event;
  std::string_view said_by;
};

// What a list of addresses has against one of them: none where it has nothing.
template <typename List>
std::optional<Recipients::Judgement> judge_listing(List& list, std::string_view address, Listed if_listed,
                                                   std::string_view recipient) {
  switch (list.listing_of(address)) {
    case AddressList::Listing::unlisted: break;
    case AddressList::Listing::listed: return Recipients::Judgement{if_listed.event, recipient, {}, if_listed.said_by};
    case AddressList::Listing::unknowable:
      return Recipients::Judgement{Event::recipient_unknowable, recipient, list.problem(), if_listed.said_by};
  }
  return std::nullopt;
}

}  // namespace

Recipients::Judgement Recipients::judge(std::string_view reverse_path, std::string_view forward_path,
                                        const Client& client) {
  address_ = forward_path;
  if (!client.may_ask_to_relay && asks_to_relay(address_))
    return {Event::recipient_relay_requested, address_, {}, "RELAYREJ"};
  return lists_ != nullptr ? judge_by(*lists_, reverse_path, client) : judge_by(own_, reverse_path, client);
}

template <typename Lists>
Recipients::Judgement Recipients::judge_by(Lists& lists, std::string_view reverse_path, const Client& client) {
  if (auto refused =
          judge_listing(*lists.badmailfrom, reverse_path, {Event::recipient_sender_refused, "badmailfrom"}, address_))
    return *std::move(refused);
  if (const std::size_t at = address_.rfind("@["); at != std::string::npos) {
    const auto name = lists.local_name_for(std::string_view(address_).substr(at + 1), client.local_ip);
    if (!name) return {Event::recipient_unknowable, address_, config::describe(name.error()), "localiphost"};
    if (const std::optional<std::string>& host = *name; host) address_.replace(at + 1, std::string::npos, *host);
  }
  std::string problem;
  const RcptHosts::Standing standing = lists.rcpthosts->standing_of(address_, problem);
  if (standing == RcptHosts::Standing::unknowable)
    return {Event::recipient_unknowable, address_, std::move(problem), rcpthosts};
  if (standing == RcptHosts::Standing::foreign && !client.may_relay)
    return {Event::recipient_foreign, address_, {}, rcpthosts};
  Judgement judgement = judge_mailbox(lists, standing, client);
  if (judgement.event == Event::recipient_ours || judgement.event == Event::recipient_foreign) {
    address_ += client.relay_value;
    judgement.address = address_;
  }
  return judgement;
}

// Of a recipient that the policy takes, unless a list of recipients says no.
template <typename Lists>
Recipients::Judgement Recipients::judge_mailbox(Lists& lists, RcptHosts::Standing standing, const Client& client) {
  if (auto refused = judge_listing(*lists.badrcptto, address_, {Event::recipient_refused, "badrcptto"}, address_))
    return *std::move(refused);
  if (standing == RcptHosts::Standing::foreign) return {Event::recipient_foreign, address_, {}, rcpthosts};
  if (client.may_relay) return {Event::recipient_ours, address_};
  std::string problem;
  switch (lists.standing_in(client.valid_recipients, address_, problem)) {
    case ValidRecipients::Standing::valid: break;
    case ValidRecipients::Standing::unknown: return {Event::recipient_unknown, address_, {}, "validrcptto"};
    case ValidRecipients::Standing::unknowable:
      return {Event::recipient_unknowable, address_, std::move(problem), "validrcptto"};
  }
  return {Event::recipient_ours, address_};
}

}  // namespace postern::ask
