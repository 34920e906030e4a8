// The file of postern serve, any octets.
// oracle  errors each name a line of the file and are a line of UTF-8; what is accepted has no key that spec/options.toml does not
//         have there, and means what a naive reading of its TOML says; written as another file, in two orders, it means the
//         same; with keys in each table that do not exist it is refused, for their lines; a second reading gives the same
#include "cli/serve_file.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz/mutate_serve_file.hpp"
#include "fuzz/serve_text.hpp"
#include "spec/options.hpp"

namespace {

using namespace postern;
using fuzz::Meaning;
using spec::Place;

constexpr const char* shown = "f.toml";
constexpr std::size_t most_sentence_octets = 1024;

void must(bool is_so, const char* what, std::string_view text, std::string_view more = {}) {
  if (is_so) return;
  std::fprintf(stderr, "%s\n%.*s\n--- the file\n%.*s\n", what, static_cast<int>(more.size()), more.data(),
               static_cast<int>(text.size()), text.data());
  std::abort();
}

// ---- errors

// RFC 3629 4, without its finer points: those the parser of TOML refuses.
bool is_printable(std::string_view text) {
  for (std::size_t i = 0, after = 0; i < text.size() || after > 0; ++i) {
    if (i == text.size()) return false;  // within a character
    const auto octet = static_cast<unsigned char>(text[i]);
    const bool is_inner = (octet & 0xC0U) == 0x80;
    if (octet < 32 || octet == 127 || is_inner != (after > 0)) return false;
    after = is_inner ? after - 1 : octet >= 0xF0 ? 3 : octet >= 0xE0 ? 2 : octet >= 0xC0 ? 1 : 0;
  }
  return true;
}

// The line that a sentence names; 0: none.
std::size_t line_of(std::string_view sentence) {
  const std::string opening = std::string(shown) + " line ";
  if (!sentence.starts_with(opening)) return 0;
  std::size_t line = 0, at = opening.size();
  for (; at < sentence.size() && sentence[at] >= '0' && sentence[at] <= '9'; ++at)
    line = line * 10 + static_cast<std::size_t>(sentence[at] - '0');
  return sentence.substr(at).starts_with(": ") && sentence.size() > at + 2 ? line : 0;
}

void check_faults(std::string_view text, const cli::ServeFileFaults& faults) {
  must(!faults.sentences.empty(), "refused without a reason", text);
  const auto lines = static_cast<std::size_t>(1 + std::ranges::count(text, '\n'));
  std::size_t before = 1;
  for (const std::string& sentence : faults.sentences) {
    const std::size_t line = line_of(sentence);
    must(line >= before, "an error of no line, or out of order", text, sentence);
    must(line <= lines, "an error of a line that is not there", text, sentence);
    must(is_printable(sentence), "an error that is not a line of text", text, sentence);
    must(sentence.size() <= most_sentence_octets, "an error that is too long", text, sentence);
    before = line;
  }
  const auto again = cli::parse_serve_file(text, shown);
  must(!again && again.error().sentences == faults.sentences, "read again it has other errors", text);
}

// ---- what is accepted, read naively

bool is_key(std::string_view name, Place place) {
  return std::ranges::any_of(
      spec::option_rows(), [&](const spec::OptionRow& row) { return name_of(row) == name && row.may_stand_in(place); });
}

bool is_capital(std::string_view name) { return name[0] >= 'A' && name[0] <= 'Z'; }

std::string value_of(std::string_view name, const toml::node& node) {
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (const auto text = node.value_exact<std::string>()) {
    if (name == "ip") return fuzz::quoted(base::write(base::parse_address(*text).value()).view());
    if (name == "metrics") return fuzz::quoted(base::write(base::parse_endpoint(*text).value()).view());
    const bool is_network = name == "exempt" || name == "proxies";
    return fuzz::quoted(is_network ? base::write(base::parse_network(*text).value()).view() : *text);
  }
  if (const toml::table* const pair = node.as_table())
    return fuzz::certificate_of({(*pair)["cert"].value_or(std::string()), (*pair)["key"].value_or(std::string())});
  std::vector<std::string> values;
  for (const toml::node& each : *node.as_array()) values.push_back(value_of(name, each));
  return fuzz::array_of(values);
}

class Naive {
 public:
  Naive(std::string_view text, const toml::table& root) : text_(text), root_(root) {}

  Meaning read() {
    meaning_ = fuzz::meaning_of({});
    take("server", Place::server);
    take("limits", Place::limits);
    take("tls", Place::tls);
    for (const auto& [key, node] : root_)
      must(std::ranges::find(tables, key.str()) != tables.end(), "an unknown table is accepted", text_, key.str());
    std::size_t number = 0;
    for (const toml::node& each : *root_["listener"].as_array())
      take_listener("listener " + std::to_string(number++), *each.as_table());
    return meaning_;
  }

 private:
  static constexpr std::array<std::string_view, 5> tables{"server", "limits", "tls", "variables", "listener"};
  static constexpr std::array<std::string_view, 4> ways_out{"QMAILQUEUE", "POSTERN_LMTP", "POSTERN_MAILDIR",
                                                            "POSTERN_DISCARD"};

  void take(std::string_view name, Place place) {
    const toml::table* const table = root_[name].as_table();
    if (table == nullptr) return;
    for (const auto& [key, node] : *table) {
      must(is_key(key.str(), place), "an unknown key is accepted", text_, key.str());
      meaning_[std::string(name) + '.' + std::string(key.str())] = value_of(key.str(), node);
    }
  }

  void take_listener(const std::string& name, const toml::table& table) {
    Meaning own, all;
    for (const auto& [key, node] : table) {
      must(is_key(key.str(), Place::listener), "an unknown key is accepted", text_, key.str());
      own[std::string(key.str())] = value_of(key.str(), node);
    }
    const bool has_way_out = std::ranges::any_of(ways_out, [&](auto way) { return own.contains(std::string(way)); });
    if (const toml::table* const common = root_["variables"].as_table()) {
      for (const auto& [key, node] : *common) {
        must(is_key(key.str(), Place::variables), "an unknown variable is accepted", text_, key.str());
        const bool is_other_way = has_way_out && std::ranges::find(ways_out, key.str()) != ways_out.end();
        const bool is_other_judge = own.contains("check_program") && key.str() == "AUTH_CDB";
        if (!is_other_way && !is_other_judge) all[std::string(key.str())] = value_of(key.str(), node);
      }
    }
    if (own.contains("relay")) all["POSTERN_RELAY"] = own["relay"] == "true" ? "1" : "0";
    own.erase("relay");
    if (own.contains("unknown_recipients"))
      all["POSTERN_UNKNOWN_RECIPIENTS"] = own["unknown_recipients"] == "\"refuse\"" ? "refuse" : "accept";
    own.erase("unknown_recipients");
    for (const auto& [key, value] : own)
      if (is_capital(key) || value != "[]") all[key] = value;
    if (!own.contains("PORT")) all["PORT"] = own.contains("port") ? own["port"] : port_of(own["socket"]);
    if (all["PORT"] == "0") all.erase("PORT");
    for (const auto& [key, value] : all) meaning_[name + '.' + key] = value;
  }

  static std::string port_of(std::string_view socket) {
    return socket == "\"submission\"" ? "587" : socket == "\"submissions\"" ? "465" : "25";
  }

  std::string_view text_;
  const toml::table& root_;
  Meaning meaning_;
};

void must_mean(const Meaning& one, const Meaning& other, const char* what, std::string_view text) {
  if (one == other) return;
  std::string more;
  for (const auto& [key, value] : one)
    if (!other.contains(key) || other.at(key) != value) more += "one: " + key + " = " + value + '\n';
  for (const auto& [key, value] : other)
    if (!one.contains(key) || one.at(key) != value) more += "other: " + key + " = " + value + '\n';
  must(false, what, text, more);
}

void check_strays(const config::Configuration& configuration, std::string_view text) {
  fuzz::Strays strays{.keys = {"XYZZY", "xyzzy"}, .lines = {}};
  const std::string written = fuzz::write_serve_file(configuration, fuzz::FileOrder::reversed, &strays);
  const auto read = cli::parse_serve_file(written, shown);
  must(!read, "a key that does not exist is accepted", written, text);
  const std::vector<std::string>& sentences = read.error().sentences;
  bool is_each_named = sentences.size() == strays.lines.size();
  for (std::size_t i = 0; is_each_named && i < sentences.size(); ++i)
    is_each_named = line_of(sentences[i]) == strays.lines[i] &&
                    sentences[i].contains(": " + strays.keys[i % strays.keys.size()] + " ");
  must(is_each_named, "a key that does not exist is not named", written, sentences[0]);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  return fuzz::mutate_serve_file({data, most}, size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto read = cli::parse_serve_file(text, shown);
  if (!read) return check_faults(text, read.error()), 0;
  const Meaning meaning = fuzz::meaning_of(*read);
  const toml::table root = toml::parse(text);
  must_mean(meaning, Naive(text, root).read(), "a naive reading says otherwise", text);
  for (const auto order : {fuzz::FileOrder::usual, fuzz::FileOrder::reversed}) {
    const std::string written = fuzz::write_serve_file(*read, order);
    const auto again = cli::parse_serve_file(written, shown);
    must(again.has_value(), "written again it is refused", written, again ? "" : again.error().sentences[0]);
    must_mean(meaning, fuzz::meaning_of(*again), "written again it means something else", written);
  }
  check_strays(*read, text);
  return 0;
}
