#include "ask/address_list.hpp"

namespace postern::ask {

AddressList::Listing AddressList::listing_of(std::string_view address) { return judge(list_.load(), address); }

void AddressList::read() {
  if (list_.load() == config::ControlList::State::present) list_.sort();
}

AddressList::Listing AddressList::judge(config::ControlList::State state, std::string_view address) const {
  switch (state) {
    case config::ControlList::State::absent: return Listing::unlisted;
    case config::ControlList::State::unusable: return Listing::unknowable;
    case config::ControlList::State::present: break;
  }
  if (list_.contains(address)) return Listing::listed;
  const std::size_t at = address.rfind('@');
  const bool is_bad_host = at != std::string_view::npos && list_.contains(address.substr(at));
  return is_bad_host ? Listing::listed : Listing::unlisted;
}

}  // namespace postern::ask
