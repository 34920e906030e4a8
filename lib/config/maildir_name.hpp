// Which folder below the root is whose mailbox.
// in      a forward-path as the envelope holds it (unquoted, any octet but NUL)
// out     "DOMAIN/LOCAL-PART", relative to the root, lower-cased; each half encoded alone
// code    [a-z0-9._+=-] stand for themselves, but not a dot that begins a name; any other octet is %XX (hexadecimal,
//         capitals); nothing at all is `%`. A name that gets longer than max_name_octets goes on in a folder of its
//         own: what ends with a lone `%` is continued by the next name
// laws    two addresses share a mailbox exactly when they differ in case only; no name is empty, begins with a dot,
//         holds a slash or is too long for a file system: no address leaves the root, or reaches what a mailbox holds
// errors  none
// source  RFC 5321 4.1.1.3 (postmaster without a domain), 2.4 (case; we choose that a local-part has none)
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postern::config {

inline constexpr std::size_t max_name_octets =
    200;  // NAME_MAX is 255; one octet more may be %XX, and one `%` ends a name

[[nodiscard]] std::string encode_name(std::string_view octets);

// default_domain   of an address without a domain
[[nodiscard]] std::string mailbox_path(std::string_view forward_path, std::string_view default_domain);

}  // namespace postern::config
