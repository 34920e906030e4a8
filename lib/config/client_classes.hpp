// The classes of clients that a tcprules cdb knows: what the listener judges before a client of them comes.
// in      the path of a cdb
// out     each value once, with its first key; classes that are denied are left out. class_name() is for sentences, and has
//         the line of the text next to the cdb, too, where there is one: `tcp.smtp` next to `tcp.smtp.cdb`
// errors  a file that cannot be read has no classes: its user judges that (client_rules.hpp)
// bounds  the first spec::max_classes_judged_early values
// source  tcprules(1)
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::config {

struct ClientClass {
  std::string value, key;
};

[[nodiscard]] std::vector<ClientClass> read_client_classes(const std::string& cdb);

// Sentences about the rules for names (`=host`) and for users (`joe@10.0.0.1`): a listener looks up neither.
[[nodiscard]] std::vector<std::string> rules_that_never_match(const std::string& cdb);

// `class 10. of tcp.smtp.cdb (tcp.smtp line 3)`
[[nodiscard]] std::string class_name(const std::string& cdb, std::string_view key);

}  // namespace postern::config
