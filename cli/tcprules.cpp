#include "cli/tcprules.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string_view>

#include "cli/configuration.hpp"
#include "daemon/cdb_file.hpp"
#include "daemon/tcp_rule.hpp"

namespace postern::cli {
namespace {

constexpr std::size_t records_begin = 2048;  // behind the 256 pairs of the head

std::uint32_t number_at(std::string_view file, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 4; i-- > 0;) number = number << 8 | static_cast<unsigned char>(file[at + i]);
  return number;
}

// Addresses are digits, dots, names behind `=`, users before `@`; IPv6 and bit strings in some forks, of which those
// behind `^` hold an octet from 96 on for each bit that is set.
bool can_match(std::string_view address) {
  if (address.starts_with('^'))
    return std::ranges::all_of(address.substr(1),
                               [](char c) { return c == '0' || static_cast<unsigned char>(c) >= 96; });
  constexpr std::string_view allowed = "._-=@:^%/";
  return std::ranges::all_of(address, [&](char c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return is_letter || (c >= '0' && c <= '9') || allowed.find(c) != std::string_view::npos;
  });
}

void take_item(TcpClass& tcp_class, const daemon::TcpRuleItem& item) {
  switch (item.kind) {
    case daemon::TcpRuleItem::Kind::denies: tcp_class.is_denied = true; break;
    case daemon::TcpRuleItem::Kind::sets: tcp_class.sets.emplace_back(item.name, item.value); break;
    case daemon::TcpRuleItem::Kind::unknown:
      tcp_class.problem = "its value holds \"" + std::string(item.text) + "\", which is neither D nor +NAME=VALUE";
      break;
  }
}

TcpClass class_of(std::string_view key, std::string_view value) {
  TcpClass tcp_class{.address = std::string(key), .is_denied = false, .sets = {}, .problem = {}};
  if (!can_match(key)) tcp_class.problem = "no client has such an address: the line was not meant as an address";
  daemon::TcpRuleItems items(value);
  while (const auto item = items.next()) take_item(tcp_class, *item);
  return tcp_class;
}

}  // namespace

std::vector<TcpClass> read_tcprules(const std::string& path) {
  if (const auto condition = daemon::inspect_cdb(path.c_str()); condition != daemon::CdbCondition::usable)
    throw UsageError(path + (condition == daemon::CdbCondition::malformed ? ": is not a cdb; make it with tcprules"
                                                                          : ": cannot be read"));
  std::ifstream stream(path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(stream), {}};
  // The records end where the first hash table begins.
  std::size_t end = file.size();
  for (std::size_t i = 0; i < records_begin && file.size() >= records_begin; i += 8) {
    const bool has_slots = number_at(file, i + 4) != 0;
    if (has_slots) end = std::min<std::size_t>(end, number_at(file, i));
  }
  std::vector<TcpClass> classes;
  for (std::size_t at = records_begin; at + 8 <= end;) {
    const std::size_t key_octets = number_at(file, at), value_octets = number_at(file, at + 4);
    if (key_octets > end - at - 8 || value_octets > end - at - 8 - key_octets)
      throw UsageError(path + ": a record reaches over the end; make the cdb again with tcprules");
    const std::string_view record = std::string_view(file).substr(at + 8, key_octets + value_octets);
    classes.push_back(class_of(record.substr(0, key_octets), record.substr(key_octets)));
    at += 8 + record.size();
  }
  return classes;
}

}  // namespace postern::cli
