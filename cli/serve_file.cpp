#include "cli/serve_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/spelling.hpp"
#include "base/text_lines.hpp"
#include "cli/file_value.hpp"
#include "cli/parse_reserve.hpp"
#include "cli/serve_variables.hpp"
#include "config/configuration_keys.hpp"
#include "config/variables.hpp"
#include "dns/servers.hpp"

namespace postern::cli {
namespace {

using config::ListenerSettings;
using spec::Option;

// A key by its kind, which is that of its row and of the member that it sets.
std::optional<std::size_t> take_word(const FileValue& value, const spec::OptionRow& row) {
  std::vector<std::string_view> words;
  for (std::string_view rest = spec::option_text(row.words); !rest.empty(); rest.remove_prefix(words.back().size() + 1))
    words.push_back(rest.substr(0, rest.find(' ')));
  return value.choice(words);
}

void take(const FileValue& value, const spec::OptionRow& row, bool& out) {
  if (row.kind != spec::OptionKind::word) return value.flag(out);
  if (const auto word = take_word(value, row)) out = *word != 0;
}
void take(const FileValue& value, const spec::OptionRow& row, config::LogFormat& out) {
  if (const auto word = take_word(value, row)) out = static_cast<config::LogFormat>(*word);
}
template <std::unsigned_integral Number>
void take(const FileValue& value, const spec::OptionRow& row, Number& out) {
  value.number(out, static_cast<std::uint32_t>(row.least), static_cast<std::uint32_t>(row.most));
}
void take(const FileValue& value, const spec::OptionRow&, std::string& out) { value.text(out); }
void take(const FileValue& value, const spec::OptionRow&, std::vector<std::string>& out) { value.domains(out); }
void take(const FileValue& value, const spec::OptionRow&, std::vector<base::Network>& out) { value.networks(out); }
void take(const FileValue& value, const spec::OptionRow&, std::optional<base::Endpoint>& out) { value.endpoint(out); }

// A table's variables, each with its place.
struct Assignment {
  std::string name, text;
  const toml::node* node;
};
using Assignments = std::vector<Assignment>;

const Assignment* find(const Assignments& assignments, std::string_view name) {
  const auto found = std::ranges::find(assignments, name, &Assignment::name);
  return found == assignments.end() ? nullptr : &*found;
}

constexpr std::array<std::string_view, 4> ways_out{"QMAILQUEUE", "POSTERN_LMTP", "POSTERN_MAILDIR", "POSTERN_DISCARD"};
bool is_way_out(std::string_view name) { return std::ranges::find(ways_out, name) != ways_out.end(); }

// The port that a socket of ours has (packaging/*.socket), without PORT.
unsigned usual_port(std::string_view socket_name) {
  if (socket_name == "submission") return 587;
  return socket_name == "submissions" ? 465 : 25;
}

class Reader {
 public:
  explicit Reader(std::string shown) : problems_(std::move(shown)) {}

  ServeFile read(const toml::table& root) {
    const toml::node* const common = root.get("variables");
    if (common != nullptr && common->is_table()) take_variables(*common->as_table(), common_);
    has_lost_variables_ = !problems_.is_empty();
    const auto table = [this](auto take) {
      return [this, take](const FileValue& value) {
        if (value.node.is_table()) return (this->*take)(*value.node.as_table());
        problems_.add(value.node.source(), "write [" + std::string(value.name) + "]");
      };
    };
    take_table(root,
               {{"server", table(&Reader::take_server)},
                {"limits", table(&Reader::take_limits)},
                {"tls", table(&Reader::take_tls)},
                {"variables", table(&Reader::take_common)},
                {"listener", [this](const FileValue& value) { take_listeners(value); }}},
               problems_, [this](std::string_view key) { return note_loss(key); });
    if (!root.contains("listener")) problems_.add(root.source(), "there is no [[listener]]: write one");
    if (!problems_.is_empty()) return std::unexpected(faults());
    return std::move(settings_);
  }

 private:
  ServeFileFaults faults() {
    ServeFileFaults faults{.sentences = std::move(problems_).sentences(), .understood = {}, .doubtful = {}};
    if (has_lost_place_) return faults;
    if (has_lost_variables_)
      for (const ListenerSettings& each : settings_.listeners) doubtful_.push_back(each.place);
    faults.understood = std::move(settings_);
    faults.doubtful = std::move(doubtful_);
    return faults;
  }

  // Of a key that does not exist: what it was probably meant to be is not known.
  std::string note_loss(std::string_view key) {
    const auto meant = base::nearest_name(key, {"server", "variables", "home", "user", "chroot"});
    if (meant == "variables") has_lost_variables_ = true;
    if (meant && meant != "variables") has_lost_place_ = true;
    return {};
  }

  // Without it no path has a meaning, and the user who opens it is unknown.
  static bool is_place(Option option) {
    return option == Option::home || option == Option::user || option == Option::chroot;
  }

  // The keys of a table, each with the member that it sets.
  std::vector<FileKey> keys_of(spec::Place table) {
    std::vector<FileKey> keys;
    config::visit_keys([&](Option option, const auto& member) {
      const spec::OptionRow& row = spec::row_of(option);
      if (!row.may_stand_in(table)) return;
      auto& out = member(settings_);
      keys.push_back({name_of(row), [this, option, &row, &out](const FileValue& value) {
                        const std::size_t before = problems_.count();
                        take(value, row, out);
                        if (option == Option::dns) judge_resolvers(value);
                        if (is_place(option) && problems_.count() != before) has_lost_place_ = true;
                      }});
    });
    return keys;
  }

  // Told here, with its line, and forgotten: so nothing else refuses it once more.
  void judge_resolvers(const FileValue& value) {
    if (settings_.dns.empty()) return;
    const auto servers = dns::parse_servers(settings_.dns);
    if (servers) return;
    problems_.add(value.node.source(), "dns: " + servers.error());
    settings_.dns.clear();
  }

  void take_server(const toml::table& table) {
    take_table(table, keys_of(spec::Place::server), problems_, [&](std::string_view key) {
      if (!table.contains("home")) has_lost_place_ = true;
      return note_loss(key);
    });
    // Wrong ones are as good as right ones to say that the file of them is not used.
    if (table.contains("domains") && settings_.domains.empty()) settings_.domains.emplace_back("localhost");
  }

  void take_limits(const toml::table& table) { take_table(table, keys_of(spec::Place::limits), problems_); }

  void take_tls(const toml::table& table) {
    take_table(table, keys_of(spec::Place::tls), problems_, [](std::string_view key) -> std::optional<std::string> {
      return key == "ciphers" ? "is the variable TLSCIPHERS, in [variables] or [[listener]]" : "";
    });
  }

  // Already taken, before all listeners.
  void take_common(const toml::table& table) {
    const std::size_t before = problems_.count();
    for (const auto& [key, node] : table)
      if (!is_variable(key.str())) problems_.add(key.source(), shown_key(key.str()) + " " + no_variable(key.str()));
    if (const Assignment* const port = find(common_, "PORT"); port != nullptr)
      problems_.add(port->node->source(), "PORT belongs in a [[listener]]");
    has_lost_variables_ = has_lost_variables_ || problems_.count() != before;
  }

  void take_variables(const toml::table& table, Assignments& out) {
    const Assignment* way_out = nullptr;
    for (const auto& [key, node] : table) {
      if (!is_variable(key.str())) continue;
      auto taken = take_variable({.name = key.str(), .node = node, .problems = problems_});
      if (taken) out.push_back({std::string(key.str()), std::move(*taken), &node});
    }
    for (const Assignment& each : out) {
      if (!is_way_out(each.name)) continue;
      if (way_out != nullptr)
        problems_.add(each.node->source(),
                      each.name + " and " + way_out->name + ": mail has one way out; write one of them");
      way_out = &each;
    }
  }

  void take_listeners(const FileValue& value) {
    const toml::array* const array = value.node.as_array();
    if (array == nullptr || !array->is_array_of_tables())
      return problems_.add(value.node.source(), "write [[listener]], with two brackets");
    for (const toml::node& node : *array) take_listener(*node.as_table());
  }

  void take_listener(const toml::table& table) {
    const std::size_t before = problems_.count();
    ListenerSettings one{.place = problems_.place(table.source())};
    Assignments own;
    take_variables(table, own);
    take_address(table, one);
    take_small_keys(table, {{"ip", [](const FileValue&) {}},
                            {"port", [](const FileValue&) {}},
                            {"socket", [](const FileValue&) {}},
                            {"certificates", [&](const FileValue& v) { take_certificates(v, one); }},
                            {"check_program", [&](const FileValue& v) { take_check_program(v, one); }},
                            {"relay", [&](const FileValue& v) { take_relay(v, own); }},
                            {"unknown_recipients", [&](const FileValue& v) { take_unknown_recipients(v, own); }},
                            {"tcprules", [&](const FileValue& v) { v.text(one.tcprules); }},
                            {"proxies", [&](const FileValue& v) { v.networks(one.proxies); }}});
    if (const Assignment* const cdb = find(own, "AUTH_CDB"); cdb != nullptr && !one.check_program.empty())
      problems_.add(cdb->node->source(),
                    "AUTH_CDB and check_program: one of them checks passwords; write only that one");
    if (problems_.count() != before) doubtful_.push_back(one.place);
    set_variables(own, one);
    settings_.listeners.push_back(std::move(one));
  }

  // The same as the variable, which a class of tcprules has too.
  void take_relay(const FileValue& value, Assignments& own) {
    if (find(own, "POSTERN_RELAY") != nullptr)
      return value.not_allowed("POSTERN_RELAY sets the same; write one of them");
    bool relays = false;
    value.flag(relays);
    own.push_back({"POSTERN_RELAY", relays ? "POSTERN_RELAY=1" : "POSTERN_RELAY=0", &value.node});
  }

  // As above.
  void take_unknown_recipients(const FileValue& value, Assignments& own) {
    constexpr std::string_view name = "POSTERN_UNKNOWN_RECIPIENTS";
    if (find(own, name) != nullptr) return value.not_allowed(std::string(name) + " sets the same; write one of them");
    const auto word = take_word(value, spec::row_of(Option::unknown_recipients));
    if (word) own.push_back({std::string(name), std::string(name) + (*word != 0 ? "=refuse" : "=accept"), &value.node});
  }

  void take_small_keys(const toml::table& table, const std::vector<FileKey>& keys) {
    take_table(table, keys, problems_, [&keys](std::string_view key) -> std::optional<std::string> {
      if (is_variable(key)) return std::nullopt;
      if (is_in_capitals(key)) return no_variable(key);
      std::string capitals(key);
      for (char& c : capitals) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      if (is_variable(capitals)) return "is written " + capitals;
      std::vector<std::string> names;
      for (const FileKey& each : keys) names.emplace_back(each.name);
      if (base::nearest_name(key, names)) return "";
      const std::string question = base::question_of(key, config::variable_names());
      return question.empty() ? "" : "is neither a key nor a variable" + question;
    });
  }

  // Each a file, or two as certbot writes them.
  void take_certificates(const FileValue& value, ListenerSettings& one) {
    const toml::array* const array = value.node.as_array();
    if (array == nullptr)
      return value.not_allowed(
          "only an array is allowed, as [\"one.pem\", {cert = \"fullchain.pem\", key = \"privkey.pem\"}]");
    for (const toml::node& each : *array) {
      tls::CertificateFiles& files = one.certificates.emplace_back();
      if (!each.is_table()) {
        FileValue{value.name, each, problems_}.text(files.certificate);
        continue;
      }
      take_table(*each.as_table(),
                 {{"cert", [&](const FileValue& v) { v.text(files.certificate); }},
                  {"key", [&](const FileValue& v) { v.text(files.key); }}},
                 problems_);
      if (!each.as_table()->contains("cert")) problems_.add(each.source(), "certificates: a key without its cert");
    }
  }

  void take_check_program(const FileValue& value, ListenerSettings& one) {
    value.texts(one.check_program);
    const toml::array* const words = value.node.as_array();
    if (words != nullptr && words->size() < 3)
      value.not_allowed(
          "only a host name, a program and what it is to run are allowed, as "
          "[\"mx.example.org\", \"/bin/checkpassword\", \"/bin/true\"]");
  }

  void take_address(const toml::table& table, ListenerSettings& one) {
    const auto value = [&](std::string_view name) { return FileValue{name, *table.get(name), problems_}; };
    const bool has_socket = table.contains("socket"), has_ip = table.contains("ip"), has_port = table.contains("port");
    if (has_socket == has_ip || has_ip != has_port)
      return problems_.add(table.source(),
                           "a [[listener]] has ip and port, or socket, the name of one that systemd holds");
    if (has_socket) {
      value("socket").text(one.socket_name);
    } else {
      take(value("port"), spec::row_of(Option::port), one.at.port);
      const auto address = base::parse_address(value("ip").node.value_exact<std::string>().value_or(""));
      if (!address)
        return value("ip").not_allowed("only an IP address in quotes is allowed; \"0.0.0.0\" and \"::\" are all");
      one.at.address = *address;
    }
    refuse_twin(table, one);
  }

  // Port 0 is another one each time.
  void refuse_twin(const toml::table& table, const ListenerSettings& one) {
    const auto is_twin = [&](const ListenerSettings& other) {
      return other.at == one.at && other.socket_name == one.socket_name &&
             (!one.socket_name.empty() || one.at.port != 0);
    };
    const auto found = std::ranges::find_if(settings_.listeners, is_twin);
    if (found == settings_.listeners.end()) return;
    const std::string what =
        one.socket_name.empty() ? std::string(base::write(one.at).view()) : "socket " + shown(one.socket_name);
    problems_.add(table.source(), "a second listener at " + what + ": " + found->place + " is the first");
  }

  void set_variables(const Assignments& own, ListenerSettings& one) {
    const auto add = [&](const Assignment& each) {
      one.variables.push_back(each.text);
      one.variable_places.push_back(problems_.place(each.node->source()));
    };
    const bool has_way_out = std::ranges::any_of(own, [](const Assignment& a) { return is_way_out(a.name); });
    for (const Assignment& each : common_) {
      const bool is_other_way = has_way_out && is_way_out(each.name);
      const bool is_other_judge = !one.check_program.empty() && each.name == "AUTH_CDB";
      if (!is_other_way && !is_other_judge && find(own, each.name) == nullptr) add(each);
    }
    for (const Assignment& each : own) add(each);
    const unsigned port = one.socket_name.empty() ? one.at.port : usual_port(one.socket_name);
    if (find(own, "PORT") == nullptr && port != 0) one.variables.push_back("PORT=" + std::to_string(port));
  }

  FileProblems problems_;
  config::Configuration settings_;
  Assignments common_;
  bool has_lost_variables_ = false, has_lost_place_ = false;
  std::vector<std::string> doubtful_;
};

std::string line_of(std::string_view text, std::size_t number) {
  base::TextLines lines(text);
  auto line = lines.next();
  while (line && line->number < number) line = lines.next();
  return line ? shown(line->text) : "";
}

// The parser says neither which line it means nor what to write there.
std::string sentence_of(const toml::parse_error& error, std::string_view text, const std::string& shown) {
  constexpr std::string_view opening = "Error while parsing ";
  constexpr std::size_t most_octets = 300;  // of what it says
  std::string_view what = error.description();
  if (what.starts_with(opening)) what.remove_prefix(opening.size());
  const std::size_t number = error.source().begin.line;
  const std::string line = line_of(text, number);
  const bool is_value = what.contains("integer") || what.contains("value type") || what.contains("float");
  return shown + " line " + std::to_string(number) + ": " + line + (line.empty() ? "" : ": ") +
         "no TOML: " + on_one_line(what, most_octets) +
         (is_value ? "; a number is digits alone, and any other text stands in quotes" : "");
}

}  // namespace

ServeFile parse_serve_file(std::string_view text, const std::string& shown) {
  try {
    const ParseReserve reserve;
    return Reader(shown).read(toml::parse(text, shown));
  } catch (const toml::parse_error& error) {
    return std::unexpected(ServeFileFaults{{sentence_of(error, text, shown)}, {}, {}});
  }
}

ServeFile read_serve_file(const std::string& path, const std::string& shown) {
  const auto wrong = [](std::string sentence) {
    return std::unexpected(ServeFileFaults{{std::move(sentence)}, {}, {}});
  };
  std::error_code unknown;  // what cannot be looked at cannot be opened either, and that says why
  if (std::filesystem::is_directory(path, unknown)) return wrong(shown + ": is a folder; name the file in it");
  const config::FileWatch::State before = config::FileWatch::state_of(path);
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) return wrong(shown + ": cannot be read: " + std::strerror(errno));
  ServeFile made = parse_serve_file(text, shown);
  if (made) made->file = path, made->file_state = before;
  return made;
}

}  // namespace postern::cli
