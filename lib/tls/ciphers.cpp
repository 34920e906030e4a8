#include "tls/ciphers.hpp"

#include <algorithm>
#include <array>

namespace postern::tls {
namespace {

constexpr std::array<std::string_view, 3> suites_of_1_3{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                                        "TLS_CHACHA20_POLY1305_SHA256"};
constexpr std::array<std::string_view, 3> aead{"AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"};

struct Exchange {
  std::string_view prefix;
  KeyKind key;
};
constexpr std::array exchanges{Exchange{"ECDHE-RSA-", KeyKind::rsa}, Exchange{"ECDHE-ECDSA-", KeyKind::ec},
                               Exchange{"DHE-RSA-", KeyKind::rsa}};

template <typename Names>
bool has(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Of a TLS 1.2 cipher: null when it is not known here.
const Exchange* exchange_of(std::string_view name) {
  const auto fits = [&](const Exchange& each) {
    return name.starts_with(each.prefix) && has(aead, name.substr(each.prefix.size()));
  };
  const auto found = std::ranges::find_if(exchanges, fits);
  return found == exchanges.end() ? nullptr : &*found;
}

}  // namespace

std::string_view take_cipher(std::string_view& list) {
  constexpr std::string_view between = ":, ";
  list.remove_prefix(std::min(list.find_first_not_of(between), list.size()));
  const std::string_view name = list.substr(0, list.find_first_of(between));
  list.remove_prefix(name.size());
  return name;
}

bool surely_selects(std::string_view ciphers, KeyKind key) {
  bool has_suite = false;
  bool has_older = false;
  bool has_usable = false;
  while (true) {
    const std::string_view name = take_cipher(ciphers);
    if (name.empty()) return has_older ? has_usable : has_suite;
    if (has(suites_of_1_3, name)) {
      has_suite = true;
      continue;
    }
    const Exchange* const exchange = exchange_of(name);
    if (exchange == nullptr) return false;
    has_older = true;
    has_usable = has_usable || exchange->key == key;
  }
}

}  // namespace postern::tls
