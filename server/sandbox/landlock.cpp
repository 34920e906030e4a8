#include "server/sandbox/landlock.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace postern::server {
namespace {

constexpr int oldest_abi_that_links = 2;

// As the kernel lays them out; the header of Debian 12 ends at ABI 2. What a kernel does not know stays 0.
struct Ruleset {
  std::uint64_t files, ports, scopes;
};
struct PortRule {
  std::uint64_t rights, port;
};
constexpr std::uint64_t truncate_right = 1U << 14U;
constexpr std::uint64_t bind_right = 1U << 0U, connect_right = 1U << 1U;
constexpr std::uint64_t signal_scope = 1U << 1U;
constexpr unsigned port_rule = 2;  // LANDLOCK_RULE_NET_PORT

constexpr std::uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t write_rights = read_rights | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                       LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                       LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | truncate_right;

// Every right that the ABI knows: what no rule gives is then refused, execution and device nodes among it.
Ruleset everything(int abi) {
  const unsigned file_rights = abi >= 5 ? 16 : abi >= 3 ? 15 : 14;
  return {.files = (1U << file_rights) - 1,
          .ports = abi >= 4 ? bind_right | connect_right : 0,
          .scopes = abi >= 6 ? signal_scope : 0};
}

std::string trouble(const std::string& what, int error) {
  return "cannot confine the process to its folders: " + what + ": " + ::strerror(error);
}

class Rules {
 public:
  explicit Rules(int abi)
      : handled_(everything(abi)),
        ruleset_(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled_, sizeof handled_, 0))) {
    if (!ruleset_.is_open()) error_ = trouble("new ruleset", errno);
  }

  void add_path(const std::string& path, std::uint64_t rights) {
    const base::Descriptor at(::open(path.c_str(), O_PATH | O_CLOEXEC));
    const bool must_be_there = (rights & LANDLOCK_ACCESS_FS_WRITE_FILE) != 0;
    // What permissions keep from this user no rule can give: the code that uses it says so, with a remedy.
    const bool may_be_left_out = errno == EACCES || (errno == ENOENT && !must_be_there);
    if (at.is_open())
      add_opened(at, path, rights);
    else if (!may_be_left_out)
      note(trouble(path, errno));
  }
  void add_opened(const base::Descriptor& at, const std::string& path, std::uint64_t rights) {
    struct stat about{};
    if (::fstat(at.number(), &about) == 0 && !S_ISDIR(about.st_mode))
      rights &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | truncate_right;
    const landlock_path_beneath_attr rule{.allowed_access = rights & handled_.files, .parent_fd = at.number()};
    add(LANDLOCK_RULE_PATH_BENEATH, &rule, path);
  }
  void add_ports(const std::vector<std::uint16_t>& ports, std::uint64_t right) {
    if ((handled_.ports & right) == 0) return;
    for (const std::uint16_t port : ports) {
      const PortRule rule{.rights = right, .port = port};
      add(port_rule, &rule, "port " + std::to_string(port));
    }
  }
  [[nodiscard]] std::expected<void, std::string> enforce() {
    if (error_.empty() && ::syscall(SYS_landlock_restrict_self, ruleset_.number(), 0) != 0)
      error_ = trouble("enforce", errno);
    if (!error_.empty()) return std::unexpected(std::move(error_));
    return {};
  }
  void note(std::string error) {
    if (error_.empty()) error_ = std::move(error);
  }

 private:
  void add(unsigned kind, const void* rule, const std::string& what) {
    if (error_.empty() && ::syscall(SYS_landlock_add_rule, ruleset_.number(), kind, rule, 0) != 0)
      error_ = trouble(what, errno);
  }

  Ruleset handled_;
  base::Descriptor ruleset_;
  std::string error_;
};

}  // namespace

std::vector<std::string> system_folders() {
  return {"/etc", "/run/systemd/resolve", "/usr/lib/ssl", "/usr/share/ca-certificates", "/usr/share/zoneinfo"};
}

int landlock_abi() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return static_cast<int>(std::max(abi, 0L));
}

std::expected<Landlock, std::string> restrict_reach(const SandboxPaths& reach) {
  const int abi = landlock_abi();
  if (abi < oldest_abi_that_links) return Landlock{};
  Rules rules(abi);
  for (const std::string& path : reach.writable) rules.add_path(path, write_rights);
  for (const std::string& path : reach.readable) rules.add_path(path, read_rights);
  rules.add_ports(reach.tcp_connect, connect_right);
  rules.add_ports(reach.tcp_bind, bind_right);
  // A new root may have no /proc; then nothing needs it either.
  base::Descriptor own_process(::open("/proc/self", O_PATH | O_CLOEXEC | O_DIRECTORY));
  if (own_process.is_open()) rules.add_opened(own_process, "/proc/self", read_rights);
  if (const auto done = rules.enforce(); !done) return std::unexpected(done.error());
  return Landlock{.abi = abi, .own_process = std::move(own_process)};
}

}  // namespace postern::server
