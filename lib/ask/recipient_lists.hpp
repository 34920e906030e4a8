// The control files by which recipients are judged: badmailfrom, rcpthosts, morercpthosts.cdb, localiphost and me.
// in      domains that are ours in place of control/rcpthosts, one a line; none: the file
// out     their judges. Each reads its file when it is first asked; or read() reads them all, and from then on a const
//         RecipientLists is a view that many threads may ask at once, and that reads nothing
// errors  what cannot be read is unknowable to who needs it; how many those are says unreadable(), for who may try again
// source  qmail-control(5)
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "ask/badmailfrom.hpp"
#include "ask/localiphost.hpp"
#include "ask/rcpthosts.hpp"

namespace postern::ask {

class RecipientLists {
 public:
  RecipientLists() = default;
  explicit RecipientLists(std::string domains) : rcpthosts(std::move(domains)) {}

  void read();
  [[nodiscard]] std::size_t unreadable() const;

  // Of localiphost.hpp.
  [[nodiscard]] config::ControlResult<std::string> local_name_for(std::string_view domain, std::string_view local_ip) {
    return ask::local_name_for(domain, local_ip);
  }
  [[nodiscard]] config::ControlResult<std::string> local_name_for(std::string_view domain,
                                                                  std::string_view local_ip) const;

  BadMailFrom badmailfrom;
  RcptHosts rcpthosts;

 private:
  config::ControlResult<std::string> local_name_;
};

}  // namespace postern::ask
