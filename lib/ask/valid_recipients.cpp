#include "ask/valid_recipients.hpp"

#include "spec/limits.hpp"

namespace postern::ask {

using Found = config::CdbFile::Found;

template <typename Self>
ValidRecipients::Standing ValidRecipients::judge(Self& self, std::string_view address, std::string& problem) {
  if (!address.contains('@')) return Standing::valid;  // RFC 5321 4.5.1
  const int error_number = self.open();
  if (self.is_absent()) return Standing::valid;
  const Found found = error_number != 0 ? std::unexpected(error_number) : search(self, config::in_lower_case(address));
  if (!found) {
    problem = config::describe_cdb_problem(self.path(), found.error());
    return Standing::unknowable;
  }
  const std::optional<std::string_view>& value = *found;
  const bool is_valid = value ? !value->starts_with('-') : is_postmaster(address);
  return is_valid ? Standing::valid : Standing::unknown;
}

template ValidRecipients::Standing ValidRecipients::judge(ValidRecipients&, std::string_view, std::string&);
template ValidRecipients::Standing ValidRecipients::judge(const ValidRecipients&, std::string_view, std::string&);

// The value of the first key that is there; an error is no reason to look further.
template <typename Self>
Found ValidRecipients::search(Self& self, std::string_view address) {
  Found found = self.find(address);
  const std::size_t at = address.rfind('@');
  const std::string_view local_part = address.substr(0, at), domain = address.substr(at);
  std::size_t dash = local_part.rfind('-');
  for (std::size_t keys = 0; keys < spec::max_default_keys && dash != std::string_view::npos; ++keys) {
    if (!found || found->has_value()) return found;
    found = self.find(std::string(local_part.substr(0, dash + 1)).append("default").append(domain));
    dash = dash == 0 ? std::string_view::npos : local_part.rfind('-', dash - 1);
  }
  return !found || found->has_value() ? found : self.find(domain);
}

// One that cannot be read is tried again: perhaps no descriptor was free just now.
int ValidRecipients::open() {
  if (is_known()) return error_.value_or(0);
  error_ = file_.open(path());
  return *error_;
}

void ValidRecipients::read() { error_ = file_.open_copy(path()); }

}  // namespace postern::ask
