// The files by which recipients are judged: badmailfrom, badrcptto, rcpthosts, morercpthosts.cdb, localiphost and me of the
// control folder, and each cdb of valid recipients.
// in      domains that are ours in place of control/rcpthosts, one a line; none: the file
// out     their judges. Each reads its file when it is first asked; or read() reads them all, and from then on a const
//         RecipientLists is a view that many threads may ask at once, and that reads nothing. A cdb of valid recipients is
//         named by its path as in ask/valid_recipients.hpp, the empty one is always read
// lives   each file's content as long as any RecipientLists that has it: read_rest() and add() share what another one has read
// errors  what cannot be read is unknowable; unreadable() says how many those are, for a caller that may try again
// source  qmail-control(5)
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "ask/address_list.hpp"
#include "ask/localiphost.hpp"
#include "ask/rcpthosts.hpp"
#include "ask/valid_recipients.hpp"

namespace postern::ask {

// One file's judge, which several lists may have once it is read; constant in a constant one.
template <typename Judge>
class Shared {
 public:
  template <typename... From>
  explicit Shared(From&&... from) : judge_(std::make_shared<Judge>(std::forward<From>(from)...)) {}
  Judge* operator->() { return judge_.get(); }
  const Judge* operator->() const { return judge_.get(); }
  Judge& operator*() { return *judge_; }
  const Judge& operator*() const { return *judge_; }

 private:
  std::shared_ptr<Judge> judge_;
};

class RecipientLists {
 public:
  RecipientLists() = default;
  explicit RecipientLists(const std::string& domains) : rcpthosts(domains) {}

  using Paths = std::set<std::string, std::less<>>;
  // valid_recipients   the paths of their cdbs
  void read(const Paths& valid_recipients = {});
  // The same, but what `before` could read is shared with it, and not read again.
  void read_rest(const RecipientLists& before, const Paths& valid_recipients);
  // Cdbs of valid recipients besides: as read_rest() has them.
  void add(const RecipientLists& before, const Paths& valid_recipients);
  [[nodiscard]] std::size_t unreadable() const;
  // Whether it has read these, and no others.
  [[nodiscard]] bool has_read(const Paths& valid_recipients) const;
  // After read(): that of control/validrcptto.cdb.
  [[nodiscard]] const ValidRecipients& usual_valid_recipients() const { return *valid_recipients_.find("")->second; }

  // Of the cdb of that path.
  [[nodiscard]] ValidRecipients::Standing standing_in(std::string_view path, std::string_view address,
                                                      std::string& problem);
  [[nodiscard]] ValidRecipients::Standing standing_in(std::string_view path, std::string_view address,
                                                      std::string& problem) const;

  // Of localiphost.hpp.
  [[nodiscard]] config::ControlResult<std::string> local_name_for(std::string_view domain, std::string_view local_ip) {
    return ask::local_name_for(domain, local_ip);
  }
  [[nodiscard]] config::ControlResult<std::string> local_name_for(std::string_view domain,
                                                                  std::string_view local_ip) const;

  Shared<AddressList> badmailfrom{"badmailfrom"};
  Shared<AddressList> badrcptto{"badrcptto"};
  Shared<RcptHosts> rcpthosts;

 private:
  std::map<std::string, Shared<ValidRecipients>, std::less<>> valid_recipients_;  // by path
  config::ControlResult<std::string> local_name_;
};

}  // namespace postern::ask
