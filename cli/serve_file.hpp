// The file of `postern serve -c`: tables [server], [limits], [tls], [variables], and one [[listener]] an address.
// in      a path; TOML. Names in capitals are the variables of postern-smtpd, all others the listener's own
// out     config::Configuration; paths in it are as they were written, so relative to its home
// errors  all sentences at once, by line: `postern.toml line 7: SSL = 2: only 0 and 1 are allowed`; and what was understood, so
//         that other errors can be reported with them
// ways    what a [[listener]] says wins over [variables]. Of what excludes each other, the ways for mail to go and the
//         checkers of passwords, one table may name one, and a [[listener]] that names one takes none from [variables]
// source  docs/operating.md: The file
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.hpp"

namespace postern::cli {

struct ServeFileFaults {
  std::vector<std::string> sentences;
  // None when the file cannot be parsed, or the home, root or user is not known.
  std::optional<config::Configuration> understood;
  std::vector<std::string> doubtful;  // places of listeners that may lack what their operator wrote
};
using ServeFile = std::expected<config::Configuration, ServeFileFaults>;

// path   where it is read; `shown` is what sentences call it
[[nodiscard]] ServeFile read_serve_file(const std::string& path, const std::string& shown);
// The same of the octets of a file; Configuration::file stays empty.
[[nodiscard]] ServeFile parse_serve_file(std::string_view text, const std::string& shown);

}  // namespace postern::cli
