// What a proxy sends first: any octets.
// oracle  a naive reader of proxy-protocol.txt 2.1 and 2.2, with addresses by RFC 4291 2.2, says the same; any cut leaves
//         the answer as it is, or partial; nothing is consumed that is not there; an unreadable page after the octets
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/must.hpp"
#include "server/client/proxy_header.hpp"
#include "testing/guard_page.hpp"

namespace {

using namespace postern;
using base::Endpoint;
using fuzz::must;
using server::ProxyHeader;
using Kind = ProxyHeader::Kind;

constexpr std::size_t most_octets = 4096;

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

std::optional<unsigned> naive_number(const std::string& text, unsigned most) {
  if (text.empty() || text.size() > 5 || (text[0] == '0' && text != "0")) return std::nullopt;
  unsigned number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  return number <= most ? std::optional(number) : std::nullopt;
}

std::optional<std::vector<std::uint8_t>> naive_ipv4(const std::string& text) {
  std::vector<std::uint8_t> octets;
  for (const std::string& part : split(text, '.')) {
    const auto number = naive_number(part, 255);
    if (!number) return std::nullopt;
    octets.push_back(static_cast<std::uint8_t>(*number));
  }
  return octets.size() == 4 ? std::optional(octets) : std::nullopt;
}

// Groups of one side of the `::`; only the last of all may be an IPv4 address.
bool add_groups(const std::string& side, bool is_last, std::vector<std::uint8_t>& octets) {
  if (side.empty()) return true;
  const auto groups = split(side, ':');
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (is_last && i + 1 == groups.size() && groups[i].find('.') != std::string::npos) {
      const auto ipv4 = naive_ipv4(groups[i]);
      if (!ipv4) return false;
      octets.insert(octets.end(), ipv4->begin(), ipv4->end());
      continue;
    }
    if (groups[i].empty() || groups[i].size() > 4) return false;
    if (groups[i].find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return false;
    const unsigned long number = std::strtoul(groups[i].c_str(), nullptr, 16);
    octets.push_back(static_cast<std::uint8_t>(number >> 8U));
    octets.push_back(static_cast<std::uint8_t>(number & 0xFFU));
  }
  return true;
}

std::optional<std::vector<std::uint8_t>> naive_ipv6(const std::string& text) {
  std::vector<std::uint8_t> before, behind;
  const std::size_t gap = text.find("::");
  if (gap == std::string::npos)
    return text.find(':') != std::string::npos && add_groups(text, true, before) && before.size() == 16
               ? std::optional(before)
               : std::nullopt;
  if (!add_groups(text.substr(0, gap), false, before) || !add_groups(text.substr(gap + 2), true, behind))
    return std::nullopt;
  if (before.size() + behind.size() > 14) return std::nullopt;
  before.resize(16 - behind.size());
  before.insert(before.end(), behind.begin(), behind.end());
  return before;
}

base::Address address_of(const std::vector<std::uint8_t>& octets) {
  const std::span<const std::uint8_t> view(octets);
  return octets.size() == 4 ? base::Address::of_ipv4(view.first<4>()) : base::Address::of_ipv6(view.first<16>());
}

const ProxyHeader naive_malformed{.kind = Kind::malformed};

ProxyHeader naive_line(const std::string& all) {
  const std::string text = all.substr(0, 107);
  std::size_t end = 0;
  while (end < text.size() && text[end] != '\r' && text[end] != '\n') ++end;
  if (end < text.size() && text[end] == '\n') return naive_malformed;
  if (end + 1 >= text.size()) return text.size() == 107 ? naive_malformed : ProxyHeader{};
  if (text[end + 1] != '\n') return naive_malformed;
  const auto words = split(text.substr(0, end), ' ');
  if (words[1] == "UNKNOWN") return {.kind = Kind::no_address, .consumed = end + 2};
  if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) return naive_malformed;
  const auto parse = words[1] == "TCP4" ? naive_ipv4 : naive_ipv6;
  const auto source = parse(words[2]), destination = parse(words[3]);
  const auto source_port = naive_number(words[4], 65535), destination_port = naive_number(words[5], 65535);
  if (!source || !destination || !source_port || !destination_port) return naive_malformed;
  return {.kind = Kind::proxied,
          .consumed = end + 2,
          .source = {address_of(*source), static_cast<std::uint16_t>(*source_port)},
          .destination = {address_of(*destination), static_cast<std::uint16_t>(*destination_port)}};
}

ProxyHeader naive_block(const std::string& all) {
  std::vector<std::uint8_t> octets(all.begin(), all.end());
  if (octets.size() < 16) return {};
  if (octets[12] / 16 != 2 || octets[12] % 16 > 1) return naive_malformed;
  const std::size_t length = octets[14] * 256U + octets[15];
  if (length > server::max_proxy_block_octets) return naive_malformed;
  if (octets.size() < 16 + length) return {};
  const ProxyHeader nobody{.kind = Kind::no_address, .consumed = 16 + length};
  if (octets[12] % 16 == 0 || octets[13] == 0) return nobody;
  const unsigned family = octets[13] / 16, protocol = octets[13] % 16;
  if (family < 1 || family > 3 || protocol < 1 || protocol > 2) return naive_malformed;
  const std::size_t size = family == 1 ? 4 : family == 2 ? 16 : 108;
  const bool has_addresses = family < 3 && protocol == 1;
  if (family == 3 && length < 2 * size) return naive_malformed;
  if (!has_addresses) return nobody;
  if (length < 2 * size + 4) return naive_malformed;
  const auto at = [&](std::size_t from) { return octets.begin() + 16 + static_cast<std::ptrdiff_t>(from); };
  const auto port = [&](std::size_t from) { return static_cast<std::uint16_t>(*at(from) * 256U + *at(from + 1)); };
  return {.kind = Kind::proxied,
          .consumed = 16 + length,
          .source = {address_of({at(0), at(size)}), port(2 * size)},
          .destination = {address_of({at(size), at(2 * size)}), port(2 * size + 2)}};
}

ProxyHeader naive_header(const std::string& all) {
  const std::string line = "PROXY ", block("\r\n\r\n\0\r\nQUIT\n", 12);
  if (all.starts_with(line)) return naive_line(all);
  if (all.starts_with(block)) return naive_block(all);
  return line.starts_with(all) || block.starts_with(all) ? ProxyHeader{} : naive_malformed;
}

ProxyHeader without_problem(ProxyHeader header) {
  must((header.kind == Kind::malformed) == (header.problem != server::ProxyProblem::none),
       "malformed without a reason");
  must((header.problem == server::ProxyProblem::none) == server::describe(header.problem).empty(),
       "a reason without words");
  header.problem = server::ProxyProblem::none;
  return header;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static testing::GuardedOctets guarded(most_octets);
  if (size > most_octets) return 0;
  const std::string all(data, data + size);
  const ProxyHeader whole = server::parse_proxy_header(guarded.before_guard(all));
  must(whole.consumed <= size, "octets are consumed that are not there");
  must(without_problem(whole) == naive_header(all), "the naive reader reads otherwise");
  for (std::size_t cut = 0; cut < size; cut += 1 + cut / 128 * 16) {
    const ProxyHeader part = server::parse_proxy_header(guarded.before_guard(std::string_view(all).substr(0, cut)));
    must(part.kind == Kind::partial || part == whole, "a cut changes the answer");
    must(whole.kind == Kind::malformed || cut >= whole.consumed || part.kind == Kind::partial, "too little is enough");
  }
  return 0;
}
