// The order of the keys is that of rules.c: each of these functions is one of its blocks, and says whether the search is
// at its end. A network of n bits is the key `_` (IPv4) or `^` (IPv6) and n octets, `0` for a bit that is not set. A bit
// that is set is written as a letter which depends on its place (IPv4), or on how many are set before it (IPv6).
#include "config/client_rules.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "config/tcp_rule.hpp"

namespace postern::config {
namespace {

using Standing = ClientRule::Standing;

// The ways to write one address, in the order in which they are searched for.
struct Spellings {
  std::array<base::AddressText, 3> texts;
  std::size_t count = 0;

  [[nodiscard]] std::string_view shortest() const { return texts[count - 1].view(); }
};

base::AddressText expanded(const base::Address& address, std::string_view digits) {
  base::AddressText text;
  std::size_t at = 0;
  for (const std::uint8_t octet : address.octets()) {
    if (at != 0 && at % 2 == 0) text.append(":");
    text.append(digits.substr(octet >> 4U, 1));
    text.append(digits.substr(octet & 0x0FU, 1));
    ++at;
  }
  return text;
}

Spellings spellings_of(const base::Address& address) {
  if (address.is_ipv4()) return {{base::write(address)}, 1};
  return {{expanded(address, "0123456789ABCDEF"), expanded(address, "0123456789abcdef"), base::write(address)}, 3};
}

std::string bits_of(const base::Address& address) {
  constexpr std::string_view ipv4_letters = "abcdefghijklmnopqrstuvwxyz123456";
  constexpr unsigned first_ipv6_letter = 96;
  std::string text;
  unsigned set_before = 0;
  for (const std::uint8_t octet : address.octets())
    for (unsigned bit = 0; bit < 8; ++bit) {
      if ((octet & 0x80U >> bit) == 0)
        text += '0';
      else if (address.is_ipv4())
        text += ipv4_letters[text.size()];
      else
        text += static_cast<char>(first_ipv6_letter + set_before++);
    }
  return text;
}

class Search {
 public:
  Search(const CdbFile& file, std::string& key, const ClientName& client)
      : file_(file), key_(key), client_(client), spellings_(spellings_of(client.address)) {}

  ClientRule run() {
    if (finds_user() || finds_client() || finds_prefix() || finds_network() || finds_domain()) return rule_;
    static_cast<void>(finds(""));
    return rule_;
  }

 private:
  bool finds(std::string_view begin, std::string_view end = {}) {
    key_.assign(begin).append(end);
    const auto found = file_.look_up(key_);
    if (found && !found->has_value()) return false;
    rule_.key = key_;
    rule_.standing = Standing::unreadable;
    if (!found) return true;
    rule_.value = found->value_or(std::string_view());
    rule_.standing = denies(rule_.value) ? Standing::denied : Standing::allowed;
    return true;
  }

  bool finds_user() {
    if (!client_.info) return false;
    const std::string user = std::string(*client_.info) + "@";
    for (std::size_t i = 0; i < spellings_.count; ++i)
      if (finds(user, spellings_.texts[i].view())) return true;
    return client_.host && finds(user + "=", *client_.host);
  }

  bool finds_client() {
    for (std::size_t i = 0; i < spellings_.count; ++i)
      if (finds(spellings_.texts[i].view())) return true;
    return client_.host && finds("=", *client_.host);
  }

  bool finds_prefix() {
    const std::string_view text = spellings_.shortest();
    for (std::size_t octets = text.size(); octets > 0; --octets)
      if ((text[octets - 1] == '.' || text[octets - 1] == ':') && finds(text.substr(0, octets))) return true;
    return false;
  }

  bool finds_network() {
    const std::string bits = bits_of(client_.address);
    // A network of one bit is never looked for, nor is one of none.
    for (std::size_t octets = bits.size(); octets > 1; --octets)
      if (finds(client_.address.is_ipv4() ? "_" : "^", std::string_view(bits).substr(0, octets))) return true;
    return false;
  }

  bool finds_domain() {
    if (!client_.host) return false;
    for (std::size_t at = client_.host->find('.'); at != client_.host->npos; at = client_.host->find('.', at + 1))
      if (finds("=", client_.host->substr(at))) return true;
    return finds("=");
  }

  const CdbFile& file_;
  std::string& key_;
  const ClientName& client_;
  Spellings spellings_;
  ClientRule rule_;
};

std::string reason_for(int error_number) {
  if (error_number == ESTALE)
    return "changes while it is read; make it with tcprules, which writes another file and renames it";
  return error_number == EPROTO ? "is not a cdb; make it with tcprules"
                                : std::string("cannot be read: ") + std::strerror(error_number);
}

// Of the process or the machine, not of the file: the next look may succeed.
bool may_pass(int error_number) {
  return error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM || error_number == EIO ||
         error_number == ESTALE;
}

}  // namespace

ClientRules::Identity ClientRules::identity_of(const char* path) {
  struct stat status{};
  if (::stat(path, &status) != 0) return {.error_number = errno};
  return {.error_number = 0,
          .device = status.st_dev,
          .inode = status.st_ino,
          .changed_seconds = status.st_mtim.tv_sec,
          .changed_nanoseconds = status.st_mtim.tv_nsec,
          .octets = status.st_size};
}

ClientRules::News ClientRules::refresh(base::Time now) {
  if (looked_at_ && now - *looked_at_ < std::chrono::seconds(1)) return News::none;
  looked_at_ = now;
  const Identity identity = identity_of(path_.c_str());
  if (identity == seen_) return News::none;
  seen_ = identity;
  auto file = std::make_unique<CdbFile>();
  if (const int error_number = file->open_copy(path_.c_str()); error_number != 0) {
    if (may_pass(error_number)) seen_ = {};
    problem_ = path_ + " " + reason_for(error_number) + (file_ ? "; the previous rules stay in use" : "");
    return News::refused;
  }
  file_ = std::move(file);
  problem_.clear();
  return News::reread;
}

ClientRule ClientRules::find(const ClientName& client, std::string& key) const {
  if (!file_) return {.standing = Standing::unreadable, .key = {}, .value = {}};
  return Search(*file_, key, client).run();
}

}  // namespace postern::config
