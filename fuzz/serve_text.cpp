#include "fuzz/serve_text.hpp"

#include <algorithm>
#include <concepts>
#include <string_view>
#include <utility>
#include <vector>

#include "config/configuration_keys.hpp"
#include "config/variables.hpp"

namespace postern::fuzz {
namespace {

using config::Configuration;
using config::ListenerSettings;
using spec::Place;
using Lines = std::vector<std::string>;

template <typename Values, typename Write>
std::string array_by(Write write, const Values& values) {
  Lines written;
  for (const auto& value : values) written.push_back(write(value));
  return array_of(written);
}

// As TOML has a value of that member.
std::string value_of(const spec::OptionRow& row, bool value) {
  if (row.kind != spec::OptionKind::word) return value ? "true" : "false";
  return value ? "\"1.3\"" : "\"1.2\"";
}
std::string value_of(const spec::OptionRow&, config::LogFormat value) {
  return value == config::LogFormat::json ? "\"json\"" : "\"text\"";
}
template <std::unsigned_integral Number>
std::string value_of(const spec::OptionRow&, Number value) {
  return std::to_string(value);
}
std::string value_of(const spec::OptionRow&, const std::string& value) { return quoted(value); }
std::string value_of(const spec::OptionRow&, const Lines& value) { return array_by(quoted, value); }
std::string networks_of(const std::vector<base::Network>& networks) {
  return array_by([](const base::Network& network) { return quoted(base::write(network).view()); }, networks);
}
std::string value_of(const spec::OptionRow&, const std::vector<base::Network>& value) { return networks_of(value); }
std::string value_of(const spec::OptionRow&, const std::optional<base::Endpoint>& value) {
  return value ? quoted(base::write(*value).view()) : "";
}

struct Key {
  std::string name, value;
  bool is_set = true;  // it is not as it is without the file
};
using Keys = std::vector<Key>;

Keys keys_of(const Configuration& configuration, Place table) {
  const Configuration unset;
  Keys keys;
  config::visit_keys([&](spec::Option option, const auto& member) {
    const spec::OptionRow& row = spec::row_of(option);
    if (!row.may_stand_in(table)) return;
    const std::string value = value_of(row, member(configuration));
    keys.push_back({std::string(name_of(row)), value, value != value_of(row, member(unset))});
  });
  return keys;
}

Key variable_of(const std::string& text) {
  const std::string name = text.substr(0, text.find('=')), value = text.substr(name.size() + 1);
  const spec::OptionKind kind = config::find_variable(name)->kind;
  const bool is_bare = kind == spec::OptionKind::boolean || kind == spec::OptionKind::number;
  return {name, is_bare ? value : quoted(value)};
}

Keys keys_of(const ListenerSettings& one) {
  Keys keys;
  const bool has_address = one.socket_name.empty();
  keys.push_back({"ip", quoted(base::write(one.at.address).view()), has_address});
  keys.push_back({"port", std::to_string(one.at.port), has_address});
  keys.push_back({"socket", quoted(one.socket_name), !has_address});
  for (const std::string& variable : one.variables) keys.push_back(variable_of(variable));
  keys.push_back({"certificates", array_by(certificate_of, one.certificates), !one.certificates.empty()});
  keys.push_back({"check_program", array_by(quoted, one.check_program), !one.check_program.empty()});
  keys.push_back({"tcprules", quoted(one.tcprules), !one.tcprules.empty()});
  keys.push_back({"proxies", networks_of(one.proxies), !one.proxies.empty()});
  return keys;
}

struct Table {
  std::string head;
  Keys keys;
};

std::vector<Table> tables_of(const Configuration& configuration) {
  std::vector<Table> tables{{"[server]", keys_of(configuration, Place::server)},
                            {"[limits]", keys_of(configuration, Place::limits)},
                            {"[tls]", keys_of(configuration, Place::tls)},
                            {"[variables]", {}}};
  for (const ListenerSettings& one : configuration.listeners) tables.push_back({"[[listener]]", keys_of(one)});
  return tables;
}

// The listeners keep their order: it is part of what they mean.
void reverse(std::vector<Table>& tables) {
  const auto listeners = tables.begin() + 4;
  std::reverse(tables.begin(), listeners);
  std::rotate(tables.begin(), listeners, tables.end());
  for (Table& table : tables) std::ranges::reverse(table.keys);
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char octet : text) {
    if (octet == '"' || octet == '\\') out += '\\';
    out += octet;
  }
  return out + '"';
}

std::string array_of(const Lines& values) {
  std::string out;
  for (const std::string& value : values) out += (out.empty() ? "" : ", ") + value;
  return '[' + out + ']';
}

std::string certificate_of(const tls::CertificateFiles& files) {
  if (files.key.empty()) return quoted(files.certificate);
  return "{cert = " + quoted(files.certificate) + ", key = " + quoted(files.key) + "}";
}

Meaning meaning_of(const Configuration& configuration) {
  Meaning meaning;
  std::size_t listeners = 0;
  for (const Table& table : tables_of(configuration)) {
    const bool is_listener = table.head == "[[listener]]";
    const std::string name =
        is_listener ? "listener " + std::to_string(listeners++) : table.head.substr(1, table.head.size() - 2);
    for (const Key& key : table.keys) {
      if (is_listener && !key.is_set) continue;
      std::string& value = meaning[name + '.' + key.name];
      value += (value.empty() ? "" : " and ") + key.value;  // said twice: that is a meaning of no file
    }
  }
  return meaning;
}

std::string write_serve_file(const Configuration& configuration, FileOrder order, Strays* strays) {
  std::vector<Table> tables = tables_of(configuration);
  if (order == FileOrder::reversed) reverse(tables);
  std::string text;
  std::size_t lines = 0;
  for (const Table& table : tables) {
    text += table.head + '\n';
    ++lines;
    for (const Key& key : table.keys) {
      if (!key.is_set) continue;
      text += key.name + " = " + key.value + '\n';
      ++lines;
    }
    for (std::size_t i = 0; strays != nullptr && i < strays->keys.size(); ++i) {
      text += strays->keys[i] + " = 1\n";
      strays->lines.push_back(++lines);
    }
  }
  return text;
}

}  // namespace postern::fuzz
