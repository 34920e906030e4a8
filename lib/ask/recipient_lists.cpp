#include "ask/recipient_lists.hpp"

namespace postern::ask {

void RecipientLists::read() {
  badmailfrom.read();
  rcpthosts.read();
  local_name_ = read_local_name();
}

std::size_t RecipientLists::unreadable() const {
  return std::size_t{!badmailfrom.is_known()} + std::size_t{!rcpthosts.is_known()} + std::size_t{!local_name_};
}

config::ControlResult<std::string> RecipientLists::local_name_for(std::string_view domain,
                                                                  std::string_view local_ip) const {
  if (!is_literal_of(domain, local_ip)) return std::nullopt;
  return local_name_;
}

}  // namespace postern::ask
