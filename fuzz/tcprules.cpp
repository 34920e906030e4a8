// A client and the rules of a cdb: [kind] [16 octets: address] HOST NUL INFO NUL, then the file, or what is to be in it.
// oracle  a look-up that writes down all keys of tcprules(1), one below the other, and goes through all records for each; in
//         a file of junk: what is found is in the file. The file lies in memory (/dev/shm), in a folder of this process
#include <cdb.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "config/client_rules.hpp"
#include "config/tcp_rule.hpp"
#include "fuzz/must.hpp"

namespace {

using namespace postern;
using fuzz::must;
using Standing = config::ClientRule::Standing;
using Records = std::vector<std::pair<std::string, std::string>>;

// Takes octets from the front of an input.
struct Input {
  std::string_view rest;

  unsigned octet() {
    if (rest.empty()) return 0;
    const auto octet = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    return octet;
  }
  std::string octets(std::size_t count) {
    const std::string text(rest.substr(0, count));
    rest.remove_prefix(std::min(count, rest.size()));
    return text;
  }
  std::string text() {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    std::string text = octets(end);
    static_cast<void>(octet());
    return text;
  }
};

struct Client {
  std::vector<unsigned> octets;
  std::string host, info;
  bool has_host, has_info;
};

std::string hex(unsigned octet, const char* format) {
  char text[3];
  std::snprintf(text, sizeof text, format, octet);
  return text;
}

std::vector<std::string> naive_spellings(const Client& client, std::string_view written) {
  if (client.octets.size() == 4) return {std::string(written)};
  std::string capitals, small;
  for (std::size_t i = 0; i < 16; ++i) {
    capitals += hex(client.octets[i], "%02X") + (i % 2 == 1 && i < 15 ? ":" : "");
    small += hex(client.octets[i], "%02x") + (i % 2 == 1 && i < 15 ? ":" : "");
  }
  return {capitals, small, std::string(written)};
}

std::vector<std::string> naive_networks(const Client& client) {
  const bool is_ipv4 = client.octets.size() == 4;
  std::string bits = is_ipv4 ? "_" : "^";
  char next = '`';
  for (std::size_t i = 0; i < client.octets.size() * 8; ++i) {
    const bool is_set = client.octets[i / 8] >> (7 - i % 8) & 1U;
    if (!is_set)
      bits += '0';
    else if (is_ipv4)
      bits += static_cast<char>(i < 26 ? 'a' + i : '1' + (i - 26));
    else
      bits += next++;
  }
  std::vector<std::string> networks;
  for (; bits.size() > 2; bits.pop_back()) networks.push_back(bits);
  return networks;
}

// All keys, in their order.
std::vector<std::string> naive_keys(const Client& client, std::string_view written) {
  std::vector<std::string> keys;
  const auto spellings = naive_spellings(client, written);
  if (client.has_info) {
    for (const std::string& each : spellings) keys.push_back(client.info + "@" + each);
    if (client.has_host) keys.push_back(client.info + "@=" + client.host);
  }
  for (const std::string& each : spellings) keys.push_back(each);
  if (client.has_host) keys.push_back("=" + client.host);
  for (std::string prefix = spellings.back(); !prefix.empty(); prefix.pop_back())
    if (prefix.ends_with('.') || prefix.ends_with(':')) keys.push_back(prefix);
  for (const std::string& each : naive_networks(client)) keys.push_back(each);
  if (client.has_host) {
    for (std::string suffix = client.host; !suffix.empty(); suffix.erase(0, 1))
      if (suffix.starts_with('.')) keys.push_back("=" + suffix);
    keys.emplace_back("=");
  }
  keys.emplace_back("");
  return keys;
}

// [which key of the client, or none] [octets of the value] KEY NUL, the value, and so on.
Records records_of(Input input, const std::vector<std::string>& keys) {
  Records records;
  while (!input.rest.empty() && records.size() < 64) {
    const unsigned which = input.octet(), octets = input.octet() % 32;
    std::string key = which < 192 ? keys[which % keys.size()] : input.text();
    records.emplace_back(key, input.octets(octets));
  }
  return records;
}

void write_file(std::string_view octets) {
  std::FILE* const file = std::fopen("rules.cdb", "wb");
  must(file != nullptr && std::fwrite(octets.data(), 1, octets.size(), file) == octets.size() && std::fclose(file) == 0,
       "cannot write in /dev/shm");
}

void write_records(const Records& records) {
  const int descriptor = ::open("rules.cdb", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  cdb_make maker{};
  must(cdb_make_start(&maker, descriptor) == 0, "no cdb");
  for (const auto& [key, value] : records)
    must(cdb_make_add(&maker, key.data(), static_cast<unsigned>(key.size()), value.data(),
                      static_cast<unsigned>(value.size())) == 0,
         "no record");
  must(cdb_make_finish(&maker) == 0 && ::close(descriptor) == 0, "no cdb");
}

// What has just been written is not read before a clock could tell a change of it from this one.
void make_old() {
  constexpr timespec then{.tv_sec = 1'000'000'000, .tv_nsec = 0};
  const std::array<timespec, 2> times{then, then};
  must(::utimensat(AT_FDCWD, "rules.cdb", times.data(), 0) == 0, "no times");
}

// Items end with NUL; one that begins with D denies, be it ended or not.
bool naive_denies(const std::string& value) {
  for (std::size_t at = 0; at < value.size(); at = value.find('\0', at) + 1) {
    if (value[at] == 'D') return true;
    if (value.find('\0', at) == std::string::npos) return false;
  }
  return false;
}

void check_value(std::string_view value) {
  config::TcpRuleItems items(value);
  for (std::size_t most = value.size() + 1; const auto item = items.next(); --most) {
    must(most > 0, "items without end");
    must(item->text.data() >= value.data() && item->text.data() + item->text.size() <= value.data() + value.size(),
         "an item outside its value");
    if (item->kind != config::TcpRuleItem::Kind::sets) continue;
    must(std::string(item->name) + "=" + std::string(item->value) == item->assignment.data(),
         "no string for an environment");
  }
}

void check_rule(const config::ClientRule& rule, const std::vector<std::string>& keys, const Records& records) {
  for (const std::string& key : keys)
    for (const auto& [its_key, value] : records) {
      if (its_key != key) continue;
      must(rule.key == key && rule.value == value, "another rule");
      must(rule.standing == (naive_denies(value) ? Standing::denied : Standing::allowed), "another standing");
      return check_value(rule.value);
    }
  must(rule.standing == Standing::not_found, "a rule that is not there");
}

// A folder of our own.
void make_home() {
  static char path[] = "/dev/shm/postern-rules-XXXXXX";
  must(mkdtemp(path) != nullptr && chdir(path) == 0, "no folder in /dev/shm");
  std::atexit([] { std::filesystem::remove_all(std::filesystem::current_path()); });
}

base::Address address_of(std::string octets, bool is_ipv4) {
  octets.resize(16);
  std::array<std::uint8_t, 16> room;
  std::ranges::transform(octets, room.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return is_ipv4 ? base::Address::of_ipv4(std::span(room).first<4>()) : base::Address::of_ipv6(room);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool is_at_home = (make_home(), true);
  static_cast<void>(is_at_home);
  Input input{{reinterpret_cast<const char*>(data), size}};
  const unsigned kind = input.octet();
  const base::Address address = address_of(input.octets(kind & 1U ? 16 : 4), (kind & 1U) == 0);
  const std::string host = input.text(), info = input.text();
  config::ClientName name{address, {}, {}};
  if (kind & 2U) name.host = host;
  if (kind & 4U) name.info = info;
  const Client client{
      {address.octets().begin(), address.octets().end()}, host, info, name.host.has_value(), name.info.has_value()};
  const auto keys = naive_keys(client, base::write(address).view());
  const bool is_junk = (kind & 0x70U) == 0x70U;
  const Records records = is_junk ? Records{} : records_of(input, keys);
  const std::string_view junk = input.rest;
  is_junk ? write_file(junk) : write_records(records);
  make_old();
  config::ClientRules rules("rules.cdb");
  const auto news = rules.refresh({});
  must((news == config::ClientRules::News::refused) != rules.problem().empty(), "refused without a reason");
  const config::ClientRule rule = rules.find(name);
  if (!is_junk) must(news == config::ClientRules::News::reread, "a cdb is refused");
  if (!is_junk) return check_rule(rule, keys, records), 0;
  if (news == config::ClientRules::News::refused) must(rule.standing == Standing::unreadable, "a rule of nothing");
  must(junk.contains(rule.value), "a value that is not in the file");
  check_value(rule.value);
  return 0;
}
