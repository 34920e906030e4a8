// Which rule of a tcprules cdb is a client's, as tcpserver finds it.
// in      the path of the cdb; a client's address, and its name and user if they are known
// out     ClientRule: denied or not, and the record's value, out of which config::TcpRuleItems reads what to set. The value
//         is the client's class: equal values are equal classes, so it may be the key of a cache
// lives   key and value until the next call of anything here; of the const find(): the key with what it was searched in, the
//         value with the rules
// errors  a file that becomes invalid is refused: the previous rules stay in use, and `problem` has a sentence
// cost    a look-up takes up to 45 searches of IPv4, 150 of IPv6, in memory; the disk is asked once a second at most
// shared  the const find() alone, by any number of threads, while no thread calls refresh()
// keys    in this order, the first that is there: INFO@IP, INFO@=HOST, IP, =HOST, what stands before each dot of IP, the
//         last first, networks from long to short, =.SUFFIX of HOST from long to short, `=`, and the empty one. IPv6 has no
//         dots but colons; it is looked for expanded (capitals, then small letters), then short: both are in use
// source  tcprules(1); ucspi-tcp 0.88: rules.c; ucspi-tcp6 1.x: rules.c, ip4_bit.c, ip6_bit.c (networks)
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/network.hpp"
#include "base/sliding_count.hpp"
#include "config/cdb_file.hpp"

namespace postern::config {

struct ClientName {
  base::Address address;
  std::optional<std::string_view> host, info;  // TCPREMOTEHOST, TCPREMOTEINFO
};

struct ClientRule {
  enum class Standing : std::uint8_t {
    not_found,   // no rule, not even for everybody: allowed, and nothing is set
    allowed,     // sets what `value` holds
    denied,      // to be closed without a reply
    unreadable,  // the cdb is broken: to be closed without a reply, and logged
  };
  Standing standing = Standing::not_found;
  std::string_view key, value;
};

class ClientRules {
 public:
  explicit ClientRules(std::string path) : path_(std::move(path)) {}

  enum class News : std::uint8_t {
    none,
    reread,   // other rules from now on; also at the first call
    refused,  // `problem()` says why; it is said once of each state of the file
  };
  // Before the first look-up, and as often as wanted; `now` goes forward.
  [[nodiscard]] News refresh(base::Time now);
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool has_rules() const { return file_ != nullptr; }

  [[nodiscard]] ClientRule find(const ClientName& client) { return find(client, key_); }
  // `key`: room for those that are searched for.
  [[nodiscard]] ClientRule find(const ClientName& client, std::string& key) const;

 private:
  // What distinguishes a file from another, and from an earlier state.
  struct Identity {
    int error_number = -1;  // of stat(2)
    dev_t device = 0;
    ino_t inode = 0;
    std::int64_t changed_seconds = 0, changed_nanoseconds = 0;
    off_t octets = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  [[nodiscard]] static Identity identity_of(const char* path);

  std::string path_, problem_;
  Identity seen_;
  std::optional<base::Time> looked_at_;
  std::unique_ptr<CdbFile> file_;
  std::string key_;  // the last one searched for
};

}  // namespace postern::config
