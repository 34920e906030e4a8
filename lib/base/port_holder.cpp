#include "base/port_holder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <vector>

namespace postern::base {
namespace {

namespace fs = std::filesystem;

struct Listening {
  Endpoint at;
  ino_t inode = 0;
};

std::uint32_t hexadecimal(std::string_view text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, 16);
  return number;
}

// Words of 32 bits as this machine has them in memory: their octets are in network order.
Address address_of(std::string_view text) {
  constexpr std::size_t digits = 8;
  std::array<std::uint8_t, 16> octets{};
  for (std::size_t word = 0; word < text.size() / digits && word < 4; ++word) {
    const auto value = std::bit_cast<std::array<std::uint8_t, 4>>(hexadecimal(text.substr(word * digits, digits)));
    std::ranges::copy(value, octets.begin() + static_cast<std::ptrdiff_t>(word * 4));
  }
  return text.size() == digits ? Address::of_ipv4(std::span<const std::uint8_t, 16>(octets).first<4>())
                               : Address::of_ipv6(octets);
}

// `sl: local remote st tx:rx tr:when retransmits uid timeout inode`; 0A is TCP_LISTEN.
std::optional<Listening> parse(const std::string& line) {
  std::istringstream words(line);
  std::array<std::string, 10> word;
  for (std::string& each : word) words >> each;
  const std::size_t colon = word[1].find(':');
  if (word[3] != "0A" || colon == std::string::npos) return std::nullopt;
  const std::string_view local = word[1];
  Listening found{.at = {.address = address_of(local.substr(0, colon)),
                         .port = static_cast<std::uint16_t>(hexadecimal(local.substr(colon + 1)))},
                  .inode = 0};
  std::from_chars(word[9].data(), word[9].data() + word[9].size(), found.inode);
  return found;
}

bool is_everywhere(const Address& address) {
  return std::ranges::all_of(address.octets(), [](std::uint8_t octet) { return octet == 0; });
}

bool meet(const Endpoint& a, const Endpoint& b) {
  return a.port == b.port && (a.address == b.address || is_everywhere(a.address) || is_everywhere(b.address));
}

ino_t inode_of(int socket) {
  struct stat about{};
  return ::fstat(socket, &about) == 0 ? about.st_ino : 0;
}

std::string link_at(const fs::path& path) {
  std::error_code error;
  return fs::read_symlink(path, error).string();
}

bool has_socket(const fs::path& process, ino_t inode) {
  const std::string wanted = "socket:[" + std::to_string(inode) + "]";
  std::error_code error;
  for (fs::directory_iterator at(process / "fd", error), end; !error && at != end; at.increment(error))
    if (link_at(at->path()) == wanted) return true;
  return false;
}

std::optional<PortHolder> find_process(const std::function<bool(const fs::path&, pid_t)>& is_wanted) {
  std::error_code error;
  for (fs::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    pid_t number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ec != std::errc() || number <= 0 || !is_wanted(at->path(), number)) continue;
    PortHolder holder{.process = number, .name = {}};
    std::ifstream comm(at->path() / "comm");
    std::getline(comm, holder.name);
    return holder;
  }
  return std::nullopt;
}

}  // namespace

std::string describe(const PortHolder& holder) {
  return "process " + std::to_string(holder.process) + " (" + holder.name + ")";
}

std::optional<PortHolder> holder_of(const Endpoint& at, std::span<const int> own) {
  for (const char* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
      const auto found = parse(line);
      if (!found || found->inode == 0 || !meet(found->at, at)) continue;
      const bool is_own = std::ranges::any_of(own, [&](int socket) { return inode_of(socket) == found->inode; });
      if (is_own) continue;
      return find_process([&](const fs::path& process, pid_t) { return has_socket(process, found->inode); });
    }
  }
  return std::nullopt;
}

std::optional<PortHolder> sharer_of(int socket) {
  const std::string program = link_at("/proc/self/exe");
  const ino_t inode = inode_of(socket);
  return find_process([&](const fs::path& process, pid_t number) {
    return number != ::getpid() && link_at(process / "exe") == program && has_socket(process, inode);
  });
}

}  // namespace postern::base
