#include "ask/recipients.hpp"

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
  return lists_ != nullptr ? judge_by(*lists_, reverse_path, client) : judge_by(own_, reverse_path, client);
}

template <typename Lists>
Recipients::Judgement Recipients::judge_by(Lists& lists, std::string_view reverse_path, const Client& client) {
  switch (lists.badmailfrom.listing_of(reverse_path)) {
    case BadMailFrom::Listing::unlisted: break;
    case BadMailFrom::Listing::listed: return {Event::recipient_sender_refused, address_};
    case BadMailFrom::Listing::unknowable: return {Event::recipient_unknowable, address_, lists.badmailfrom.problem()};
  }
  if (const std::size_t at = address_.rfind("@["); at != std::string::npos) {
    const auto name = lists.local_name_for(std::string_view(address_).substr(at + 1), client.local_ip);
    if (!name) return {Event::recipient_unknowable, address_, config::describe(name.error())};
    if (const std::optional<std::string>& host = *name; host) address_.replace(at + 1, std::string::npos, *host);
  }
  std::string problem;
  const RcptHosts::Standing standing = lists.rcpthosts.standing_of(address_, problem);
  if (standing == RcptHosts::Standing::unknowable) return {Event::recipient_unknowable, address_, std::move(problem)};
  address_ += client.relay_value;
  return {standing == RcptHosts::Standing::ours ? Event::recipient_ours : Event::recipient_foreign, address_};
}

}  // namespace postern::ask
