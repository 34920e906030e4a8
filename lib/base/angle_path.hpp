// A path of the envelope as it stands on the wire, and back.
// in      the envelope holds a local-part without quotes, whatever octets it has; the wire quotes it where it must be
// out     `"us er"@example.org`, `<"us er"@example.org>`; the path of the envelope
// errors  none: a control octet becomes `?`, and what is no quoted string stays as it is
// source  RFC 5321 4.1.2 (Path, Quoted-string); RFC 6531 3.3
#pragma once

#include <string>
#include <string_view>

namespace postern::base {

[[nodiscard]] std::string written_path(std::string_view path);
[[nodiscard]] std::string angle_path(std::string_view path);

// Of either.
[[nodiscard]] std::string path_of(std::string_view written);

}  // namespace postern::base
