// Names of mailboxes: injective up to case, and never a way out of the root.
#include <rapidcheck.h>

#include <algorithm>
#include <ranges>
#include <string>
#include <string_view>

#include "config/maildir_name.hpp"

namespace {

using postern::config::encode_name;
using postern::config::mailbox_path;

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

// What a reader of the header would do, and so the proof that nothing is lost.
std::string decode(const std::string& path) {
  std::string octets;
  if (path == "%") return octets;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      octets += path[i];
    } else if (path[i + 1] == '/') {
      ++i;
    } else {
      octets += static_cast<char>(std::stoi(path.substr(i + 1, 2), nullptr, 16));
      i += 2;
    }
  }
  return octets;
}

bool is_harmless(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name.front() != '.' && !name.contains('\0') &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
}

bool all_names_are_harmless(const std::string& path) {
  for (const auto name : std::views::split(path, '/'))
    if (!is_harmless({name.begin(), name.end()})) return false;
  return true;
}

// Dots, slashes and capitals far more often than chance would have them, and sometimes very long.
rc::Gen<std::string> address_octets() {
  const auto octet = rc::gen::weightedOneOf<char>({{4, rc::gen::elementOf(std::string("./.%~-@ "))},
                                                   {4, rc::gen::elementOf(std::string("abcABCtmpnewcur019"))},
                                                   {2, rc::gen::nonZero<char>()}});
  const auto usual = rc::gen::container<std::string>(octet);
  const auto longer = rc::gen::mapcat(rc::gen::inRange<std::size_t>(150, 1000), [octet](std::size_t octets) {
    return rc::gen::container<std::string>(octets, octet);
  });
  return rc::gen::weightedOneOf<std::string>({{3, usual}, {1, longer}});
}

}  // namespace

int main() {
  bool ok = true;
  ok &= rc::check("a name can be read back", [] {
    const std::string octets = *address_octets();
    RC_ASSERT(decode(encode_name(octets)) == lower_case(octets));
  });
  ok &= rc::check("two names are equal only when they differ in case", [] {
    const std::string a = *address_octets();
    const std::string b = *address_octets();
    RC_ASSERT((encode_name(a) == encode_name(b)) == (lower_case(a) == lower_case(b)));
    RC_ASSERT(encode_name(a) == encode_name(lower_case(a)));
  });
  ok &= rc::check("no name is a way out", [] {
    const std::string path = encode_name(*address_octets());
    RC_ASSERT(all_names_are_harmless(path));
  });
  ok &= rc::check("no mailbox lies in another", [] {
    const std::string a = mailbox_path(*address_octets() + "@" + *address_octets(), "default.example");
    const std::string b = mailbox_path(*address_octets() + "@" + *address_octets(), "default.example");
    RC_ASSERT(all_names_are_harmless(a));
    RC_ASSERT(!a.starts_with(b + "/") && !b.starts_with(a + "/"));
  });
  return ok ? 0 : 1;
}
